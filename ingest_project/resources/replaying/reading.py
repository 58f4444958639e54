"""How a replay's chunk is read: its records from the ledger, its contract that of the chunk they are from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import (
    Admitted,
    Chunk,
    FileIndex,
    Position,
    RecordBatch,
    Rejection,
    SourceFile,
)
from ingest_project.core.ports import Admission, Source
from ingest_project.core.replaying import LINE, replayed
from ingest_project.formats.admission import ItemAdmission
from ingest_project.ledgers.replays import Replays

AdmissionOf = Callable[[Chunk], Admission]


def reading_of(
    spec: EntitySpec, source: Source, replays: Replays, chunk: Chunk
) -> tuple[Source, AdmissionOf]:
    """Source and contract of a chunk, be it one of a file or a replay."""
    found = replayed(chunk)
    if not found.number:
        return source, spec.admission
    reader = ReplayReader(source, replays, found.number)
    return reader, lambda chunk: reader.admission(contract_of(spec, chunk, found.form))


def contract_of(spec: EntitySpec, chunk: Chunk, form: str) -> Admission:
    """What decides about records of the chunk that are given in this form."""
    return ItemAdmission(chunk.keys) if form == LINE else spec.admission(chunk)


class ReplayReader:
    """core.ports.Source of one replay. The contract is shown each record where it stood in its file's chunk,
    as it may say so in its reasons.

    Memory: a page of the ledger's records.
    """

    def __init__(self, files: Source, replays: Replays, number: int) -> None:
        self._files, self._replays, self._number = files, replays, number
        self._places: Sequence[int] = ()

    def index(self, file: SourceFile) -> FileIndex:
        """Of a file; a replay is never indexed."""
        return self._files.index(file)

    def read(self, chunk: Chunk, after: Position) -> Iterator[RecordBatch]:
        """See core.ports.Source."""
        for page in self._replays.records(self._number, after.ordinal):
            self._places = [record.place for record in page]
            yield RecordBatch(
                first=page[0].ordinal,
                raws=[record.raw for record in page],
                offsets=[record.offset for record in page],
                after=Position(page[-1].ordinal + 1),
            )

    def admission(self, inner: Admission) -> Admission:
        """The contract for the batch that was read last."""

        def admit(batch: RecordBatch) -> Admitted:
            return _joined(
                [
                    admit_one(inner, place, offset, bytes(raw), ordinal=batch.first + at)
                    for at, (place, offset, raw) in enumerate(
                        zip(self._places, batch.offsets, batch.raws, strict=True)
                    )
                ]
            )

        return admit


def admit_one(inner: Admission, place: int, offset: int, raw: bytes, *, ordinal: int) -> Admitted:
    """What the contract says to one record; a rejection bears ``ordinal``."""
    found = inner(RecordBatch(first=place, raws=[raw], offsets=[offset], after=Position(place + 1)))
    again = [
        Rejection(ordinal=ordinal, offset=letter.offset, reason=letter.reason, raw=letter.raw, key=letter.key)
        for letter in found.rejections
    ]
    return Admitted(lines=found.lines, hashes=found.hashes, offsets=found.offsets, rejections=again)


def _joined(some: Sequence[Admitted]) -> Admitted:
    return Admitted(
        lines=[line for one in some for line in one.lines],
        hashes=[digest for one in some for digest in one.hashes],
        offsets=[offset for one in some for offset in one.offsets],
        rejections=[letter for one in some for letter in one.rejections],
    )
