"""Visit: one stage over one bucket: who is due, in batches, some of them at once, each claimed and settled.

Holds one page of standings and the batches under way. Knows no stage, no service and no Dagster.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from ingest_project.core.document_ledger import DocumentClaim, Settlement, Standing
from ingest_project.core.documents import (
    COMPLETED,
    FAILED,
    PENDING,
    Bucket,
    Delayed,
    Done,
    Outcome,
    Parked,
    Stage,
)
from ingest_project.core.errors import CountLost, IngestError, TransientFailure
from ingest_project.core.staging import DUE, PARKED, UNCHANGED, StageReport, StageTally, judge
from ingest_project.resources.documents.hands import Hands

RENEWALS = 3
"""Times a lease is renewed before it would be over."""

NOT_TRIED = "not tried: nothing before it worked out"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    found: Standing
    fingerprint: str
    weight: int


class Visit:
    """Everything that is due for a stage in a bucket; used once."""

    def __init__(
        self,
        hands: Hands,
        stage: Stage,
        bucket: Bucket,
        *,
        again: Callable[[Standing], bool],
        progress: Callable[[StageReport], None],
    ) -> None:
        self._hands, self._ledger, self._settings = hands, hands.ledger, hands.settings
        self._stage, self._bucket, self._again, self._progress = stage, bucket, again, progress
        self._tally, self._begun, self._paged = StageTally(stage.name), 0.0, 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[str, DocumentClaim] = {}
        self._fruitless = 0

    async def whole(self) -> StageReport:
        """Run it to its end. Raises what StageRunner.run does."""
        self._begun = self._hands.floor.begin()
        keeper = asyncio.create_task(self._keep())
        try:
            self._total = await self._hands.ask(self._ledger.size, self._bucket)
            async for batch in self._batches():
                if self._fruitless >= self._settings.patience:
                    self._tally.delay(NOT_TRIED, len(batch))
                else:
                    await self._begin(batch)
            while self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
                self._reap()
            self._total = self._paged
            found = self._report()
            found.check()
            return found
        finally:
            keeper.cancel()
            await self._end(keeper)
            self._hands.floor.end()

    async def _batches(self) -> AsyncIterator[list[_Due]]:
        """Documents that are due, at most ``stage.batch`` and a fair share of the bytes together."""
        batch: list[_Due] = []
        most = self._settings.bytes // self._settings.at_once
        async for one in self._due():
            if batch and sum(due.weight for due in batch) + one.weight > most:
                yield batch
                batch = []
            batch.append(one)
            if len(batch) >= self._stage.batch:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _due(self) -> AsyncIterator[_Due]:
        after, before = "", self._stage.after
        while True:
            page = await self._hands.ask(
                self._ledger.page,
                self._bucket,
                self._stage.name,
                before,
                after=after,
                limit=self._settings.page,
            )
            if not page:
                return
            after = page[-1].document.id
            self._paged += len(page)
            for one in await self._judged(page):
                yield one

    async def _judged(self, page: Sequence[Standing]) -> list[_Due]:
        due, odd = [], {COMPLETED: list[str](), FAILED: list[str]()}
        for found in page:
            verdict, wanted = judge(self._stage, found, self._again)
            if verdict == DUE:
                weight = self._stage.weight(found.document)
                due.append(_Due(found=found, fingerprint=wanted, weight=weight))
                continue
            self._tally.add(verdict)
            should = {UNCHANGED: self._through, PARKED: FAILED}.get(verdict, "")
            if should and found.state != should:
                odd[should].append(found.document.id)
        for state, ids in odd.items():
            if ids:
                await self._hands.ask(self._ledger.restate, self._bucket.collection, ids, state)
        return due

    @property
    def _through(self) -> str:
        """State of a document that this stage is through with; empty when it is not the last one."""
        return COMPLETED if self._stage.state == COMPLETED else ""

    def _after(self, outcome: Outcome) -> str:
        """State of a document behind an outcome; empty: as it is."""
        if isinstance(outcome, Done):
            return self._through
        return FAILED if isinstance(outcome, Parked) else PENDING

    async def _begin(self, batch: list[_Due]) -> None:
        """Start a batch as soon as there is room for it."""
        weight = sum(one.weight for one in batch)
        await self._hands.floor.enter(weight)
        try:
            self._reap()
        except BaseException:
            self._hands.floor.leave(weight)
            raise
        task = asyncio.create_task(self._work(batch))
        task.add_done_callback(lambda _: self._hands.floor.leave(weight))
        self._tasks.add(task)

    def _reap(self) -> None:
        """Let go of batches that have ended; raises what stops the stage."""
        done = {task for task in self._tasks if task.done()}
        self._tasks -= done
        errors = [error for task in done if (error := task.exception()) is not None]
        if errors:
            raise errors[0]

    async def _end(self, keeper: asyncio.Task[None]) -> None:
        """Nothing is left running or held: what was not settled may be taken by others at once."""
        tasks = [keeper, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._held:
            # Without an answer the leases end by themselves.
            with suppress(TransientFailure):
                await self._hands.offload(partial(self._ledger.release, list(self._held.values())))

    async def _work(self, batch: list[_Due]) -> None:
        begun = self._hands.clock()
        claims = await self._claim(batch)
        if not claims:
            return
        outcomes = await self._outcomes(claims)
        wanted = {one.found.document.id: one.fingerprint for one in batch}
        ended = [
            Settlement(
                claim=claim,
                fingerprint=wanted[claim.document.id],
                outcome=outcome,
                state=self._after(outcome),
            )
            for claim, outcome in zip(claims, outcomes, strict=True)
        ]
        lost = set(await self._hands.ask(self._ledger.settle, ended))
        share = (self._hands.clock() - begun) / len(claims)
        for one in ended:
            self._held.pop(one.claim.document.id, None)
            self._count(one, one.claim.document.id in lost, share)
        self._progress(self._report())

    async def _claim(self, batch: list[_Due]) -> Sequence[DocumentClaim]:
        state = "" if self._through else self._stage.state
        asked = asyncio.ensure_future(
            self._hands.ask(
                self._ledger.claim,
                self._stage.name,
                [one.found for one in batch],
                owner=self._hands.owner,
                lease=self._settings.lease,
                state=state,
            )
        )
        try:
            claims = await asyncio.shield(asked)
        finally:
            # Called off or not: a call in a thread goes on, and what it takes has to be given back.
            with suppress(TransientFailure):
                self._held.update((claim.document.id, claim) for claim in await asked)
        self._tally.add("busy", len(batch) - len(claims))
        return claims

    async def _outcomes(self, claims: Sequence[DocumentClaim]) -> Sequence[Outcome]:
        documents = [claim.document for claim in claims]
        try:
            outcomes = await self._hands.persist(partial(self._stage.run, documents))
        except TransientFailure as failure:
            outcomes = [Delayed(reason=str(failure))] * len(documents)
        except IngestError:
            raise
        except Exception as error:
            # A document that nobody reckoned with must harm no other.
            if len(claims) > 1:
                return [outcome for claim in claims for outcome in await self._outcomes([claim])]
            outcomes = [Delayed(reason=f"{type(error).__name__}: {error}")]
        if len(outcomes) != len(documents):
            raise CountLost(
                f"stage {self._stage.name}: {len(outcomes)} outcomes of {len(documents)} documents"
            )
        fruitless = all(isinstance(one, Delayed) for one in outcomes)
        self._fruitless = self._fruitless + 1 if fruitless else 0
        return outcomes

    def _count(self, ended: Settlement, lost: bool, share: float) -> None:
        outcome = ended.outcome
        if lost:
            self._tally.add("busy")
        elif isinstance(outcome, Delayed):
            self._tally.delay(outcome.reason)
        elif isinstance(outcome, Done):
            self._tally.add("done")
            self._tally.timings.add(outcome.seconds or share)
        else:
            self._tally.park(outcome.cause)
            self._tally.timings.add(share)

    def _report(self) -> StageReport:
        return self._tally.report(self._total, self._hands.floor.spent(self._begun))

    async def _keep(self) -> None:
        """Renew the leases of what is at work: one batch may take longer than a lease."""
        while True:
            await self._hands.sleep(self._settings.lease / RENEWALS)
            # A database that does not answer now may answer in time for the next round.
            with suppress(TransientFailure):
                held = list(self._held.values())
                await self._hands.offload(partial(self._ledger.renew, held, lease=self._settings.lease))
