"""StageDouble: a stage that writes into a dictionary, by script: what it parks, delays, and when it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from ingest_project.core.documents import (
    EXTRACTING,
    Delayed,
    Document,
    Done,
    Outcome,
    Parked,
    fingerprint_of,
)
from ingest_project.core.errors import TransientFailure
from ingest_project.testing.faults import KillPoint, Life


class StageDouble:
    """Stage double: its output is a word made of the document's fields, its version and the outputs before.

    Args:
        version: Of its configuration.
        outcome: Decides instead of success where it returns an outcome.
        failing: Share of the calls that fail as a whole, transiently, before or after their effect.
        kill: Passed once by every document of a call.
        target: Where its effects go: document id -> output.
        latency: Seconds that a call takes, at most.

    Attributes:
        log: Ids of each call.
        most_at_once, heaviest: Calls, and weight of documents, that were ever under way together.
    """

    def __init__(
        self,
        name: str,
        *,
        after: tuple[str, ...] = (),
        state: str = EXTRACTING,
        batch: int = 3,
        version: str = "1",
        outcome: Callable[[Document], Outcome | None] = lambda document: None,
        weigh: Callable[[Document], int] = lambda document: 1,
        failing: float = 0.0,
        kill: KillPoint | None = None,
        target: dict[str, str] | None = None,
        latency: float = 0.0,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name, self.after, self.state, self.batch = name, after, state, batch
        self._version, self._outcome, self._weigh = version, outcome, weigh
        self._failing, self._kill, self._latency = failing, kill or KillPoint(Life()), latency
        self._rng, self._sleep = rng or Random(0), sleep
        self.target = {} if target is None else target
        self.log: list[list[str]] = []
        self.most_at_once = self.heaviest = self._at_once = self._weight = 0

    def fingerprint(self, document: Document) -> str:
        told = [word for pair in sorted(document.fields.items()) for word in pair]
        return fingerprint_of(self._version, *told, *(document.marks[name].output for name in self.after))

    def weight(self, document: Document) -> int:
        return self._weigh(document)

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        weight = sum(map(self._weigh, documents))
        self._at_once, self._weight = self._at_once + 1, self._weight + weight
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.heaviest = max(self.heaviest, self._weight)
        try:
            return await self._run(documents)
        finally:
            self._at_once, self._weight = self._at_once - 1, self._weight - weight

    async def _run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        self.log.append([document.id for document in documents])
        fails = self._rng.random() < self._failing
        if fails and self._rng.random() < 0.5:
            raise TransientFailure("nobody listens")
        await self._sleep(self._rng.uniform(0, self._latency))
        found = [self._one(document) for document in documents]
        if fails:
            raise TransientFailure("no answer")
        return found

    def _one(self, document: Document) -> Outcome:
        decided = self._outcome(document)
        if decided is not None:
            return decided
        self._kill.before_effect()
        self.target[document.id] = f"{self.name}:{self.fingerprint(document)[:12]}"
        self._kill.behind_effect()
        return Done(output=self.target[document.id], facts={"stage": self.name})


def parks(cause: str, *ids: str) -> Callable[[Document], Outcome | None]:
    """These documents are parked."""
    return lambda document: (
        Parked(cause=cause, detail=document.id, kind="odd") if document.id in ids else None
    )


def delays(reason: str, *ids: str) -> Callable[[Document], Outcome | None]:
    """These documents do not work out."""
    return lambda document: Delayed(reason=reason) if document.id in ids else None
