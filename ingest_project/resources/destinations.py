"""Destinations: what a stage behind ``validated`` writes to, made of Settings. One class a store, the same
four verbs.

Decides nothing about records; refuses remote targets that are not allowed before the first connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest_project.core.errors import TargetMissing
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import KeySchema
from ingest_project.core.ports import Sink
from ingest_project.core.streaming import EncodeLines
from ingest_project.formats.bulk import bulk_encoder
from ingest_project.formats.keys import document_id
from ingest_project.formats.plain_json import line_key, plain_document
from ingest_project.resources.connect import dynamodb_api, opensearch_api
from ingest_project.resources.deployments import Settings
from ingest_project.sinks import dynamodb, indexes, opensearch, tables
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.readback import item_differences, typed_key


class Destination(Protocol):
    """A kind of store as the engine uses it. All coroutines run in one event loop."""

    stage: str

    async def open(self, target: str, keys: KeySchema) -> Sink:
        """The sink for one target, made where the policy allows it. Raises TargetMissing,
        RemoteWriteRefused."""
        ...

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        """How part lines become bodies; None when they are bodies already."""
        ...

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        """Read the records of these lines back and say, one text each, which are missing or not equal."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class TableDestination:
    """DynamoDB tables, named after the target."""

    settings: Settings
    create: bool
    stage: str = "table"
    _api: DynamoDBApi | None = field(default=None, init=False)

    def api(self) -> DynamoDBApi:
        """The API client, made at its first use: one pool of connections for all tables."""
        if self._api is None:
            self._api = dynamodb_api(self.settings)
        return self._api

    async def open(self, target: str, keys: KeySchema) -> Sink:
        self.settings.require_write("dynamodb", target)
        limits = BatchLimits(
            count=self.settings.limits.dynamodb_batch_items,
            bytes=dynamodb.LIMITS.bytes,
            overhead=dynamodb.LIMITS.overhead,
        )
        return dynamodb.DynamoDBSink(self.api(), target, limits=limits)

    async def keys_of(self, target: str, wanted: KeySchema | None) -> KeySchema:
        """The table's key; a table that is missing is made with ``wanted`` where that is allowed.

        Raises:
            TargetMissing: There is no such table and none may be made; says how to get one.
        """
        try:
            found = await tables.describe_keys(self.api(), target)
        except TargetMissing:
            if not self.create or wanted is None:
                raise TargetMissing(
                    f"table {target} does not exist and may not be created here: create it, or set "
                    "INGEST_CREATE_TABLES and INGEST_TABLE_KEYS (command line: --create-table --key id:S)"
                ) from None
            self.settings.require_write("dynamodb", target)
            return (await tables.create_table(self.api(), target, wanted)).keys
        return found

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        return None

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        wanted = [typed_key(line, keys) for line in lines]
        found = await tables.get_items(self.api(), target, wanted)
        return item_differences(found, lines, keys)

    async def close(self) -> None:
        if self._api is not None:
            await self._api.endpoint.aclose()


@dataclass(slots=True)
class IndexDestination:
    """OpenSearch indices, named after the target in lower case unless ``name`` says otherwise."""

    settings: Settings
    name: str = ""
    stage: str = "index"
    _api: OpenSearchApi | None = field(default=None, init=False)

    def api(self) -> OpenSearchApi:
        if self._api is None:
            self._api = opensearch_api(self.settings)
        return self._api

    def index_of(self, target: str) -> str:
        return self.name or indexes.index_name(target)

    async def open(self, target: str, keys: KeySchema) -> Sink:
        index = self.index_of(target)
        self.settings.require_write("opensearch", index)
        await indexes.ensure_index(self.api(), index, made_for=target)
        limits = BatchLimits(
            count=self.settings.limits.opensearch_batch_items,
            bytes=self.settings.limits.opensearch_batch_bytes,
            overhead=opensearch.LIMITS.overhead,
        )
        return opensearch.OpenSearchSink(self.api(), index, limits=limits)

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        return bulk_encoder(keys)

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        wanted = {document_id(line_key(line, keys)): plain_document(line) for line in lines}
        found = await indexes.get_sources(self.api(), self.index_of(target), list(wanted))
        return [
            f"document {name}: " + ("missing" if name not in found else "not equal to the validated record")
            for name, document in wanted.items()
            if name not in found or not indexes.same_document(found[name], document)
        ]

    async def close(self) -> None:
        if self._api is not None:
            await self._api.endpoint.aclose()
