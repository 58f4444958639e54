"""InMemoryLedger: the ledger's rules in plain Python, as a double and as their readable definition.

Forgets everything with the process; a dry run uses it for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from ingest_project.core.errors import ChunkBusy, CountLost, LeaseLost, PlanDrift
from ingest_project.core.model import Chunk, Claim, Counts, Position, Rejection, Work, WorkStatus


@dataclass(slots=True, kw_only=True)
class _Row:
    chunk: Chunk
    stage: str
    fingerprint: str
    identity: str
    epoch: int = 0
    owner: str = ""
    until: float = 0.0
    horizon: int = 0
    position: Position = field(default_factory=Position)
    counts: Counts = field(default_factory=Counts)
    state: str = "open"
    reason: str = ""
    seconds: float = 0.0
    rejections: dict[int, Rejection] = field(default_factory=dict)

    def live(self, now: float) -> bool:
        return self.state == "claimed" and self.until > now


class InMemoryLedger:
    """Ledger double with the rules of ports.Ledger; thread-safe, as the loader advances from a thread.

    Args:
        clock: Seconds that leases are measured in.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._rows: dict[tuple[str, str], _Row] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._validated: dict[str, int] = {}

    def claim(self, work: Work, *, owner: str, lease: float) -> Claim:
        with self._lock:
            row = self._row(work)
            now = self._clock()
            if row.live(now) and row.owner != owner:
                raise ChunkBusy(f"chunk {work.chunk.id} is claimed by {row.owner}")
            if row.identity != work.identity:
                row = self._fresh(work, epoch=row.epoch)
            if row.state == "sealed":
                return self._claim_of(row, work)
            if work.stage != "validated":
                self._check_order(work, now)
            row.epoch, row.owner, row.until = row.epoch + 1, owner, now + lease
            row.state, row.reason, row.horizon = "claimed", "", work.horizon
            self._rows[work.chunk.id, work.stage] = row
            return self._claim_of(row, work)

    def advance(
        self,
        claim: Claim,
        position: Position,
        counts: Counts,
        rejections: Iterable[Rejection],
        *,
        lease: float,
    ) -> None:
        with self._lock:
            row = self._held(claim)
            row.rejections.update((rejection.ordinal, rejection) for rejection in rejections)
            row.position, row.counts = position, row.counts + counts
            row.until = self._clock() + lease

    def seal(self, claim: Claim, *, seconds: float) -> None:
        with self._lock:
            row = self._held(claim)
            if not row.counts.balanced:
                raise CountLost(f"chunk {row.chunk.id} does not add up: {row.counts}")
            planned = row.chunk.records
            if row.stage == "validated" and row.chunk.fault is None and row.counts.sent != planned:
                raise CountLost(f"chunk {row.chunk.id}: {planned} records planned, {row.counts.sent} read")
            self._end(row, "sealed", "", seconds)

    def fail(self, claim: Claim, reason: str, *, seconds: float) -> None:
        with self._lock:
            self._end(self._held(claim), "failed", reason, seconds)

    def release(self, claim: Claim, reason: str) -> None:
        with self._lock:
            row = self._rows.get((claim.work.chunk.id, claim.work.stage))
            if row is not None and row.epoch == claim.epoch and row.state == "claimed":
                row.state, row.owner, row.until, row.reason = "open", "", 0.0, reason

    def horizon(self, entity: str, target: str) -> int:
        with self._lock:
            return self._numbers.get((entity, target), 0)

    def status(self, entity: str | None = None, date: str | None = None) -> Sequence[WorkStatus]:
        with self._lock:
            return tuple(
                _status(row)
                for row in self._rows.values()
                if entity in (None, row.chunk.entity) and date in (None, row.chunk.date)
            )

    def rejections(self, chunk: Chunk, stage: str) -> Sequence[Rejection]:
        """Stored dead letters of one chunk and stage, by ordinal."""
        with self._lock:
            row = self._rows.get((chunk.id, stage))
            return tuple(row.rejections[ordinal] for ordinal in sorted(row.rejections)) if row else ()

    def position(self, chunk: Chunk, stage: str) -> Position:
        """The durable position, for tests that look behind a kill."""
        with self._lock:
            return self._rows[chunk.id, stage].position

    def _row(self, work: Work) -> _Row:
        row = self._rows.get((work.chunk.id, work.stage))
        if row is None:
            return self._fresh(work, epoch=0)
        if row.fingerprint != work.chunk.fingerprint:
            raise PlanDrift(f"chunk {work.chunk.id} of {work.chunk.range.uri} was planned with other bytes")
        return row

    def _fresh(self, work: Work, *, epoch: int) -> _Row:
        chunk = work.chunk
        return _Row(
            chunk=chunk, stage=work.stage, fingerprint=chunk.fingerprint, identity=work.identity, epoch=epoch
        )

    def _claim_of(self, row: _Row, work: Work) -> Claim:
        return Claim(
            work=work,
            owner=row.owner,
            epoch=row.epoch,
            position=row.position,
            counts=row.counts,
            sealed=row.state == "sealed",
        )

    def _check_order(self, work: Work, now: float) -> None:
        """Law 11 across chunks: nobody writes a record that a chunk later in order may have replaced."""
        chunk = work.chunk
        number = self._validated.get(chunk.id, 0)
        for row in self._rows.values():
            other = row.chunk
            if row.stage != work.stage or (other.entity, other.target) != (chunk.entity, chunk.target):
                continue
            if other.id == chunk.id:
                continue
            if other.order <= chunk.order and row.live(now) and row.horizon < number:
                raise ChunkBusy(f"chunk {other.id}, earlier in order, is still writing to {chunk.target}")
            if other.order >= chunk.order and self._validated.get(other.id, 0) > work.horizon:
                raise ChunkBusy(
                    f"the losers of chunk {chunk.id} were named before chunk {other.id} was known"
                )

    def _held(self, claim: Claim) -> _Row:
        row = self._rows.get((claim.work.chunk.id, claim.work.stage))
        if row is None or row.epoch != claim.epoch or not row.live(self._clock()):
            raise LeaseLost(f"{claim.owner} no longer holds chunk {claim.work.chunk.id}")
        return row

    def _end(self, row: _Row, state: str, reason: str, seconds: float) -> None:
        row.state, row.reason, row.owner, row.until = state, reason, "", 0.0
        row.seconds += seconds
        if row.stage == "validated":
            key = (row.chunk.entity, row.chunk.target)
            self._numbers[key] = self._numbers.get(key, 0) + 1
            self._validated[row.chunk.id] = self._numbers[key]


def _status(row: _Row) -> WorkStatus:
    chunk = row.chunk
    return WorkStatus(
        entity=chunk.entity,
        stage=row.stage,
        date=chunk.date,
        slot=chunk.slot,
        target=chunk.target,
        chunk_id=chunk.id,
        uri=chunk.range.uri,
        state=row.state,
        counts=row.counts,
        records=chunk.records,
        seconds=row.seconds,
        reason=row.reason,
    )
