"""The deployment's index of vectors, filled from its embeddings: settings in, counts out. Decides nothing."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from ingest_project.core.ports import Progress
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.conversations.serving import indexed
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.entities.conversations.vector_filling import ENTITY, Filling
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.encoders.choosing import encoder_of
from ingest_project.resources.owner import is_dead
from ingest_project.sinks.table_reading import TableReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What a round came to, its earlier calls included.

    Attributes:
        expired: Documents that were deleted because their time was over.
    """

    index: str
    round: int
    written: int
    rejected: int
    expired: int


async def index_vectors(
    settings: Settings, owner: str, number: int = 1, progress: Progress | None = None
) -> Indexed:
    """Bring every embedding into the index, made where it lacks; what a round has sealed is not sent again.

    Args:
        number: The round's.

    Raises:
        ConfigurationError: There is no OpenSearch, or it has no k-NN.
        RemoteWriteRefused: The index is elsewhere and not allowed by name.
        TransientFailure, PermanentFailure: As the loader; to call it again goes on.
    """
    access, limits, retry = settings.conversations, settings.limits, settings.retry
    with Upkeep(settings.ledger_url) as upkeep:
        upkeep.release_dead(ENTITY, is_dead, now=time.time())
    async with (
        indexed(settings, encoder_of(access.encoder), writable=True) as store,
        dynamodb_api(settings) as api,
    ):
        with closing(SqlLedger(settings.ledger_url)) as ledger:
            filling = Filling(
                reader=TableReader(api, tables_of(access.tables), rng=Random()),
                api=store.api,
                index=store.index,
                ledger=ledger,
                owner=owner,
                date=datetime.now(UTC).date().isoformat(),
                round=number,
                memory_bytes=limits.memory_bytes,
                retry=RetryPolicy(base=retry.base, cap=retry.cap, attempts=retry.attempts),
            )
            done = await filling.fill(progress)
        return Indexed(
            index=store.index,
            round=number,
            written=sum(one.counts.written for one in done),
            rejected=sum(one.counts.rejected for one in done),
            expired=await store.forget_expired(),
        )
