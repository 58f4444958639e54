"""InMemorySource: dump files as lists of records, one a line, with faults; and the contract of such
records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from ingest_project.core.errors import BadInput, SourceChanged
from ingest_project.core.model import (
    Admitted,
    Chunk,
    Fault,
    FileIndex,
    Mark,
    Position,
    RecordBatch,
    Rejection,
    SourceFile,
)
from ingest_project.testing.samples import key_hash


@dataclass(slots=True)
class _File:
    records: list[bytes]
    offsets: list[int]
    broken: bool
    etag: str

    @property
    def end(self) -> int:
        return self.offsets[-1]

    @property
    def fault(self) -> Fault | None:
        return Fault(offset=self.end, expected="a record") if self.broken else None


class InMemorySource:
    """Source double. Its token is the record's number in the file, so that tests see it is used.

    Args:
        batch: Records of a RecordBatch.
        gap: Records between marks.
    """

    def __init__(self, *, batch: int = 3, gap: int = 2) -> None:
        self._batch, self._gap = batch, gap
        self._files: dict[str, _File] = {}
        self.reads: list[Position] = []

    def put(self, uri: str, records: Sequence[bytes], *, broken: bool = False) -> SourceFile:
        """Store a file in place of what is there; ``broken``: it goes on with something unreadable."""
        offsets = [0]
        for record in records:
            offsets.append(offsets[-1] + len(record) + 1)
        text = b"\n".join(records) + (b"\n?" if broken else b"")
        etag = sha256(text).hexdigest()[:8]
        self._files[uri] = _File(list(records), offsets, broken, etag)
        return SourceFile(uri=uri, etag=etag, size=len(text), modified=datetime(2026, 1, 1, tzinfo=UTC))

    def index(self, file: SourceFile) -> FileIndex:
        stored = self._stored(file.uri, file.etag)
        count = len(stored.records)
        return FileIndex(
            file=file,
            shape="lines",
            compression="",
            length=stored.end,
            records=count,
            marks=tuple(
                Mark(offset=stored.offsets[number], records=number) for number in range(0, count, self._gap)
            ),
            end=stored.end,
            fingerprint=sha256(b"\n".join(stored.records)).hexdigest(),
            fault=stored.fault,
        )

    def read(self, chunk: Chunk, after: Position) -> Iterator[RecordBatch]:
        self.reads.append(after)
        span = chunk.range
        stored = self._stored(span.uri, span.etag)
        first = stored.offsets.index(span.start)
        at = int(after.token) if after.token else first + after.ordinal
        end = stored.offsets.index(span.end)
        while at < end:
            stop = min(at + self._batch, end)
            yield RecordBatch(
                first=at - first,
                raws=stored.records[at:stop],
                offsets=stored.offsets[at:stop],
                after=Position(stop - first, str(stop)),
            )
            at = stop
        if chunk.fault is not None:
            raise BadInput(uri=span.uri, offset=chunk.fault.offset, expected=chunk.fault.expected)

    def _stored(self, uri: str, etag: str) -> _File:
        stored = self._files[uri]
        if stored.etag != etag:
            raise SourceChanged(f"{uri} is no longer {etag}")
        return stored


class EqualsAdmission:
    """Contract double: ``key=value`` is good, everything else is refused; the line is the record."""

    def __call__(self, batch: RecordBatch) -> Admitted:
        good = [at for at, raw in enumerate(batch.raws) if b"=" in raw]
        return Admitted(
            lines=[bytes(batch.raws[at]) for at in good],
            hashes=[key_hash(bytes(batch.raws[at]).partition(b"=")[0]) for at in good],
            offsets=[batch.offsets[at] for at in good],
            rejections=[
                Rejection(
                    ordinal=batch.first + at,
                    offset=batch.offsets[at],
                    reason="no equals sign",
                    raw=bytes(raw),
                )
                for at, raw in enumerate(batch.raws)
                if b"=" not in raw
            ],
        )
