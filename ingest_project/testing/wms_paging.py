"""One page of a list: its rows as bytes, its counts, and the links to its neighbours.

Paged mode cuts by offset, so rows that come or go between two requests are given twice or never. Sequenced
mode goes on behind the last value, as Django REST framework's cursor does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ingest_project.testing.wms_errors import Refused
from ingest_project.testing.wms_query import PAGED, Cursor, Query
from ingest_project.testing.wms_rows import Renderer
from ingest_project.testing.wms_selecting import Selection
from ingest_project.testing.wms_table import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a list query is answered with.

    Attributes:
        total: Rows on all pages; None in sequenced mode.
        following, previous: Links, empty where there is no page.
    """

    rows: tuple[bytes, ...]
    following: str = ""
    previous: str = ""
    total: int | None = None
    count: int = 0
    number: int = 1

    def body(self) -> bytes:
        """The answer's text."""
        links = b'"next_page":%s,"previous_page":%s' % (_link(self.following), _link(self.previous))
        counts = b""
        if self.total is not None:
            counts = b'"result_count":%d,"page_count":%d,"page_nbr":%d,' % (
                self.total,
                self.count,
                self.number,
            )
        head, tail = b'{%s%s,"results":[' % (counts, links), b"]}"
        if not self.rows:
            return head + tail
        # One copy of the rows, which are megabytes.
        rows = [*self.rows]
        rows[0] = head + rows[0]
        rows[-1] += tail
        return b",".join(rows)


def page_of(selection: Selection, query: Query, renderer: Renderer, url: str) -> Page:
    """The page that a query asks for.

    Raises:
        Refused: Such a page does not exist.
    """
    if query.mode == PAGED:
        return _numbered(selection, query, renderer, url)
    return _sequenced(selection, query, renderer, url)


def _numbered(selection: Selection, query: Query, renderer: Renderer, url: str) -> Page:
    total = selection.count()
    pages = -(-total // query.size)
    if query.number > max(pages, 1):
        raise Refused(404, "Invalid page", {"page": [f"That page contains no results: {query.number}"]})
    rows = selection.rows((query.number - 1) * query.size, query.size)
    return Page(
        rows=_texts(rows, query, renderer),
        following=_url(url, query, "page", str(query.number + 1)) if query.number < pages else "",
        previous=_url(url, query, "page", str(query.number - 1)) if query.number > 1 else "",
        total=total,
        count=pages,
        number=query.number,
    )


def _sequenced(selection: Selection, query: Query, renderer: Renderer, url: str) -> Page:
    cursor = query.cursor or Cursor()
    found = selection.after(cursor.value, cursor.skip, query.size + 1, back=cursor.back)
    more, rows = len(found) > query.size, found[: query.size]
    if cursor.back:
        rows.reverse()
        more, before = bool(rows), more
        behind = Cursor(value=selection.position(rows[-1])) if rows else Cursor()
    else:
        before = query.cursor is not None and bool(rows)
        behind = _behind(selection, cursor, rows, found[-1]) if more else Cursor()
    ahead = Cursor(value=selection.position(rows[0]), back=True) if before else Cursor()
    return Page(
        rows=_texts(rows, query, renderer),
        following=_url(url, query, "cursor", behind.text()) if more else "",
        previous=_url(url, query, "cursor", ahead.text()) if before else "",
    )


def _behind(selection: Selection, cursor: Cursor, rows: list[Row], extra: Row) -> Cursor:
    """Behind the last value that differs from the next page's first; equal rows given already are skipped."""
    compared = selection.position(extra)
    for skip, row in enumerate(reversed(rows)):
        position = selection.position(row)
        if position != compared:
            return Cursor(value=position, skip=skip)
    return Cursor(value=cursor.value, skip=cursor.skip + len(rows))


def _texts(rows: list[Row], query: Query, renderer: Renderer) -> tuple[bytes, ...]:
    if query.fields == ("id",):
        return tuple(b'{"id":%d}' % row.id for row in rows)
    texts = (renderer.row(*row) for row in rows)
    if not query.fields:
        return tuple(texts)
    return tuple(chosen(json.loads(text), query.fields) for text in texts)


def chosen(values: dict[str, Any], fields: tuple[str, ...]) -> bytes:
    """A row with these fields only."""
    said = {name: values[name] for name in fields if name in values}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _url(url: str, query: Query, name: str, value: str) -> str:
    return f"{url}?{urlencode([*query.links, (name, value)], safe=',')}"


def _link(url: str) -> bytes:
    return json.dumps(url).encode() if url else b"null"
