"""InMemoryDocumentLedger: a document ledger over dictionaries, as one process that may die sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ingest_project.core.document_ledger import DocumentClaim, Enrolled, Settlement, Standing
from ingest_project.core.documents import PENDING, Bucket, Document, Done, Mark, Parked
from ingest_project.testing.faults import KillPoint, Life

Key = tuple[str, str]


@dataclass(slots=True)
class _Row:
    """A stage of one document."""

    mark: Mark | None = None
    parked: tuple[str, Parked] | None = None
    delayed: str = ""
    owner: str = ""
    epoch: int = 0
    leased_until: float = 0.0


@dataclass(slots=True)
class DocumentMemory:
    """What outlives a process.

    Attributes:
        states: (collection, id) -> state.
        settled: (id, stage) -> how often it was settled.
    """

    documents: dict[Key, Document] = field(default_factory=dict)
    rows: dict[tuple[str, str, str], _Row] = field(default_factory=dict)
    states: dict[Key, str] = field(default_factory=dict)
    settled: dict[Key, int] = field(default_factory=dict)


class InMemoryDocumentLedger:
    """DocumentLedger double.

    Args:
        memory: Shared by the processes that use one ledger.
        kill: Passed by everything that writes.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        memory: DocumentMemory | None = None,
        kill: KillPoint | None = None,
    ) -> None:
        self._clock, self.memory = clock, memory or DocumentMemory()
        self._kill = kill or KillPoint(Life())

    def enroll(self, listed: Sequence[Document]) -> Enrolled:
        with self._passing():
            found = Enrolled()
            for one in listed:
                key, fresh = (one.bucket.collection, one.id), replace(one, marks={})
                known = self.memory.documents.get(key)
                if known == fresh:
                    found += Enrolled(unchanged=1)
                    continue
                self.memory.documents[key], self.memory.states[key] = fresh, PENDING
                found += Enrolled(new=1) if known is None else Enrolled(changed=1)
            return found

    def reopen(self, collection: str, stage: str, ids: Sequence[str]) -> int:
        with self._passing():
            count = 0
            for id in ids:
                row = self._row(collection, id, stage)
                if row.mark is not None and not self._live(row):
                    row.mark, row.epoch, count = None, row.epoch + 1, count + 1
                    self.memory.states[collection, id] = PENDING
            return count

    def size(self, bucket: Bucket) -> int:
        self._kill.life.check()
        return sum(one.bucket == bucket for one in self.memory.documents.values())

    def page(
        self, bucket: Bucket, stage: str, before: Sequence[str], *, after: str = "", limit: int = 1000
    ) -> Sequence[Standing]:
        self._kill.life.check()
        mine = sorted(
            id for (_, id), one in self.memory.documents.items() if one.bucket == bucket and id > after
        )
        return [self.standing(bucket.collection, id, stage, before) for id in mine[:limit]]

    def standing(self, collection: str, id: str, stage: str, before: Sequence[str] = ()) -> Standing:
        """One document as the stage finds it."""
        row, document = self._row(collection, id, stage), self.memory.documents[collection, id]
        marks = {name: self._row(collection, id, name).mark for name in (*before, stage)}
        parked = row.parked or ("", Parked(cause="", detail=""))
        return Standing(
            document=replace(
                document, marks={name: mark for name, mark in marks.items() if mark is not None}
            ),
            state=self.memory.states[collection, id],
            epoch=row.epoch,
            parked=parked[0],
            cause=parked[1].cause,
            held=self._live(row),
        )

    def claim(
        self, stage: str, found: Sequence[Standing], *, owner: str, lease: float, state: str
    ) -> Sequence[DocumentClaim]:
        with self._passing():
            claims = []
            for one in found:
                collection, id = one.document.bucket.collection, one.document.id
                row = self._row(collection, id, stage)
                live = self._live(row)
                taken = (row.owner, row.epoch) == (owner, one.epoch + 1) if live else row.epoch == one.epoch
                if not taken:
                    continue
                row.owner, row.epoch, row.leased_until = owner, one.epoch + 1, self._clock() + lease
                self.memory.states[collection, id] = state or self.memory.states[collection, id]
                claims.append(DocumentClaim(document=one.document, stage=stage, owner=owner, epoch=row.epoch))
            return claims

    def renew(self, claims: Sequence[DocumentClaim], *, lease: float) -> None:
        with self._passing():
            for claim in claims:
                row = self._of(claim)
                if self._holds(row, claim) and self._live(row):
                    row.leased_until = self._clock() + lease

    def settle(self, ended: Sequence[Settlement]) -> Sequence[str]:
        with self._passing():
            lost = []
            for one in ended:
                row, claim = self._of(one.claim), one.claim
                again = row.owner == "" and row.epoch == claim.epoch
                if not again and not (self._holds(row, claim) and self._live(row)):
                    lost.append(claim.document.id)
                    continue
                key = claim.document.bucket.collection, claim.document.id
                self._store(row, one)
                self.memory.states[key] = one.state or self.memory.states[key]
                counted = claim.document.id, claim.stage
                self.memory.settled[counted] = self.memory.settled.get(counted, 0) + 1
            return sorted(lost)

    def restate(self, collection: str, ids: Sequence[str], state: str) -> None:
        with self._passing():
            self.memory.states.update({(collection, id): state for id in ids})

    def release(self, claims: Sequence[DocumentClaim]) -> None:
        with self._passing():
            for claim in claims:
                row = self._of(claim)
                if self._holds(row, claim):
                    row.owner, row.epoch = "", row.epoch + 1

    def release_dead(self, collection: str, is_dead: Callable[[str], bool]) -> int:
        with self._passing():
            held = [row for (where, *_), row in self.memory.rows.items() if where == collection and row.owner]
            dead = [row for row in held if is_dead(row.owner)]
            for row in dead:
                row.owner, row.epoch = "", row.epoch + 1
            return len(dead)

    @contextmanager
    def _passing(self) -> Iterator[None]:
        self._kill.before_effect()
        yield
        self._kill.behind_effect()

    def _store(self, row: _Row, ended: Settlement) -> None:
        outcome, row.owner = ended.outcome, ""
        row.parked, row.delayed = None, ""
        if isinstance(outcome, Done):
            facts = dict(outcome.facts)
            row.mark = Mark(fingerprint=ended.fingerprint, output=outcome.output, facts=facts)
        elif isinstance(outcome, Parked):
            row.mark, row.parked = None, (ended.fingerprint, outcome)
        else:
            row.delayed = outcome.reason

    def _row(self, collection: str, id: str, stage: str) -> _Row:
        return self.memory.rows.setdefault((collection, id, stage), _Row())

    def _of(self, claim: DocumentClaim) -> _Row:
        return self._row(claim.document.bucket.collection, claim.document.id, claim.stage)

    def _live(self, row: _Row) -> bool:
        return row.owner != "" and row.leased_until > self._clock()

    def _holds(self, row: _Row, claim: DocumentClaim) -> bool:
        return (row.owner, row.epoch) == (claim.owner, claim.epoch)
