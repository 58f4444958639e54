"""Helpers of the dump tests: write a file, index it, make the chunks that planning would make, read them."""

from __future__ import annotations

from pathlib import Path

from ingest_project.core.errors import BadInput
from ingest_project.core.model import Chunk, FileIndex, FileRange, KeySchema, Position
from ingest_project.sources.dumps import DumpSource, list_files


def indexed(path: Path, data: bytes | None = None, source: DumpSource | None = None) -> FileIndex:
    if data is not None:
        path.write_bytes(data)
    return (source or DumpSource()).index(list_files(str(path))[0])


def chunk_of(index: FileIndex, low: int = 0, high: int | None = None) -> Chunk:
    """The chunk from mark ``low`` to mark ``high``, to the file's end for None."""
    marks = index.marks
    start = marks[low] if marks else None
    last = high is None or high >= len(marks)
    end = index.end if last or high is None else marks[high].offset
    until = index.records if last or high is None else marks[high].records
    return Chunk(
        entity="messages",
        date="2026-01-01",
        slot=0,
        target="messages",
        keys=KeySchema(parts=(("id", "S"),)),
        range=FileRange(
            uri=index.file.uri, etag=index.file.etag, start=start.offset if start else 0, end=end
        ),
        shape=index.shape,
        compression=index.compression,
        records=until - (start.records if start else 0),
        fault=index.fault if last else None,
    )


def records(
    chunk: Chunk, after: Position | None = None, source: DumpSource | None = None
) -> tuple[list[tuple[int, bytes]], BadInput | None]:
    """Offset and bytes of each record, and the fault that ended the reading."""
    found: list[tuple[int, bytes]] = []
    try:
        for batch in (source or DumpSource()).read(chunk, after or Position()):
            assert len(batch.raws) == len(batch.offsets)
            assert batch.after.ordinal == batch.first + len(batch.raws)
            found += zip(batch.offsets, map(bytes, batch.raws), strict=True)
    except BadInput as fault:
        return found, fault
    return found, None
