"""Cutting: how a sync becomes slices of about equal rows, by a few requests before its first page."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.paging import PagedApi, RowRef, instant
from ingest_project.ledgers.known_ids import KnownIds
from ingest_project.ledgers.syncs import Piece

PROBE_ROWS = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Count = Callable[[int, int], Awaitable[int]]
"""(low, high) -> rows of ``low <= x < high``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How many slices there may be.

    Attributes:
        slots: Of the date.
        pieces: Slices of a full sync; more is smaller retries and more requests before the first page.
        page_rows: A slice that would have less than some pages is not cut.
    """

    slots: int = 16
    pieces: int = 32
    page_rows: int = 1250

    def number(self, rows: int, pages: int) -> int:
        """Slices for so many rows, with at least ``pages`` pages each."""
        return max(1, min(self.pieces, rows // (self.page_rows * pages)))

    def slot(self, place: int, count: int) -> int:
        return place * self.slots // count


async def newest(api: PagedApi, resource: str) -> str:
    """The greatest mod_ts that the source has; empty when it has no rows."""
    row = await _first(api, resource, "-mod_ts")
    return row.mod_ts if row else ""


async def mode_that_keeps_order(api: PagedApi, resource: str, ordering: str) -> str:
    """The page mode to read with: as configured, or ``paged`` when the order is lost otherwise.

    It is documented of no other mode that it keeps an order.

    Raises:
        PermanentFailure: The order is kept in no mode.
    """
    query = {"ordering": ordering, "page_size": str(PROBE_ROWS)}
    try:
        await api.page(resource, query)
    except PermanentFailure:
        await api.page(resource, query | {"page_mode": "paged"})
        return "paged"
    return ""


async def cut_ids(api: PagedApi, resource: str, grid: Grid) -> list[Piece]:
    """The id space of a full sync, open at both ends, newest rows first."""
    top, bottom = await _first(api, resource, "-id"), await _first(api, resource, "id")
    if top is None or bottom is None:
        return [Piece(slot=0)]

    async def count(low: int, high: int) -> int:
        return await api.count(resource, {"id__gte": str(low), "id__lt": str(high)})

    total = await api.count(resource, {})
    ranges = await _balanced(bottom.id, top.id + 1, total, grid.number(total, 2), count)
    ranges.reverse()
    last = len(ranges) - 1
    return [
        Piece(
            slot=grid.slot(place, len(ranges)),
            low="" if place == last else str(low),
            high="" if place == 0 else str(high),
            rows=rows,
        )
        for place, (low, high, rows) in enumerate(ranges)
    ]


async def cut_moments(api: PagedApi, resource: str, since: str, until: str, grid: Grid) -> list[Piece]:
    """A time window that is open towards now: one slice, or some when it is long."""
    total = await api.count(resource, {"mod_ts__gte": since} if since else {})
    number = grid.number(total, 20)
    if number == 1 or not since or not until or instant(until) <= instant(since):
        return [Piece(slot=0, low=since, rows=total)]

    async def count(low: int, high: int) -> int:
        return await api.count(resource, {"mod_ts__gte": _moment(low), "mod_ts__lt": _moment(high)})

    ranges = await _balanced(instant(since), instant(until) + 1, total, number, count)
    last = len(ranges) - 1
    return [
        Piece(
            slot=grid.slot(place, len(ranges)),
            low=_moment(low) if place else since,
            high="" if place == last else _moment(high),
            rows=rows,
        )
        for place, (low, high, rows) in enumerate(ranges)
    ]


def cut_known(known: KnownIds, entity: str, grid: Grid) -> list[Piece]:
    """The ids that are known, in ranges of equally many; nothing is asked of the source."""
    top = known.top(entity)
    if top is None:
        return []
    total = known.count(entity, 0, top + 1)
    number = grid.number(total, 4)
    found = [known.nth(entity, 0, place * total // number) for place in range(number)]
    borders = [*(one for one in found if one is not None), top + 1]
    return [
        Piece(
            slot=grid.slot(place, number),
            low=str(low),
            high=str(high),
            rows=known.count(entity, low, high),
        )
        for place, (low, high) in enumerate(pairwise(borders))
    ]


async def _balanced(low: int, high: int, total: int, number: int, count: Count) -> list[tuple[int, int, int]]:
    """(low, high, rows) tiling the range, ascending: the one with the most rows is halved until there are
    ``number``. A request each."""
    ranges = [(-total, low, high)]
    while len(ranges) < number:
        rows, first, end = ranges[0]
        middle = (first + end) // 2
        if rows == 0 or middle == first:
            break
        below = min(-rows, await count(first, middle))
        heapq.heapreplace(ranges, (-below, first, middle))
        heapq.heappush(ranges, (rows + below, middle, end))
    return sorted((first, end, -rows) for rows, first, end in ranges)


async def _first(api: PagedApi, resource: str, ordering: str) -> RowRef | None:
    page = await api.page(resource, {"ordering": ordering, "page_size": "1", "page_mode": "paged"})
    return page.rows[0] if page.rows else None


def _moment(microseconds: int) -> str:
    found = _EPOCH + timedelta(microseconds=microseconds)
    return found.isoformat(timespec="microseconds")
