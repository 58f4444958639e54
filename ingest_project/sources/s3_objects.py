"""S3 objects as a Store: ranged GETs bound to the planned etag, listings page by page. Never writes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ingest_project.core.errors import (
    IngestError,
    PermanentFailure,
    SourceChanged,
    TargetMissing,
    TransientFailure,
)
from ingest_project.core.model import SourceFile
from ingest_project.sources.stores import BLOCK, S3Reader

REQUEST = 32 << 20
"""Bytes asked for in one GET."""

_AGAIN = frozenset(
    {"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "InternalError", "ServiceUnavailable"}
)


class S3Objects:
    """Objects of any bucket the client can see.

    Args:
        client: boto3 S3 client; its own retries stay at connection level.
        request: Bytes asked for in one GET.
        block: Bytes handed on at once.
    """

    def __init__(self, client: S3Reader, *, request: int = REQUEST, block: int = BLOCK) -> None:
        self._client = client
        self._request = request
        self._block = block

    def stat(self, uri: str) -> SourceFile:
        bucket, key = split(uri)
        try:
            found = self._client.head_object(Bucket=bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise _translated(uri, error, TargetMissing) from error
        return _source_file(uri, found["ETag"], found["ContentLength"], found["LastModified"])

    def files(self, uri: str, *, recursive: bool) -> Iterator[SourceFile]:
        bucket, key = split(uri)
        if key and not key.endswith("/"):
            try:
                yield self.stat(uri)
                return
            except TargetMissing:
                key += "/"
        any_found = False
        for item in self._listed(uri, bucket, key):
            any_found = True
            rest = item["Key"].removeprefix(key)
            hidden = any(part.startswith(".") for part in rest.split("/"))
            if rest and not rest.endswith("/") and not hidden and (recursive or "/" not in rest):
                name = f"s3://{bucket}/{item['Key']}"
                yield _source_file(name, item["ETag"], item["Size"], item["LastModified"])
        if not any_found:
            raise TargetMissing(f"{uri}: there is no such object and nothing under it")

    def blocks(self, uri: str, etag: str, start: int, end: int) -> Generator[bytes, None, None]:
        bucket, key = split(uri)
        try:
            while start < end:
                stop = min(end, start + self._request)
                span = f"bytes={start}-{stop - 1}"
                body = self._client.get_object(Bucket=bucket, Key=key, Range=span, IfMatch=etag)["Body"]
                try:
                    while start < stop and (block := body.read(min(self._block, stop - start))):
                        start += len(block)
                        yield block
                finally:
                    body.close()
                if start < stop:
                    raise TransientFailure(f"{uri}: the answer to {span} ended at byte {start}")
        except (ClientError, BotoCoreError) as error:
            raise _translated(uri, error, SourceChanged) from error

    def _listed(self, uri: str, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
        after, more = "", True
        while more:
            try:
                page = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, StartAfter=after)
            except (ClientError, BotoCoreError) as error:
                raise _translated(uri, error, TargetMissing) from error
            found = page.get("Contents", [])
            yield from found
            more = bool(page.get("IsTruncated") and found)
            after = found[-1]["Key"] if found else after


def split(uri: str) -> tuple[str, str]:
    """``s3://bucket/a/b`` -> ``bucket``, ``a/b``."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _source_file(uri: str, etag: str, size: int, modified: datetime) -> SourceFile:
    return SourceFile(uri=uri, etag=etag.strip('"'), size=size, modified=modified.astimezone(UTC))


def _translated(uri: str, error: ClientError | BotoCoreError, missing: type[PermanentFailure]) -> IngestError:
    """The vendor's error by its consequence; ``missing`` is what an absent object means to the caller."""
    if isinstance(error, BotoCoreError):
        return TransientFailure(f"{uri}: {error}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = error.response.get("Error", {}).get("Code", "")
    if status in (412, 416):
        return SourceChanged(f"{uri}: the object is no longer the planned one ({code or status})")
    if status == 404:
        return missing(f"{uri}: there is no such object")
    if status >= 500 or status == 429 or code in _AGAIN:
        return TransientFailure(f"{uri}: {error}")
    return PermanentFailure(f"{uri}: {error}")
