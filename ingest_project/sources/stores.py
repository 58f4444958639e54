"""Stores: where files lie, seen as blocks of bytes. What DumpSource needs of a file system or of S3."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, Protocol

from ingest_project.core.model import SourceFile

BLOCK = 64 << 10
"""Bytes of one block: small enough that its copies stay in a core's cache (a third faster than 1 MiB)."""


class Store(Protocol):
    """One kind of place. Every method is stateless; nothing is written."""

    def stat(self, uri: str) -> SourceFile:
        """The file as it is now. Raises TargetMissing."""
        ...

    def files(self, uri: str, *, recursive: bool) -> Iterator[SourceFile]:
        """The file itself, or the files of a folder or prefix without the hidden ones; in any order.

        Raises:
            TargetMissing: There is neither.
        """
        ...

    def blocks(self, uri: str, etag: str, start: int, end: int) -> Generator[bytes, None, None]:
        """Stored bytes [start, end).

        Raises:
            SourceChanged: The file is gone or has another etag, seen before, while or after it was read.
            TransientFailure: The store did not answer.
        """
        ...


class S3Reader(Protocol):
    """The three calls of boto3's S3 client that reading takes."""

    def head_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]: ...

    def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str) -> Mapping[str, Any]: ...

    def list_objects_v2(self, *, Bucket: str, Prefix: str, StartAfter: str) -> Mapping[str, Any]: ...
