"""Objects in an S3 bucket, and what its errors mean to the engine. Knows nothing of parts or plans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from ingest_project.core.errors import (
    ConfigurationError,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KEYS_PER_DELETE = 1000
READS = 4
"""Answers in a row that may break off."""

_THROTTLES = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "503"})
_PASSING = frozenset(
    {"RequestTimeout", "RequestTimeTooSkewed", "OperationAborted", "ConditionalRequestConflict"}
)


class BucketObjects:
    """sinks.objects.Objects in a bucket. boto checks sums on the way in and, of whole objects, out.

    Args:
        client: boto3 S3 client; at most one connection is in use a thread, none between calls.
        prefix: Folder in the bucket, without slashes at its ends; may be empty.
    """

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def __repr__(self) -> str:
        return f"BucketObjects({self.name!r})"

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._root}".rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        with translated(f"{self.name}/{key}"):
            self._client.put_object(Bucket=self._bucket, Key=self._root + key, Body=data)

    def create(self, key: str, data: bytes) -> bool:
        with translated(f"{self.name}/{key}"):
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._root + key, Body=data, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) in ("PreconditionFailed", "412"):
                    return False
                raise
            return True

    def get(self, key: str) -> bytes | None:
        with translated(f"{self.name}/{key}"):
            try:
                return self._read(key, {})[0]
            except ClientError as error:
                if _code(error) in ("NoSuchKey", "404"):
                    return None
                raise

    def piece(self, key: str, start: int, end: int, version: str) -> tuple[bytes, str]:
        asked: Any = {"Range": f"bytes={start}-{end - 1}"}
        if version:
            asked["IfMatch"] = version
        with translated(f"{self.name}/{key}"):
            try:
                return self._read(key, asked)
            except ClientError as error:
                if _code(error) in ("InvalidRange", "416"):
                    return b"", version
                if _code(error) in ("PreconditionFailed", "412"):
                    raise TransientFailure(f"{self.name}/{key}: written anew while it was read") from error
                raise

    def _read(self, key: str, asked: Any) -> tuple[bytes, str]:
        """One whole answer and its ETag; one that breaks off is asked for again."""
        broken = 0
        while True:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._root + key, **asked)
            try:
                # As a context manager of its own a body hands out the stream below, with errors of that one.
                with closing(answer["Body"]) as body:
                    return body.read(), answer["ETag"]
            except BotoCoreError:
                broken += 1
                if broken >= READS:
                    raise

    def children(self, prefix: str) -> Iterator[str]:
        where = self._root + prefix
        with translated(f"{self.name}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=where, Delimiter="/"
            )
            for page in pages:
                names = [folder["Prefix"] for folder in page.get("CommonPrefixes", [])]
                names += [entry["Key"] for entry in page.get("Contents", [])]
                yield from sorted(name.removeprefix(where).rstrip("/") for name in names)

    def remove(self, prefix: str, first: str) -> None:
        where = self._root + prefix
        with translated(f"{self.name}/{prefix}"):
            self._client.delete_object(Bucket=self._bucket, Key=where + first)
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=where)
            self._delete(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def delete(self, keys: Iterable[str]) -> None:
        with translated(self.name):
            self._delete(self._root + key for key in keys)

    def _delete(self, keys: Iterator[str]) -> None:
        while some := list(islice(keys, KEYS_PER_DELETE)):
            doomed: Any = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            failed = self._client.delete_objects(Bucket=self._bucket, Delete=doomed).get("Errors", [])
            if failed:
                raise TransientFailure(f"{self.name}: {len(failed)} objects not deleted: {failed[0]}")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Errors of boto as errors by consequence, the original chained.

    Raises:
        TargetMissing: The bucket or the object does not exist.
        ConfigurationError: There are no credentials.
        PermanentFailure: The store refuses: rights, signature, malformed request.
        TransientFailure: It does not answer, is overloaded (Throttled), or broke off.
    """
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise ConfigurationError(f"{what}: {error}") from error
    except ClientError as error:
        raise _consequence(what, error) from error
    except BotoCoreError as error:
        raise TransientFailure(f"{what}: {error}") from error


def _consequence(what: str, error: ClientError) -> Exception:
    code = _code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"{what}: {error}"
    if code in ("NoSuchKey", "NoSuchBucket", "404"):
        return TargetMissing(message)
    if code in _THROTTLES or status == 429:
        return Throttled(message)
    if code in _PASSING or status >= 500:
        return TransientFailure(message)
    return PermanentFailure(message)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
