"""LiveIndex: the index behind an alias, of documents that come and go: written, searched, swept, filled.

Made with its alias when it is first opened. Each document in it says of which row of the ledger it is and as
what it was indexed (its revision); what those words mean is the caller's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from ingest_project.core.errors import TransientFailure
from ingest_project.core.indexing import IndexContract
from ingest_project.core.limits import BatchLimits
from ingest_project.core.posting import Poster
from ingest_project.sinks import aliases, indexes, load_mode
from ingest_project.sinks.documents import count_documents
from ingest_project.sinks.indexes import IndexState, index_path
from ingest_project.sinks.opensearch import LIMITS, OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi

DOCUMENT, REVISION = "document_id", "revision"
"""Keyword fields that each document of a live index has."""

PAGE = 50
"""Hits that one answer brings."""

_KEEP = load_mode.HOLD_SECONDS / 3
_ANALYZED = 4
"""Texts analyzed at once: a server has one thread for it and 16 places behind it."""

_MOST_GROUPS = 10_000
"""Buckets of one aggregation that every server allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """What a live index is told.

    Attributes:
        fast: Fill it in load mode until it is closed.
        holder: Names this process in the note of the load mode.
        require_write: Raises when the name may not be written to.
        limits: Of one request.
        rebuild: Command that makes a new index beside; a person is told it.
    """

    holder: str
    is_dead: Callable[[str], bool]
    require_write: Callable[[str], None]
    fast: bool = False
    limits: BatchLimits = LIMITS
    rebuild: str = indexes.REBUILD
    wall: Callable[[], float] = time.time
    note: indexes.Note = indexes.unheard


