"""What a paged API brings and must keep to: pages, rows by id and moment, the order and filters asked for.

Values and pure rules; nobody here sends, and the rest of a row stays bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Protocol

MOST_ROWS = 1250
"""Largest page that the API gives; asking for more is an error of ours."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RowRef(NamedTuple):
    """A row as the reader of pages sees it; ``mod_ts`` as sent, empty where it was not asked for."""

    id: int
    mod_ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of a list.

    Attributes:
        body: As sent.
        rows: In the order of the body.
        next_page: Where the API says that more is; empty: there is no more. A page that is shorter than asked
            for is no sign of the end: the server may have a smaller limit.
        result_count: Rows that match in all; None in mode ``sequenced``.
        query: Filters and order that were asked for.
        request: Path and query of the request, for messages.
        hops: ``next`` calls since ``page``.
        mark: A request of some hops ago; met again, paging goes in a circle.
    """

    body: bytes
    rows: tuple[RowRef, ...]
    next_page: str = ""
    result_count: int | None = None
    entity: str = ""
    query: tuple[tuple[str, str], ...] = ()
    request: str = ""
    hops: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field as the API describes it.

    Attributes:
        type: The API's own word, in lower case.
        required: Always; what is required under a condition is not.
        default: As JSON text, empty where there is none.
        choices: Values as text, in the API's order.
    """

    name: str
    type: str
    required: bool = False
    max_length: int | None = None
    default: str = ""
    choices: tuple[str, ...] = ()


class PagedApi(Protocol):
    """Reads lists of entities, page by page. Every verb may raise TransientFailure (the tries or the time of
    the run are used up: the next run goes on from its bookmark) and PermanentFailure."""

    async def page(self, entity: str, query: Mapping[str, str]) -> Page:
        """The first page of a query: ordered and filtered as asked for, or PermanentFailure."""
        ...

    async def next(self, page: Page) -> Page | None:
        """The page behind one, by the API's own link; None behind the last."""
        ...

    async def count(self, entity: str, query: Mapping[str, str]) -> int:
        """Rows that match."""
        ...

    async def describe(self, entity: str) -> tuple[Field, ...]:
        """The fields of an entity."""
        ...

    async def entities(self) -> tuple[str, ...]:
        """Names of all entities, sorted."""
        ...


def instant(text: str) -> int:
    """Microseconds since 1970 UTC of an ISO-8601 timestamp; UTC without an offset. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def complaint(rows: Sequence[RowRef], query: Mapping[str, str], after: RowRef | None = None) -> str:
    """What is wrong with the order of rows or with a row that was not asked for; empty when nothing is.

    Ids must strictly descend or ascend, moments must not go the other way, whichever was asked for; an order
    by other fields is not looked at.

    Args:
        after: Last row of the page before.
    """
    ordering = query.get("ordering", "")
    try:
        wrong = _outside(rows, query)
        return wrong or _disordered([after, *rows] if after else rows, ordering)
    except ValueError as error:
        return f"a row without a proper mod_ts: {error}"


def _disordered(rows: Sequence[RowRef], ordering: str) -> str:
    names = [name.strip() for name in ordering.split(",") if name.strip()]
    if not names or any(name.lstrip("-") not in ("id", "mod_ts") for name in names):
        return ""
    strict = any(name.lstrip("-") == "id" for name in names)
    keys = [_key(row, names) for row in rows]
    for place, (first, second) in enumerate(pairwise(keys)):
        if second < first or (strict and second == first):
            before, behind = rows[place], rows[place + 1]
            return (
                f"ordering={ordering} was not kept: {_shown(behind, names)} follows {_shown(before, names)}"
            )
    return ""


def _key(row: RowRef, names: Sequence[str]) -> tuple[int, ...]:
    values = (row.id if name.endswith("id") else instant(row.mod_ts) for name in names)
    return tuple(-value if name[0] == "-" else value for name, value in zip(names, values, strict=True))


def _shown(row: RowRef, names: Sequence[str]) -> str:
    return f"id {row.id}" if names[0].endswith("id") else f"id {row.id} of {row.mod_ts}"


_HOLDS: Mapping[str, Callable[[int, int], bool]] = {
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "exact": lambda value, bound: value == bound,
}


def _outside(rows: Sequence[RowRef], query: Mapping[str, str]) -> str:
    """A row that a filter on id or mod_ts excludes: a server that ignores a filter would be read for ever."""
    for name, text in query.items():
        field, _, lookup = name.partition("__")
        holds = _HOLDS.get(lookup or "exact")
        if holds is None or field not in ("id", "mod_ts"):
            continue
        bound = int(text) if field == "id" else instant(text)
        for row in rows:
            if field == "mod_ts" and not row.mod_ts and "fields" in query:
                continue
            if not holds(row.id if field == "id" else instant(row.mod_ts), bound):
                return f"the filter {name}={text} was not kept: id {row.id} of {row.mod_ts or 'no moment'}"
    return ""
