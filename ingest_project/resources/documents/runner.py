"""StageRunner: what runs stages over buckets of documents. What a killed run did not settle, the next one
does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

from ingest_project.core.document_ledger import DocumentLedger, Standing
from ingest_project.core.documents import Bucket, Stage
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.ports import Clock
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.staging import StageReport
from ingest_project.resources.documents.floor import Floor
from ingest_project.resources.documents.hands import Hands, Offload, RunnerSettings
from ingest_project.resources.documents.visit import Visit

Progress = Callable[[StageReport], None]


def never(found: Standing) -> bool:
    """Nothing is done once more."""
    return False


def parked_for(*causes: str) -> Callable[[Standing], bool]:
    """What the stage parked for one of these causes is done once more."""
    return lambda found: bool(found.parked) and found.cause in causes


def quiet(report: StageReport) -> None:
    """A Progress that tells nobody."""


class StageRunner:
    """Runs stages over buckets, for one event loop.

    Args:
        owner: Names this runner in the ledger; each has one of its own (resources.owner.new_owner).
        floor: Room for batches, shared by runners of a loop; by default as ``settings`` say, for this one.
        clock: Monotonic seconds.
        offload: Calls the ledger.
        is_dead: Whether an owner is a process that is known to have ended (resources.owner.is_dead).
    """

    def __init__(
        self,
        ledger: DocumentLedger,
        *,
        owner: str,
        settings: RunnerSettings | None = None,
        retry: RetryPolicy | None = None,
        floor: Floor | None = None,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Random | None = None,
        offload: Offload = asyncio.to_thread,
        is_dead: Callable[[str], bool] = lambda owner: False,
    ) -> None:
        settings = settings or RunnerSettings()
        self._is_dead = is_dead
        self._hands = Hands(
            ledger=ledger,
            owner=owner,
            settings=settings,
            retry=retry or RetryPolicy(),
            floor=floor or Floor(settings.at_once, MemoryBudget(settings.bytes), clock),
            clock=clock,
            sleep=sleep,
            rng=rng or Random(),
            offload=offload,
        )

    async def run(
        self,
        stage: Stage,
        bucket: Bucket,
        progress: Progress = quiet,
        *,
        again: Callable[[Standing], bool] = never,
    ) -> StageReport:
        """Everything that is due in a bucket; other runners may be at work on it.

        Args:
            progress: Told after every batch.
            again: Documents to be done once more, although nothing that they depend on has changed.

        Returns:
            A report that accounts for every document of the bucket.

        Raises:
            IngestError: What stops the stage; batches that were through stay settled.
            TransientFailure: The ledger does not answer.
        """
        hands = self._hands
        await hands.ask(hands.ledger.release_dead, bucket.collection, self._is_dead)
        return await Visit(hands, stage, bucket, again=again, progress=progress).whole()
