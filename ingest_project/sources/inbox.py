"""The S3 inbox: which dump files lie there, a bounded page at a time. Reads listings only, never contents.

Layout: ``<prefix>/<entity>/[<date>/]<file>``; an object outside a dated folder belongs to the day it arrived.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

from ingest_project.core.model import SourceFile
from ingest_project.formats.manifests import SUMMARY, is_manifest
from ingest_project.sources.exports import export_root

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATE = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?!\d)")
DONE = ".done"
PAGE = 1000
"""Objects a listing request returns at most, S3's own limit."""


def is_dump(uri: str) -> bool:
    """Whether the object is data: not a folder marker, a ``.done`` sign, or a hidden or temporary file."""
    name = uri.rsplit("/", 1)[-1]
    if is_manifest(uri):
        return False
    return bool(name) and not name.startswith((".", "_")) and not name.endswith((DONE, ".tmp", ".part"))


def date_of(file: SourceFile) -> str:
    """The file's partition: the last ISO date in its path, else the UTC day on which the store received
    it."""
    found = DATE.findall(file.uri)
    return found[-1] if found else file.modified.astimezone(UTC).date().isoformat()


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """One page of a listing.

    Attributes:
        files: Data files of the page.
        done: URIs that a ``.done`` object declares complete.
        after: Where the next page starts; empty when the listing reached its end and starts over.
    """

    files: tuple[SourceFile, ...]
    done: frozenset[str]
    after: str


class Inbox:
    """Listing of one entity's inbox.

    Args:
        client: boto3 S3 client.
        bucket: Bucket name.
        prefix: Key prefix of the entity's inbox, without a slash at its end.
    """

    def __init__(self, client: S3Client, *, bucket: str, prefix: str) -> None:
        self._client = client
        self.bucket = bucket
        self.prefix = prefix.rstrip("/")

    def page(self, after: str) -> InboxPage:
        """At most 1000 objects behind the key ``after``: one request, however large the bucket is.

        Data files of an export are left out until its manifest is there, which AWS writes last.
        """
        page = self._page(f"{self.prefix}/", after, "")
        roots = {root for file in page.files if (root := export_root(file.uri))}
        unfinished = {root for root in roots if not self._exists(f"{root}/{SUMMARY}")}
        files = tuple(file for file in page.files if export_root(file.uri) not in unfinished)
        return replace(page, files=files)

    def _exists(self, uri: str) -> bool:
        """Whether there is such an object: a listing of one key, which needs no rights beyond listing."""
        key = self.key_of(uri)
        found = self._client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return bool(found) and found[0]["Key"] == key

    def of_date(self, day: str) -> Iterator[SourceFile]:
        """Data files in the date's own folder, and loose ones at the top whose name or arrival gives that
        date.

        Other folders are not searched: what lies there is known from the sensor's pages.
        """
        for prefix, delimiter in ((f"{self.prefix}/{day}/", ""), (f"{self.prefix}/", "/")):
            after = ""
            while True:
                page = self._page(prefix, after, delimiter)
                yield from (file for file in page.files if date_of(file) == day)
                after = page.after
                if not after:
                    break

    def key_of(self, uri: str) -> str:
        """``s3://bucket/key`` -> ``key``."""
        return uri.removeprefix(f"s3://{self.bucket}/")

    def _page(self, prefix: str, after: str, delimiter: str) -> InboxPage:
        wanted: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": PAGE}
        if delimiter:
            wanted["Delimiter"] = delimiter
        if after:
            wanted["StartAfter"] = after
        answer = self._client.list_objects_v2(**wanted)
        found = answer.get("Contents", [])
        files = [
            SourceFile(
                uri=f"s3://{self.bucket}/{item['Key']}",
                etag=item["ETag"].strip('"'),
                size=item["Size"],
                modified=item["LastModified"].astimezone(UTC),
            )
            for item in found
        ]
        done = frozenset(file.uri.removesuffix(DONE) for file in files if file.uri.endswith(DONE))
        folders = [group["Prefix"] for group in answer.get("CommonPrefixes", [])]
        last = max([item["Key"] for item in found] + folders, default="")
        return InboxPage(
            files=tuple(file for file in files if is_dump(file.uri)),
            done=done,
            after=last if answer.get("IsTruncated") else "",
        )
