"""The new tables of a deployment: made where that is allowed, and compared with their definitions."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_project.core.errors import TargetMissing
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.tables import NEW, tables_of
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.sinks.table_definitions import TableState, check_table, ensure_table


async def standing_tables(
    settings: Settings, definitions: Sequence[TableDefinition] | None = None
) -> list[TableState]:
    """What stands, each table made first where tables may be created.

    Args:
        definitions: The deployment's two new tables by default.

    Raises:
        TargetMissing: A table does not stand and may not be made here.
        RemoteWriteRefused: It would be made at an endpoint that is not allowed.
        PermanentFailure: A table of its name is another one.
    """
    named = tables_of(settings.conversations.tables)
    found = []
    async with dynamodb_api(settings) as api:
        for definition in definitions or [named[one.word] for one in NEW]:
            if settings.may_create_table():
                settings.require_write("dynamodb", definition.name)
                found.append(await ensure_table(api, definition))
                continue
            state = await check_table(api, definition)
            if state is None:
                raise TargetMissing(
                    f"table {definition.name} does not stand, and INGEST_CREATE_TABLES forbids it"
                )
            found.append(state)
    return found
