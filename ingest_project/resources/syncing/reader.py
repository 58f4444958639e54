"""SliceReader: one slice from its bookmark to its end: pages are asked for, landed, and then counted.

What ends it early (an error, the time, a lost lease) is in the outcome; what landed is not asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from ingest_project.core.errors import ChunkBusy, IngestError, LeaseLost
from ingest_project.core.model import Counts
from ingest_project.core.paging import MOST_ROWS, PagedApi, RowRef
from ingest_project.core.ports import Clock, Progress
from ingest_project.core.syncing import (
    DELETES,
    DONE,
    FAILED,
    FULL,
    OPEN,
    PAGES,
    Bookmark,
    Landed,
    LastValues,
    Slice,
    SliceClaim,
    SliceOutcome,
    latest,
    slice_chunk,
)
from ingest_project.ledgers.syncs import SyncLedger
from ingest_project.resources.syncing.deletions import Comparison, tombstones
from ingest_project.resources.syncing.landing import Draft, PageStore
from ingest_project.resources.syncing.walks import Walk, ascending, descending
from ingest_project.sources.rest_api import OutOfTime

BUSY = "busy"
Offload = Callable[..., Awaitable[Any]]
"""asyncio.to_thread, or what runs the call where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingLimits:
    """How much goes into one object. A reader that is killed asks again for the pages of one object at most.

    Attributes:
        objects: Of one sync, about; a sync with no more pages than that lands each page alone.
        bytes: Compressed, of an object; what a slice holds in memory beside one page.
        seconds: From an object's first page to its end.
        lease: Seconds for which a slice is held.
    """

    objects: int = 4096
    page_rows: int = MOST_ROWS
    bytes: int = 8 << 20
    seconds: float = 60.0
    lease: float = 120.0

    def pages(self, rows: int) -> int:
        """Pages an object, of a sync of so many rows."""
        return max(1, rows // self.page_rows // self.objects)


@dataclass(slots=True)
class _Course:
    """One reading on its way."""

    claim: SliceClaim
    progress: Progress
    draft: Draft = field(default_factory=Draft)
    begun: float = 0.0
    pages: int = 0
    rows: int = 0
    bytes: int = 0
    deleted: int = 0
    counts: int = 0


class SliceReader:
    """Reads slices of one entity for one owner.

    Args:
        entity: As ledger and store name it; ``resource``: as the API does.
        ends: When the time of this run is over, by ``clock``.
        hold: Told the claim that is at work, and None behind it: leases are renewed elsewhere.
        last_values: Where tombstones have their values from.
    """

    def __init__(
        self,
        api: PagedApi,
        ledger: SyncLedger,
        store: PageStore,
        *,
        resource: str,
        owner: str,
        limits: LandingLimits,
        ends: float,
        clock: Clock,
        offload: Offload,
        hold: Callable[[Slice, SliceClaim | None], None],
        last_values: LastValues | None = None,
    ) -> None:
        self._api, self._ledger, self._store = api, ledger, store
        self._resource, self._owner, self._limits, self._ends = resource, owner, limits, ends
        self._clock, self._off, self._hold, self._last_values = clock, offload, hold, last_values

    async def read(self, part: Slice, progress: Progress) -> SliceOutcome:
        """From the bookmark to the end, or to what ends it; never raises what one slice can be blamed for."""
        started = self._clock()
        try:
            claim = await self._off(self._ledger.claim, part, owner=self._owner, lease=self._limits.lease)
        except ChunkBusy as error:
            return SliceOutcome(slice=part, state=BUSY, reason=str(error), retry_after=error.retry_after)
        if claim is None:
            return SliceOutcome(slice=part, state=DONE)
        course = _Course(claim=claim, progress=progress)
        self._hold(part, claim)
        try:
            state, reason, advice = await self._ended(course, started)
        finally:
            self._hold(part, None)
        return SliceOutcome(
            slice=part,
            state=state,
            reason=reason,
            seconds=self._clock() - started,
            retry_after=advice,
            **{name: getattr(course, name) for name in ("rows", "pages", "bytes", "counts", "deleted")},
        )

    async def _ended(self, course: _Course, started: float) -> tuple[str, str, float | None]:
        """State, reason, and how long to wait before the next reading."""
        try:
            await (self._deletions(course) if course.claim.slice.mode == DELETES else self._pages(course))
        except LeaseLost as error:
            return OPEN, str(error), None
        except OutOfTime as error:
            await self._leave(self._ledger.release, course, str(error), started)
            return OPEN, str(error), None
        except (IngestError, OSError) as error:
            await self._leave(self._ledger.fail, course, str(error), started)
            return FAILED, str(error), getattr(error, "retry_after", None)
        except asyncio.CancelledError:
            self._ledger.release(course.claim, "stopped", seconds=self._clock() - started)
            raise
        await self._sweep(course.claim)
        try:
            await self._off(self._ledger.finish, course.claim, seconds=self._clock() - started)
        except LeaseLost as error:
            return OPEN, str(error), None
        self._tell(course, ended=True)
        return DONE, "", None

    async def _sweep(self, claim: SliceClaim) -> None:
        """Only where an earlier reader may have stored what nobody counted. What a store that refuses keeps
        costs its room and nothing else: no slice fails for it."""
        if claim.epoch > 1:
            part = claim.slice
            with suppress(IngestError, OSError):
                landed = await self._off(self._ledger.landed, part.entity, part.date, part)
                await self._off(self._store.sweep, part, landed)

    async def _leave(self, leave: Callable[..., None], course: _Course, reason: str, started: float) -> None:
        await self._off(leave, course.claim, reason, seconds=self._clock() - started)

    async def _pages(self, course: _Course) -> None:
        """Walk and land. What has come before an error lands before the error goes on."""
        most = self._limits.pages(course.claim.sync.rows)
        try:
            async with aclosing(self._walk(course.claim)) as walk:
                async for page, bookmark in walk:
                    await self._add(course, page.body, page.rows, bookmark)
                    del page  # Megabytes, while the next one comes.
                    full = course.draft.pages >= most or course.draft.stored >= self._limits.bytes
                    if full or self._clock() >= course.begun + self._limits.seconds:
                        await self._land(course)
                    self._keep_time(course.claim.slice)
        except LeaseLost:
            raise
        except (IngestError, OSError):
            await self._land(course)
            raise
        await self._land(course)

    def _walk(self, claim: SliceClaim) -> Walk:
        place = (self._api, self._resource, claim.slice, claim.bookmark, claim.sync.page_mode)
        return descending(*place) if claim.slice.mode == FULL else ascending(*place, claim.sync.until)

    async def _deletions(self, course: _Course) -> None:
        """Compare and land tombstones, and rows that were missed."""
        claim = course.claim
        entity = claim.slice.entity
        comparison = Comparison(
            self._api, self._resource, self._ledger.known, entity, page_rows=self._limits.page_rows
        )
        async with aclosing(comparison.differences(claim.slice, claim.bookmark)) as differences:
            async for found in differences:
                course.counts = comparison.counts
                for page in found.missed:
                    await self._add(course, page.body, page.rows, found.bookmark)
                if found.gone:
                    landed = await self._off(self._ledger.latest_moment, entity)
                    moment = latest(landed, claim.sync.until)
                    body = await tombstones(entity, found.gone, moment, self._last_values)
                    await self._add(course, body, [RowRef(one, "") for one in found.gone], found.bookmark)
                await self._land(course, gone=found.gone, bookmark=found.bookmark)
                self._keep_time(claim.slice)

    async def _add(
        self, course: _Course, body: bytes, rows: tuple[RowRef, ...] | list[RowRef], bookmark: Bookmark
    ) -> None:
        if not course.draft.pages:
            course.begun = self._clock()
        await self._off(course.draft.add, body, rows, bookmark)

    async def _land(
        self, course: _Course, *, gone: tuple[int, ...] = (), bookmark: Bookmark | None = None
    ) -> None:
        """Store the draft, then count it, with its bookmark and ids, in one transaction."""
        draft, claim = course.draft, course.claim
        if not draft.pages and bookmark is None:
            return
        landed: list[Landed] = []
        if draft.pages:
            landed.append(await self._off(self._store.put, claim, draft))
        course.claim = await self._off(
            self._ledger.land,
            claim,
            landed,
            bookmark or draft.bookmark,
            ids=draft.ids.difference(gone),
            gone=gone,
            lease=self._limits.lease,
        )
        self._hold(claim.slice, course.claim)
        course.pages += draft.pages
        course.rows += draft.rows
        course.bytes += draft.bytes
        course.deleted += len(gone)
        course.draft = Draft()
        self._tell(course)

    def _tell(self, course: _Course, *, ended: bool = False) -> None:
        claim, part = course.claim, course.claim.slice
        if part.mode == DELETES:
            done = (claim.bookmark.last_id or 0) - int(part.low)
            share = done / max(1, int(part.high) - int(part.low))
            done = int(part.rows * min(1.0, max(0.0, share)))
        else:
            done = min(claim.rows, part.rows - 1) if part.rows else claim.rows
        counts = Counts(sent=claim.rows, written=claim.rows, bytes=claim.bytes, requests=claim.pages)
        course.progress(PAGES, slice_chunk(part), max(part.rows, claim.rows) if ended else done, counts)

    def _keep_time(self, part: Slice) -> None:
        if self._clock() >= self._ends:
            raise OutOfTime(
                f"slice {part.name}: the time of this run is over; the next one goes on from the bookmark"
            )
