"""Syncer: plans the syncs of one entity and reads their slices, some at once, for as long as a run may take.

    full     id ranges, highest ids first; notes the source's greatest mod_ts before it reads anything
    since    mod_ts from the watermark, less the overlap, to now
    deletes  ranges of known ids against counts of the source

Where a sync begins is decided in the source's own time (docs/decisions/0016). Knows no Dagster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.paging import PagedApi, instant
from ingest_project.core.ports import Clock, Progress
from ingest_project.core.syncing import (
    DELETES,
    DONE,
    FULL,
    MODES,
    OVERLAP_SECONDS,
    SINCE,
    LastValues,
    Slice,
    SliceClaim,
    SliceOutcome,
    SliceStatus,
    Sync,
    earlier,
    no_later_than,
)
from ingest_project.ledgers.syncs import Piece, SyncLedger
from ingest_project.resources.syncing.cutting import (
    Grid,
    cut_ids,
    cut_known,
    cut_moments,
    mode_that_keeps_order,
    newest,
)
from ingest_project.resources.syncing.landing import PageStore
from ingest_project.resources.syncing.reader import LandingLimits, Offload, SliceReader

TURNS = (SINCE, FULL, DELETES)
"""What is short and eagerly waited for goes first; deletions want nothing else at work."""

RENEWALS = 3
"""Times a lease is renewed before it would be over."""


class NothingToFollow(PermanentFailure):
    """A sync needs what an earlier one brings: run that first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """How an entity is synced.

    Attributes:
        overlap: Seconds before the watermark that are read again; no less than the longest time from a row's
            mod_ts to its commit, plus the skew of the servers' clocks.
        at_once: Slices that are read at a time, each with one request under way; memory is that many pages,
            twice.
        run_seconds: Mode -> how long a run may ask for pages; the next run goes on from the bookmarks.
    """

    overlap: float = OVERLAP_SECONDS
    at_once: int = 4
    grid: Grid = field(default_factory=Grid)
    landing: LandingLimits = field(default_factory=LandingLimits)
    run_seconds: dict[str, float] = field(
        default_factory=lambda: {FULL: 10_800.0, SINCE: 5_400.0, DELETES: 5_400.0}
    )


