"""S3 objects as a Store: ranged GETs bound to the planned etag, listings page by page. Never writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from random import Random
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
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sources.stores import BLOCK, S3Reader

REQUEST = 32 << 20
"""Bytes asked for in one GET."""

TORN = RetryPolicy(base=0.2, cap=2.0, attempts=4)

_AGAIN = frozenset(
    {"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "InternalError", "ServiceUnavailable"}
)


class S3Objects:
    """Objects of any bucket the client can see.

    Args:
        client: boto3 S3 client; it sends again what was not answered.
        request: Bytes asked for in one GET.
        block: Bytes handed on at once.
        retry: How often an answer that broke off is asked for again, without a byte in between.
    """

    def __init__(
        self,
        client: S3Reader,
        *,
        request: int = REQUEST,
        block: int = BLOCK,
        retry: RetryPolicy = TORN,
        sleep: Callable[[float], None] = time.sleep,
        rng: Random | None = None,
    ) -> None:
        self._client = client
        self._request = request
        self._block = block
        self._retry, self._sleep, self._rng = retry, sleep, rng or Random()

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
        tries = 0
        while start < end:
            before, stop = start, min(end, start + self._request)
            with closing(self._body(uri, etag, start, stop)) as body:
                try:
                    while start < stop and (block := body.read(min(self._block, stop - start))):
                        start += len(block)
                        yield block
                    torn = f"the answer ended at byte {start}" if start < stop else ""
                except BotoCoreError as error:
                    torn = str(error)
            if torn:
                # It goes on behind the last byte that came.
                tries = 1 if start > before else tries + 1
                self._pause(tries, f"{uri}: {torn}")

    def _body(self, uri: str, etag: str, start: int, stop: int) -> Any:
        bucket, key = split(uri)
        try:
            span = f"bytes={start}-{stop - 1}"
            return self._client.get_object(Bucket=bucket, Key=key, Range=span, IfMatch=etag)["Body"]
        except (ClientError, BotoCoreError) as error:
            raise _translated(uri, error, SourceChanged) from error

    def _pause(self, tries: int, torn: str) -> None:
        delay = self._retry.delay(tries, self._rng)
        if delay is None:
            raise TransientFailure(torn)
        self._sleep(delay)

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
