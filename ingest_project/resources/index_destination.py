"""IndexDestination: the OpenSearch indices behind a stage, made by the contract, in load mode where that is
worth it.

Decides nothing about records; refuses remote targets that are not allowed before the first connection.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest_project.core.entity import by_default
from ingest_project.core.indexing import IndexContract
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import KeySchema
from ingest_project.core.ports import Sink
from ingest_project.core.streaming import EncodeLines
from ingest_project.formats.bulk import BulkEncoders
from ingest_project.formats.keys import document_id
from ingest_project.formats.plain_json import line_key, plain_document
from ingest_project.formats.versions import external_encoder, version_reader
from ingest_project.resources.connect import opensearch_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.sinks import documents, indexes, load_mode, opensearch
from ingest_project.sinks.opensearch_api import OpenSearchApi

NEW_FROM = 1000
"""Documents from which ``auto`` fills an empty index in load mode: four requests have to be worth it."""


@dataclass(slots=True)
class IndexDestination:
    """OpenSearch indices, named after the target in lower case unless ``name`` says otherwise.

    Attributes:
        contract: Key of a target -> how its documents are indexed.
        mark: What else an index that is made here is marked with.
        version: Attribute by which a document of a lower version replaces none; empty: what comes last wins.
        note: Told what stops nothing: a setting or a template that the server does not take.
    """

    settings: Settings
    contract: Callable[[KeySchema], IndexContract] = by_default
    name: str = ""
    mark: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    note: Callable[[str], None] = indexes.unheard
    wall: Callable[[], float] = time.time
    stage: str = "index"
    _api: OpenSearchApi | None = field(default=None, init=False)
    _modes: dict[str, load_mode.LoadMode] = field(default_factory=dict, init=False)
    _encoders: BulkEncoders = field(default_factory=BulkEncoders, init=False)

    def api(self) -> OpenSearchApi:
        if self._api is None:
            self._api = opensearch_api(self.settings)
        return self._api

    def index_of(self, target: str) -> str:
        return self.name or indexes.index_name(target)

    async def open(self, target: str, keys: KeySchema) -> Sink:
        await self._restored(await self._ensure(target, keys))
        limits = BatchLimits(
            count=self.settings.limits.opensearch_batch_items,
            bytes=self.settings.limits.opensearch_batch_bytes,
            overhead=opensearch.LIMITS.overhead,
            unit=opensearch.LIMITS.unit,
        )
        return opensearch.OpenSearchSink(self.api(), self.index_of(target), limits=limits)

    async def begin(self, target: str, keys: KeySchema, coming: Callable[[str], int]) -> None:
        """Set load mode where it is worth it; restore what a load that was killed left."""
        state = await self._ensure(target, keys)
        wanted = await self._wanted(state, coming(state.uuid))
        if not wanted:
            await self._restored(state)
            return
        mode = self._modes[target] = load_mode.LoadMode(
            self.api(), state.name, holder=new_owner(), is_dead=is_dead, wall=self.wall, note=self.note
        )
        await mode.enter(state, wanted)

    async def keep(self, target: str) -> None:
        if mode := self._modes.get(target):
            await mode.keep()

    async def finish(self, target: str, *, touched: bool) -> None:
        """Restore the settings, then make the load's one refresh."""
        if mode := self._modes.get(target):
            await mode.leave()
            del self._modes[target]
        if touched:
            await indexes.refresh_index(self.api(), self.index_of(target))

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        bodies = self._encoders.of(keys)
        return external_encoder(bodies, version_reader(self.version)) if self.version else bodies

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        wanted = {document_id(line_key(line, keys)): plain_document(line) for line in lines}
        found = await documents.get_sources(self.api(), self.index_of(target), list(wanted))
        return [
            f"document {name}: " + ("missing" if name not in found else "not equal to the validated record")
            for name, document in wanted.items()
            if name not in found
            or not (self._newer(found[name], document) or documents.same_document(found[name], document))
        ]

    def _newer(self, found: bytes, document: bytes) -> bool:
        if not self.version:
            return False
        versions = [json.loads(one).get(self.version, 0) for one in (found, document)]
        return bool(versions[0] > versions[1])

    async def close(self) -> None:
        if self._api is not None:
            await self._api.endpoint.aclose()

    async def _ensure(self, target: str, keys: KeySchema) -> indexes.IndexState:
        index = self.index_of(target)
        self.settings.require_write("opensearch", index)
        return await indexes.ensure_index(
            self.api(),
            index,
            made_for=target,
            contract=self.contract(keys),
            mark=self.mark,
            note=self.note,
        )

    async def _restored(self, state: indexes.IndexState) -> None:
        if load_mode.is_left_over(state, is_dead, self.wall()):
            await load_mode.restore_left_over(self.api(), state, self.note)

    async def _wanted(self, state: indexes.IndexState, coming: int) -> Mapping[str, str]:
        """Settings of load mode for a load of so many documents; none when it is not worth it.

        An index that holds documents keeps its replicas: they are somebody's, and would be copied anew.
        """
        knobs = self.settings.load_mode
        if knobs.when == "never" or not state.made_for or not coming:
            return {}
        empty = not await documents.count_documents(self.api(), state.name)
        enough = NEW_FROM if empty else knobs.documents
        if coming < enough and knobs.when != "always":
            return {}
        lazy = load_mode.LAZY_TRANSLOG if knobs.lazy_translog else {}
        return {**load_mode.NO_REFRESH, **(load_mode.NO_REPLICAS if empty else {}), **lazy}