def quiet(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
    """A Progress that tells nobody."""


class Syncer:
    """Syncs of one entity. One object a run; its verbs are for one event loop.

    Args:
        entity: As ledger and store name it.
        owner: Name under which slices are claimed: a run that takes up what its dead predecessor held has
            the same one.
        resource: The entity's name in the API; empty: the same.
        clock: Monotonic seconds. ``wall``: since 1970; may lower a watermark, never raise it.
        last_values: Where tombstones have their values from; without it they have none.
    """

    def __init__(
        self,
        api: PagedApi,
        ledger: SyncLedger,
        store: PageStore,
        *,
        entity: str,
        owner: str,
        resource: str = "",
        settings: SyncSettings | None = None,
        clock: Clock = time.monotonic,
        wall: Callable[[], float] = time.time,
        offload: Offload = asyncio.to_thread,
        last_values: LastValues | None = None,
    ) -> None:
        self._api, self._ledger, self._store = api, ledger, store
        self._entity, self._resource, self._owner = entity, resource or entity, owner
        self._settings = settings or SyncSettings()
        self._clock, self._wall, self._off, self._last_values = clock, wall, offload, last_values
        self._held: dict[Slice, SliceClaim] = {}

    async def plan_sync(self, mode: str, date: str) -> Sync:
        """The sync to read: the one of this mode that is not through, else a new one, cut into slices.

        Args:
            date: Partition of a new one. One that is open stays in its own.

        Raises:
            NothingToFollow: ``since`` before any full sync began, ``deletes`` before one is through.
            PermanentFailure, TransientFailure: The API's.
        """
        if mode not in MODES:
            raise ValueError(f"no such mode of a sync: {mode!r}; one of {', '.join(MODES)}")
        known: Sync | None = await self._off(self._ledger.open_sync, self._entity, mode)
        if known is not None:
            return known
        cut = {FULL: self._cut_full, SINCE: self._cut_since, DELETES: self._cut_deletes}[mode]
        wanted, pieces = await cut(date)
        begun: Sync = await self._off(self._ledger.begin, wanted, pieces)
        return begun

    async def read_slices(
        self, date: str, slots: Collection[int] | None = None, progress: Progress = quiet
    ) -> list[SliceOutcome]:
        """Read what is open or failed in these slots of a date (None: in all), what changed lately first.

        Outcomes are in the order of the slices. A slice that fails keeps no other from its turn. Progress is
        told after every landing, in rows: see core.syncing.slice_chunk.
        """
        wanted = [
            one
            for one in await self._off(self._ledger.slices, self._entity, date)
            if one.state != DONE and (slots is None or one.slice.slot in slots)
        ]
        return await self.read(wanted, progress)

    async def read(self, parts: Sequence[SliceStatus], progress: Progress = quiet) -> list[SliceOutcome]:
        """Read these slices: those of each mode together, in turn."""
        found: dict[Slice, SliceOutcome] = {}
        keeper = asyncio.create_task(self._keep())
        try:
            for mode in TURNS:
                some = [one.slice for one in parts if one.slice.mode == mode]
                if some:
                    found.update(zip(some, await self._abreast(mode, some, progress), strict=True))
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        return [found[one.slice] for one in parts]

    async def _abreast(self, mode: str, parts: Sequence[Slice], progress: Progress) -> list[SliceOutcome]:
        room = asyncio.Semaphore(self._settings.at_once)
        reader = SliceReader(
            self._api,
            self._ledger,
            self._store,
            resource=self._resource,
            owner=self._owner,
            limits=self._settings.landing,
            ends=self._clock() + self._settings.run_seconds[mode],
            clock=self._clock,
            offload=self._off,
            hold=self._hold,
            last_values=self._last_values,
        )

        async def turn(part: Slice) -> SliceOutcome:
            async with room:
                return await reader.read(part, progress)

        tasks = [asyncio.create_task(turn(part)) for part in parts]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _cut_full(self, date: str) -> tuple[Sync, list[Piece]]:
        # Before anything is read: what changes from now on is for the next since.
        until = await self._newest()
        mode = await mode_that_keeps_order(self._api, self._resource, "-id")
        pieces = await cut_ids(self._api, self._resource, self._settings.grid)
        return self._new(date, FULL, pieces, until=until, page_mode=mode), pieces

    async def _cut_since(self, date: str) -> tuple[Sync, list[Piece]]:
        mark = await self._off(self._ledger.watermark, self._entity)
        if mark is None:
            raise NothingToFollow(
                f"{self._entity}: no full sync has begun: there is no moment from which changes could be read"
            )
        since = earlier(mark, self._settings.overlap) if mark else ""
        until = await self._newest()
        if mark and (not until or instant(until) < instant(mark)):
            until = mark
        mode = await mode_that_keeps_order(self._api, self._resource, "mod_ts,id")
        pieces = await cut_moments(self._api, self._resource, since, until, self._settings.grid)
        return self._new(date, SINCE, pieces, since=since, until=until, page_mode=mode), pieces

    async def _cut_deletes(self, date: str) -> tuple[Sync, list[Piece]]:
        if not any(one.state == DONE for one in await self._off(self._ledger.syncs, self._entity, FULL)):
            raise NothingToFollow(
                f"{self._entity}: no full sync is through: what is missing is not known to be deleted"
            )
        until = await newest(self._api, self._resource)
        pieces = await self._off(cut_known, self._ledger.known, self._entity, self._settings.grid)
        return self._new(date, DELETES, pieces, until=until), pieces

    async def _newest(self) -> str:
        return no_later_than(await newest(self._api, self._resource), self._wall())

    def _new(
        self,
        date: str,
        mode: str,
        pieces: Sequence[Piece],
        *,
        until: str,
        since: str = "",
        page_mode: str = "",
    ) -> Sync:
        return Sync(
            number=0,
            entity=self._entity,
            date=date,
            mode=mode,
            since=since,
            until=until,
            page_mode=page_mode,
            rows=sum(piece.rows for piece in pieces),
        )

    def _hold(self, part: Slice, claim: SliceClaim | None) -> None:
        if claim is None:
            self._held.pop(part, None)
        else:
            self._held[part] = claim

    async def _keep(self) -> None:
        """Renew the leases of what is at work: one request may take longer than a lease."""
        lease = self._settings.landing.lease
        while True:
            await asyncio.sleep(lease / RENEWALS)
            # A database that does not answer now may answer in time for the next round.
            with suppress(TransientFailure):
                await self._off(self._ledger.renew, list(self._held.values()), lease=lease)