class LiveIndex:
    """One alias, or one index that is built beside it. Connects with the first call.

    Args:
        poster: Makes what writes to the index of a name.
        beside: Index that is filled instead of the alias'; it is marked as built for it.
    """

    def __init__(
        self,
        api: OpenSearchApi,
        alias: str,
        contract: IndexContract,
        poster: Callable[[OpenSearchSink], Poster],
        settings: LiveSettings,
        *,
        beside: str = "",
    ) -> None:
        self.alias, self.contract = alias, contract
        self.name = beside or alias
        self._api, self._settings, self._beside = api, settings, beside
        self._poster = poster(OpenSearchSink(api, self.name, limits=settings.limits))
        self._lock = asyncio.Lock()
        self._state: IndexState | None = None
        self._mode: load_mode.LoadMode | None = None
        self._kept = 0.0
        self._path = index_path(self.name)
        self._written = self._held = False

    async def open(self) -> IndexState:
        """Make the index unless it is there; see what earlier runs wrote. Once, whoever asks.

        Raises:
            PermanentFailure: It is somebody else's, or contradicts the contract.
        """
        async with self._lock:
            if self._state is None:
                self._settings.require_write(self.name)
                state = await self._ensured()
                if load_mode.is_left_over(state, self._settings.is_dead, self._settings.wall()):
                    await load_mode.restore_left_over(self._api, state, self._settings.note)
                await indexes.refresh_index(self._api, self.name)
                self._held = await count_documents(self._api, self.name) > 0
                self._state = state
            return self._state

    async def post(self, bodies: Sequence[bytes]) -> dict[int, str]:
        """Write; place of each body that was refused -> its reason. See core.posting.Poster."""
        await self.open()
        await self._loaded_fast()
        self._written = True
        return await self._poster.post(bodies)

    async def sweep(self, wanted: Mapping[str, str]) -> None:
        """Take out what documents of these ids are there under another revision: id -> its revision now.

        What an earlier run wrote is seen, for ``open`` refreshed; what this one overwrote is in conflict with
        what is seen, and stays.
        """
        if self._held and wanted:
            await self._delete({"terms": {DOCUMENT: list(wanted)}}, {"terms": {REVISION: [*wanted.values()]}})

    async def standing(self, ids: Collection[str]) -> dict[str, dict[str, int]]:
        """Document id -> revision -> how many documents are there, as far as a search sees them."""
        counts: dict[str, dict[str, int]] = {}
        after: Mapping[str, Any] = {}
        sources = [{name: {"terms": {"field": name}}} for name in (DOCUMENT, REVISION)]
        while ids:
            grouped = {"composite": {"size": _MOST_GROUPS, "sources": sources, **after}}
            body = {"size": 0, "query": _one_of(DOCUMENT, ids), "aggs": {"by": grouped}}
            found = (await self._ask("_search", body))["aggregations"]["by"]
            for one in found["buckets"]:
                counts.setdefault(one["key"][DOCUMENT], {})[one["key"][REVISION]] = one["doc_count"]
            if len(found["buckets"]) < _MOST_GROUPS:
                break
            after = {"after": found["after_key"]}
        return counts

    async def hits(
        self, query: Mapping[str, Any], sort: Sequence[str], **more: object
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Hits of a query, asked for ``PAGE`` at a time.

        Args:
            sort: Keyword fields that together tell hits apart; they come in their order.
            more: What of each hit is wanted.
        """
        body = {"query": query, "size": PAGE, "sort": list(sort), "track_total_hits": False, **more}
        while True:
            hits = (await self._ask("_search", body))["hits"]["hits"]
            for hit in hits:
                yield hit
            if len(hits) < PAGE:
                return
            body = body | {"search_after": hits[-1]["sort"]}

    async def terms(self, field: str, texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Text -> its terms, as the field is analyzed."""
        places = asyncio.Semaphore(_ANALYZED)

        async def one(text: str) -> tuple[str, ...]:
            async with places:
                found = await self._ask("_analyze", {"field": field, "text": text})
            return tuple(token["token"] for token in found["tokens"])

        return dict(zip(texts, await asyncio.gather(*map(one, texts)), strict=True))

    async def refresh(self) -> None:
        """What was written so far is found."""
        await indexes.refresh_index(self._api, self.name)

    async def count(self) -> int:
        """Documents, after a refresh."""
        await self.refresh()
        return await count_documents(self._api, self.name)

    async def close(self) -> None:
        """Leave load mode, and let what was written be found. The connections are the caller's."""
        if self._mode is not None:
            await self._mode.leave()
            self._mode = None
        if self._written:
            self._written = False
            # Much that was never refreshed takes a busy server minutes: it goes on with it, and who reads
            # here refreshes first.
            with suppress(TransientFailure):
                await self.refresh()

    async def _ensured(self) -> IndexState:
        settings, name = self._settings, self.name
        if self._beside:
            mark = {aliases.MARK_REBUILDS: self.alias}
            return await self._made(name, mark)
        if await indexes.find_index(self._api, name) is None:
            first = f"{name}-first"
            settings.require_write(first)
            await self._made(first, {})
            await aliases.move_alias(self._api, name, first, made_for=name)
        return await self._made(name, {})

    async def _made(self, name: str, mark: Mapping[str, Any]) -> IndexState:
        return await indexes.ensure_index(
            self._api,
            name,
            made_for=self.alias,
            contract=self.contract,
            mark=mark,
            note=self._settings.note,
            rebuild=self._settings.rebuild,
        )

    async def _loaded_fast(self) -> None:
        """Enter load mode with the first write; say from time to time that the holder lives."""
        if not self._settings.fast:
            return
        async with self._lock:
            now = self._settings.wall()
            if self._mode is None and self._state is not None:
                self._mode = load_mode.LoadMode(
                    self._api,
                    self._state.name,
                    holder=self._settings.holder,
                    is_dead=self._settings.is_dead,
                    wall=self._settings.wall,
                    note=self._settings.note,
                )
                wanted = (
                    load_mode.NO_REFRESH if self._held else {**load_mode.NO_REFRESH, **load_mode.NO_REPLICAS}
                )
                await self._mode.enter(self._state, wanted)
                self._kept = now
            elif self._mode is not None and now - self._kept > _KEEP:
                await self._mode.keep()
                self._kept = now

    async def _delete(self, query: Mapping[str, Any], but: Mapping[str, Any]) -> None:
        body = {"query": {"bool": {"filter": [query], "must_not": [but]}}}
        await self._ask("_delete_by_query?conflicts=proceed", body)

    async def _ask(self, verb: str, body: Mapping[str, Any]) -> Any:
        target = f"{self._path}/{verb}"
        return msgspec.json.decode(await self._api.send("POST", target, json.dumps(body).encode()))


def _one_of(field: str, values: Collection[str]) -> dict[str, Any]:
    return {"bool": {"filter": [{"terms": {field: list(values)}}]}}


def put_body(key: str, document: Mapping[str, Any]) -> bytes:
    """The lines of _bulk that put a document in place of whatever has its id."""
    return _lines({"index": {"_id": key}}, document)


def merge_body(key: str, fields: Mapping[str, Any]) -> bytes:
    """The lines of _bulk that set fields of a document, which is made if need be; its others stay."""
    action = {"update": {"_id": key, "retry_on_conflict": 3}}
    return _lines(action, {"doc": fields, "doc_as_upsert": True})


def _lines(*values: Mapping[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def groups(sizes: Sequence[int], *, count: int, size: int) -> Iterator[range]:
    """Places in runs of at most ``count``, of at most ``size`` together; a larger one goes alone."""
    start = total = 0
    for place, one in enumerate(sizes):
        if place > start and (place - start == count or total + one > size):
            yield range(start, place)
            start, total = place, 0
        total += one
    if sizes:
        yield range(start, len(sizes))
