"""What runs stages: how much at once, the ledger behind retries, and time. No document is judged here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, TypeVar

from ingest_project.core.document_ledger import DocumentLedger
from ingest_project.core.errors import TransientFailure
from ingest_project.core.ports import Clock
from ingest_project.core.retrying import RetryPolicy
from ingest_project.resources.documents.floor import Floor

T = TypeVar("T")
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How much at once.

    Attributes:
        at_once: Calls of a stage's ``run`` under way, of all buckets together.
        bytes: Weight of the documents under way; one heavier document goes alone.
        buckets: Under way at once, each with a page of standings.
        page: Documents whose standing is read at a time.
        lease: Seconds after which others may take what a runner that is gone held.
        patience: Calls in a row that brought nothing before the rest of the bucket is left to the next run.
    """

    at_once: int = 4
    bytes: int = 256 * 2**20
    buckets: int = 4
    page: int = 1000
    lease: float = 300.0
    patience: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a visit works with.

    Attributes:
        owner: Name under which documents are claimed.
        floor: Room for batches; may be shared with other visits.
        clock: Monotonic seconds.
    """

    ledger: DocumentLedger
    owner: str
    settings: RunnerSettings
    retry: RetryPolicy
    floor: Floor
    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    rng: Random
    offload: Offload

    async def ask(self, call: Callable[..., T], *words: Any, **named: Any) -> T:
        """A verb of the ledger, off the event loop, called again while the database does not answer."""

        async def once() -> T:
            answer: T = await self.offload(partial(call, *words, **named))
            return answer

        return await self.persist(once)

    async def persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it works out. Raises the last TransientFailure when it is time to give up."""
        attempt = 0
        while True:
            try:
                return await call()
            except TransientFailure as failure:
                attempt += 1
                delay = self.retry.delay(attempt, self.rng, failure.retry_after)
                if delay is None:
                    raise
            await self.sleep(delay)
