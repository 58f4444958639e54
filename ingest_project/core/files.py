"""Words for files and the places in them; part of core.model, where they are imported from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One complete file of a dump: where it is and which bytes it has.

    Attributes:
        uri: ``file:///...`` or ``s3://bucket/key``.
        etag: Identity of the bytes as the store tells it (S3 ETag; size and mtime for a local file).
        size: Stored bytes (compressed, when the file is).
        modified: When the store saw it last change, aware UTC.
    """

    uri: str
    etag: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRange:
    """Half-open bytes [start, end) of a file, counted in its decompressed stream; both ends are record
    borders."""

    uri: str
    etag: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The byte at which a file stops being what it must be. ``end`` of a range never passes it."""

    offset: int
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A record start: byte offset in the decompressed stream and the number of records before it in the
    file."""

    offset: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIndex:
    """What one streaming pass learned of a file; enough to cut it without reading it again.

    Attributes:
        shape: ``array``, ``wrapper:<key>``, ``object``, ``lines`` (JSON lines and concatenated pages),
            ``export``, or ``csv:`` and how its rows are read.
        compression: ``""``, ``"gzip"``, ``"zstd"`` or, of a workbook, ``"xlsx"``.
        length: Bytes of the decompressed stream up to its end or its fault.
        records: Records before the end or the fault.
        marks: Record starts about each MiB, ascending, the first record's included. Bounded: a longer file
            gets
            wider gaps, never more than 4096 marks.
        end: Offset after the last record.
        fingerprint: Hash of the stored bytes, its kind's name before it; no proof against forgery.
        metadata: Top-level keys beside the items (``Count`` ...), values as JSON text, at most 64 KiB
            together.
        fault: Where the file is broken, when it is.
    """

    file: SourceFile
    shape: str
    compression: str
    length: int
    records: int
    marks: tuple[Mark, ...]
    end: int
    fingerprint: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySchema:
    """Primary key of the target: attribute names with DynamoDB types, partition key first. 1 or 2 parts."""

    parts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return ",".join(f"{name}:{kind}" for name, kind in self.parts)
