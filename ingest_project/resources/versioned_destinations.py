"""Destinations of a versioned entity: what stands now, and everything that ever stood, in DynamoDB.

That of OpenSearch is IndexDestination with a version. Order is decided by the target alone: nobody has to
know what else is loaded (docs/decisions/0017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import KeySchema
from ingest_project.core.ports import Sink
from ingest_project.core.streaming import EncodeLines
from ingest_project.formats.versions import condition_encoder, version_reader
from ingest_project.resources.destinations import TableDestination
from ingest_project.sinks import tables
from ingest_project.sinks.readback import item_differences, standing_lines, typed_key
from ingest_project.sinks.versioned import VersionedSink

HISTORY = "-history"
"""Behind the target's name: its table of all versions."""


@dataclass(slots=True, kw_only=True)
class CurrentDestination(TableDestination):
    """The table named after the target: of each key the record of the highest version.

    Attributes:
        version: Attribute that is compared.
    """

    version: str
    stage: str = "current"

    async def open(self, target: str, keys: KeySchema) -> Sink:
        await made(self, target, keys)
        self.settings.require_write("dynamodb", target)
        return self.within_quota(target, VersionedSink(self.api(), target, version=self.version))

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        return condition_encoder(version_reader(self.version))

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        found = await tables.get_items(self.api(), target, [typed_key(line, keys) for line in lines])
        return item_differences(found, standing_lines(found, lines, keys, self.version), keys)


@dataclass(slots=True, kw_only=True)
class HistoryDestination(TableDestination):
    """The table of every version: the target's key with the version behind it. Nothing in it is replaced by
    anything but itself, so puts need no condition."""

    version: str
    stage: str = "history"

    async def open(self, target: str, keys: KeySchema) -> Sink:
        await made(self, target + HISTORY, history_keys(keys, self.version))
        return await TableDestination.open(self, target + HISTORY, keys)

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        whole = history_keys(keys, self.version)
        return await TableDestination.differences(self, target + HISTORY, whole, lines)


def history_keys(keys: KeySchema, version: str) -> KeySchema:
    """The key of the table of all versions.

    Raises:
        PermanentFailure: The key has a sort key already.
    """
    if len(keys.parts) != 1:
        raise PermanentFailure(f"a versioned table has a partition key alone, not {keys}")
    return KeySchema(parts=(*keys.parts, (version, "N")))


async def made(destination: TableDestination, table: str, keys: KeySchema) -> None:
    """The table is there, made if that is allowed.

    Raises:
        TargetMissing: It is not, and none may be made.
        PermanentFailure: It has another key.
    """
    found = await destination.keys_of(table, keys)
    if found != keys:
        raise PermanentFailure(f"table {table} has the key {found}, its records have {keys}")
