"""Walks over a slice: page after page from its bookmark on, each by a query of its own.

No page is found by its number or by a cursor: rows that come, go or change meanwhile would shift it. Every
query starts behind the last row that was seen; a walk ends at a page without rows. Stores nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from enum import Enum

from ingest_project.core.errors import TransientFailure
from ingest_project.core.paging import Page, PagedApi, instant
from ingest_project.core.syncing import Bookmark, Slice

Walk = AsyncGenerator[tuple[Page, Bookmark]]


class _Step(Enum):
    """Of a walk by mod_ts, behind the row (T, id)."""

    FROM = "mod_ts >= T"
    TIES = "mod_ts = T and id > its"
    AFTER = "mod_ts > T"


async def descending(
    api: PagedApi, resource: str, part: Slice, bookmark: Bookmark, page_mode: str = "", fields: str = ""
) -> Walk:
    """Rows of an id range from the highest id down."""
    last = part.high if bookmark.last_id is None else str(bookmark.last_id)
    while True:
        query = {"ordering": "-id"} | _given(id__gte=part.low, id__lt=last)
        page = await api.page(resource, query | _given(page_mode=page_mode, fields=fields))
        if not page.rows:
            _refuse_hole(page)
            return
        end = page.rows[-1]
        last = str(end.id)
        yield page, Bookmark(last_id=end.id, last_mod_ts=end.mod_ts)
        del page  # Megabytes, while the next one comes.


async def ascending(
    api: PagedApi, resource: str, part: Slice, bookmark: Bookmark, page_mode: str = "", until: str = ""
) -> Walk:
    """Rows of a time window by (mod_ts, id).

    Beyond ``until`` the walk ends as soon as the source says that there is no next page: of a table that
    changes faster than it is asked, no page is ever without rows, and what comes now is the next sync's.

    The next page begins at the last row's mod_ts again, not behind it, so that rows of the same moment are
    not passed over: usually one row is seen twice. Where a whole page has one moment, it goes on by id.
    """
    mark = bookmark
    step = _Step.TIES if mark.begun else _Step.FROM
    while True:
        query = _window(part, mark, step) | _given(page_mode=page_mode)
        page = await api.page(resource, query)
        if not page.rows:
            _refuse_hole(page)
            if step is not _Step.TIES:
                return
            step = _Step.AFTER
            continue
        end = page.rows[-1]
        if step is _Step.FROM and mark.begun and not _beyond(end.mod_ts, end.id, mark):
            step = _Step.TIES
            continue
        mark = Bookmark(last_id=end.id, last_mod_ts=end.mod_ts)
        one_moment, through = page.rows[0].mod_ts == end.mod_ts, not page.next_page
        yield page, mark
        del page
        if step is not _Step.TIES and through and _reached(end.mod_ts, until):
            return
        step = _Step.TIES if one_moment else _Step.FROM


def _window(part: Slice, mark: Bookmark, step: _Step) -> dict[str, str]:
    if step is _Step.TIES:
        return {"ordering": "id", "mod_ts": mark.last_mod_ts, "id__gt": str(mark.last_id)}
    query = {"ordering": "mod_ts,id"} | _given(mod_ts__lt=part.high)
    if step is _Step.AFTER:
        return query | {"mod_ts__gt": mark.last_mod_ts}
    return query | _given(mod_ts__gte=mark.last_mod_ts or part.low)


def _beyond(moment: str, row: int, mark: Bookmark) -> bool:
    return (instant(moment), row) > (instant(mark.last_mod_ts), mark.last_id or 0)


def _reached(moment: str, until: str) -> bool:
    return not until or instant(moment) >= instant(until)


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _refuse_hole(page: Page) -> None:
    if page.next_page:
        raise TransientFailure(f"{page.request}: a page without rows says that there is a next one")
