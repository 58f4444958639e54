"""Doubles of a process that can die: a ledger and a part store that fail with it, at a scripted call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ingest_project.core.model import (
    Chunk,
    Claim,
    Counts,
    PartInfo,
    Position,
    Rejection,
    Work,
    WorkStatus,
)
from ingest_project.core.ports import Ledger, PartDraft, PartStore
from ingest_project.testing.faults import KillPoint


class MortalLedger:
    """A ledger as one process sees it: claims, advances, seals and fails count as passages of the kill
    point."""

    def __init__(self, ledger: Ledger, kill: KillPoint) -> None:
        self._ledger, self._kill = ledger, kill

    def claim(self, work: Work, *, owner: str, lease: float) -> Claim:
        self._kill.before_effect()
        claim = self._ledger.claim(work, owner=owner, lease=lease)
        self._kill.behind_effect()
        return claim

    def advance(
        self,
        claim: Claim,
        position: Position,
        counts: Counts,
        rejections: Iterable[Rejection],
        *,
        lease: float,
    ) -> None:
        self._kill.before_effect()
        self._ledger.advance(claim, position, counts, rejections, lease=lease)
        self._kill.behind_effect()

    def seal(self, claim: Claim, *, seconds: float) -> None:
        self._kill.before_effect()
        self._ledger.seal(claim, seconds=seconds)
        self._kill.behind_effect()

    def fail(self, claim: Claim, reason: str, *, seconds: float) -> None:
        self._kill.before_effect()
        self._ledger.fail(claim, reason, seconds=seconds)
        self._kill.behind_effect()

    def release(self, claim: Claim, reason: str) -> None:
        self._kill.before_effect()
        self._ledger.release(claim, reason)
        self._kill.behind_effect()

    def horizon(self, entity: str, target: str) -> int:
        self._kill.life.check()
        return self._ledger.horizon(entity, target)

    def status(self, entity: str | None = None, date: str | None = None) -> Sequence[WorkStatus]:
        self._kill.life.check()
        return self._ledger.status(entity, date)


class MortalPartStore:
    """A part store as one process sees it: writes and publications count as passages of the kill point."""

    def __init__(self, store: PartStore, kill: KillPoint) -> None:
        self._store, self._kill = store, kill

    @property
    def identity(self) -> str:
        return self._store.identity

    def draft(self) -> PartDraft:
        return self._store.draft()

    def write(
        self, chunk: Chunk, info: PartInfo, data: bytes, hashes: Sequence[bytes], offsets: Sequence[int]
    ) -> int:
        self._kill.before_effect()
        stored = self._store.write(chunk, info, data, hashes, offsets)
        self._kill.behind_effect()
        return stored

    def publish(self, chunk: Chunk, parts: Sequence[PartInfo]) -> None:
        self._kill.before_effect()
        self._store.publish(chunk, parts)
        self._kill.behind_effect()

    def parts(self, chunk: Chunk) -> Sequence[PartInfo]:
        return self._store.parts(chunk)

    def lines(self, chunk: Chunk, info: PartInfo) -> Iterator[Sequence[bytes]]:
        return self._store.lines(chunk, info)

    def offset(self, chunk: Chunk, info: PartInfo, ordinal: int) -> int:
        return self._store.offset(chunk, info, ordinal)

    def key_entries(self, chunk: Chunk, info: PartInfo) -> Iterator[bytes]:
        return self._store.key_entries(chunk, info)
