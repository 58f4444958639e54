"""The migration of a deployment: settings in, ready steps out. Decides nothing; knows no Dagster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ingest_project.core.ports import Progress
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.conversations.migration import (
    Handling,
    Migration,
    MigrationPlan,
    MigrationSettings,
    Moved,
)
from ingest_project.entities.conversations.migration.records import definition_of
from ingest_project.entities.conversations.similarity import SearchSettings
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.vectors import LedgerVectors
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.conversation_access import ConversationAccess
from ingest_project.resources.deployments import Settings
from ingest_project.resources.encoders.cached import CachedEncoder
from ingest_project.resources.encoders.choosing import encoder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Both stages of some segments."""

    history: Moved
    embeddings: Moved

    @property
    def whole(self) -> bool:
        return self.history.whole and self.embeddings.whole


def settings_of(access: ConversationAccess) -> MigrationSettings:
    """What the variables say of a migration."""
    return MigrationSettings(
        segments=access.segments,
        zone=access.zone,
        keep=access.keep,
        search=SearchSettings(codec=access.codec),
        stability=access.stable,
    )


@asynccontextmanager
async def migration_of(settings: Settings, owner: str, *writes: str) -> AsyncIterator[Migration]:
    """The migration of these settings while it is entered.

    Args:
        writes: Words of the tables that the step writes to; its records are always among them.

    Raises:
        RemoteWriteRefused: One of them is elsewhere, and not allowed by name.
        ConfigurationError: No such encoder.
    """
    access, limits, retry = settings.conversations, settings.limits, settings.retry
    tables = tables_of(access.tables)
    for name in (definition_of(tables["old"].name).name, *(tables[word].name for word in writes)):
        settings.require_write("dynamodb", name)
    ledger, database = SqlLedger(settings.ledger_url), Database(settings.ledger_url)
    # Copying again and verifying ask for the vectors of the same texts.
    encoder = CachedEncoder(encoder_of(access.encoder), LedgerVectors(database))
    try:
        async with dynamodb_api(settings) as api:
            yield Migration(
                api,
                tables,
                ledger,
                encoder,
                owner=owner,
                settings=settings_of(access),
                handling=Handling(
                    in_flight=limits.in_flight,
                    memory_bytes=limits.memory_bytes,
                    retry=RetryPolicy(base=retry.base, cap=retry.cap, attempts=retry.attempts),
                ),
            )
    finally:
        database.close()
        ledger.close()


async def move_all(
    migration: Migration,
    plan: MigrationPlan,
    *,
    confirm: str = "",
    again: bool = False,
    only: Collection[int] | None = None,
    progress: Progress | None = None,
) -> Round:
    """Make the tables, copy, and embed. Raises as the steps do."""
    await migration.prepare(plan, confirm=confirm)
    copied = await migration.copy(plan, confirm=confirm, again=again, only=only, progress=progress)
    made = await migration.embed(plan, confirm=confirm, again=again, only=only, progress=progress)
    return Round(history=copied, embeddings=made)
