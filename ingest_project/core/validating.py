"""Validator: reads a chunk, lets the contract decide, stores good records as parts and bad ones as
rejections.

Knows no format and no store; resumes behind the last part that the ledger knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingest_project.core.errors import BadInput, CountLost, LeaseLost, PermanentFailure, SourceChanged
from ingest_project.core.loading import LoadResult
from ingest_project.core.model import (
    Admitted,
    Chunk,
    Claim,
    Counts,
    PartInfo,
    Position,
    RecordBatch,
    Rejection,
    Work,
)
from ingest_project.core.ports import Admission, Clock, Ledger, PartDraft, PartStore, Progress, Source
from ingest_project.core.pressure import MemoryWatch

STAGE = "validated"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatorSettings:
    """How parts are cut. A part is complete at the first batch of records that reaches one of these.

    Memory: one part's draft, hashes and offsets (compressed lines, some 150 bytes a record beside them), the
    rejections that came up meanwhile, and one batch of the source.

    Attributes:
        part_bytes: Bytes of lines.
        part_records: Lines.
        letter_bytes: Bytes of rejections.
        lease: Seconds of a claim; renewed with each part, and in between after a third of it.
    """

    part_bytes: int = 16 << 20
    part_records: int = 65_536
    letter_bytes: int = 4 << 20
    lease: float = 60.0


class Validator:
    """Takes chunks through the ``validated`` stage, one at a time.

    Args:
        admission: Chunk -> its contract.
        memory: Under pressure parts are smaller; in a pause nothing is read.
    """

    def __init__(
        self,
        *,
        source: Source,
        admission: Callable[[Chunk], Admission],
        parts: PartStore,
        ledger: Ledger,
        clock: Clock,
        settings: ValidatorSettings | None = None,
        memory: MemoryWatch | None = None,
    ) -> None:
        self._source, self._admission, self._parts = source, admission, parts
        self._ledger, self._clock, self._memory = ledger, clock, memory or MemoryWatch()
        self._settings = settings or ValidatorSettings()

    def validate(self, chunk: Chunk, owner: str, progress: Progress | None = None) -> LoadResult:
        """Validate one chunk from where the ledger says to its end, and publish its parts.

        A chunk whose input is broken does not raise: its result is not sealed and says why. On BadInput what
        stood before the fault is published; of a file that changed (SourceChanged) nothing is.

        Raises:
            ChunkBusy, PlanDrift: From the claim.
            TransientFailure: The chunk is released.
            LeaseLost: Another owner has the chunk.
            PermanentFailure, CountLost: The chunk is marked failed.
        """
        started = self._clock()
        work = Work(chunk=chunk, stage=STAGE, identity=self._parts.identity)
        claim = self._ledger.claim(work, owner=owner, lease=self._settings.lease)
        if claim.sealed:
            return LoadResult(
                work=work, counts=claim.counts, new=Counts(), seconds=0.0, sealed=True, replayed=True
            )
        desk = _Desk(
            self._parts, self._ledger, self._clock, self._settings, self._memory, claim, progress, started
        )
        fault = self._run(chunk, claim, desk, started)
        return LoadResult(
            work=work,
            counts=claim.counts + desk.new,
            new=desk.new,
            seconds=self._clock() - started,
            sealed=fault is None,
            reason="" if fault is None else str(fault),
        )

    def _run(
        self, chunk: Chunk, claim: Claim, desk: _Desk, started: float
    ) -> BadInput | SourceChanged | None:
        try:
            fault = self._read(chunk, desk)
            if fault is None or isinstance(fault, BadInput):
                desk.close()
                desk.renew()
                self._parts.publish(chunk, desk.infos)
        except BaseException as error:
            self._give_up(claim, error, started)
            raise
        seconds = self._clock() - started
        if fault is None:
            self._ledger.seal(claim, seconds=seconds)
        else:
            self._ledger.fail(claim, str(fault), seconds=seconds)
        return fault

    def _read(self, chunk: Chunk, desk: _Desk) -> BadInput | SourceChanged | None:
        """Everything the source has, over the desk; the fault of the input, if it ends with one."""
        admission = self._admission(chunk)
        try:
            for batch in self._source.read(chunk, desk.position):
                desk.take(batch, admission(batch))
                if not self._memory.look():
                    desk.pause()
        except (BadInput, SourceChanged) as fault:
            return fault
        return None

    def _give_up(self, claim: Claim, error: BaseException, started: float) -> None:
        reason = str(error) or type(error).__name__
        if isinstance(error, PermanentFailure | CountLost):
            self._ledger.fail(claim, reason, seconds=self._clock() - started)
        else:
            self._ledger.release(claim, reason)


@dataclass(slots=True)
class _Desk:
    """What lies between the last durable part and the reader: lines, rejections, and how far they reach.

    The token in the ledger is ``<records>.<bytes>,...|<source token>``: one pair for each part so far, as the
    manifest is stored only at the end. It grows by about 14 bytes for each 16 MiB of lines.

    Attributes:
        position: How far the reader came, in the source's words.
        infos: Parts that are stored and known to the ledger.
        new: What became durable under this claim.
    """

    parts: PartStore
    ledger: Ledger
    clock: Clock
    settings: ValidatorSettings
    memory: MemoryWatch
    claim: Claim
    progress: Progress | None
    renewed: float
    position: Position = field(init=False)
    infos: list[PartInfo] = field(init=False)
    new: Counts = field(default_factory=Counts)
    _draft: PartDraft = field(init=False)
    _hashes: list[bytes] = field(default_factory=list)
    _offsets: list[int] = field(default_factory=list)
    _rejections: list[Rejection] = field(default_factory=list)
    _size: int = 0
    _letters: int = 0
    _durable: Position = field(init=False)

    def __post_init__(self) -> None:
        self._durable = self.claim.position
        pairs, _, token = self._durable.token.partition("|")
        self.position = Position(self._durable.ordinal, token)
        self.infos = _infos(pairs)
        self._draft = self.parts.draft()

    def take(self, batch: RecordBatch, admitted: Admitted) -> None:
        """Lay one batch down; store a part when enough has come together."""
        count = len(admitted.lines)
        if batch.first != self.position.ordinal or batch.after.ordinal != batch.first + len(batch.raws):
            raise CountLost(f"the source jumps from record {self.position.ordinal} to {batch.first}")
        if count + len(admitted.rejections) != len(batch.raws) or not (
            count == len(admitted.hashes) == len(admitted.offsets)
        ):
            raise CountLost(f"{len(batch.raws)} records went into the contract, another number came out")
        self._draft.add(admitted.lines)
        self._hashes += admitted.hashes
        self._offsets += admitted.offsets
        self._rejections += admitted.rejections
        self._size += sum(map(len, admitted.lines))
        self._letters += sum(512 + len(letter.raw) for letter in admitted.rejections)
        self.position = batch.after
        self._store_if_enough()

    def close(self) -> None:
        """Store what is left."""
        if self.position.ordinal > self._durable.ordinal:
            self._store()

    def pause(self) -> None:
        """Hold nothing, and keep the claim, until memory is there again."""
        self.close()
        while not self.memory.look():
            self.memory.sleep(self.memory.policy.look)
            if self.clock() - self.renewed >= self.settings.lease / 3:
                self.renew()

    def renew(self) -> None:
        """Raises LeaseLost when another owner has the chunk."""
        self._advance(self._durable, Counts(), ())

    def _store_if_enough(self) -> None:
        settings, share = self.settings, self.memory.share
        full = len(self._draft) >= settings.part_records * share or self._letters >= settings.letter_bytes
        if full or self._size >= settings.part_bytes * share:
            self._store()
        elif self.clock() - self.renewed >= settings.lease / 3:
            self.renew()

    def _store(self) -> None:
        """Part first, then the ledger: killed in between, the next owner writes the same part again."""
        if self.clock() >= self.renewed + self.settings.lease:
            raise LeaseLost(f"{self.claim.owner} could not renew chunk {self.claim.work.chunk.id} in time")
        records = len(self._draft)
        if records:
            last = self.infos[-1] if self.infos else PartInfo(number=-1, first=0, records=0, bytes=0)
            first = last.first + last.records
            info = PartInfo(number=last.number + 1, first=first, records=records, bytes=self._size)
            data = self._draft.finish()
            self.parts.write(self.claim.work.chunk, info, data, self._hashes, self._offsets)
            self.infos.append(info)
        counts = Counts(
            sent=self.position.ordinal - self._durable.ordinal,
            written=records,
            rejected=len(self._rejections),
            bytes=self._size,
            requests=1 if records else 0,
        )
        pairs = ",".join(f"{info.records}.{info.bytes}" for info in self.infos)
        place = Position(self.position.ordinal, f"{pairs}|{self.position.token}")
        self._advance(place, counts, self._rejections)
        self._draft = self.parts.draft()
        self._hashes, self._offsets, self._rejections = [], [], []
        self._size = self._letters = 0

    def _advance(self, place: Position, counts: Counts, rejections: Sequence[Rejection]) -> None:
        asked = self.clock()
        self.ledger.advance(self.claim, place, counts, rejections, lease=self.settings.lease)
        self._durable, self.renewed, self.new = place, asked, self.new + counts
        if self.progress is not None:
            work = self.claim.work
            self.progress(work.stage, work.chunk, place.ordinal, self.claim.counts + self.new)


def _infos(pairs: str) -> list[PartInfo]:
    """The parts that a token names."""
    infos: list[PartInfo] = []
    first = 0
    for number, pair in enumerate(pairs.split(",") if pairs else ()):
        records, _, size = pair.partition(".")
        infos.append(PartInfo(number=number, first=first, records=int(records), bytes=int(size)))
        first += int(records)
    return infos
