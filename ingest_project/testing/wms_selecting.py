"""Which rows of an entity a query means, how many, and in which order: the table's own where that does.

Streams; only an ordering by other fields than id and mod_ts holds all rows that match.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cmp_to_key
from itertools import islice
from typing import Any

from ingest_project.testing.wms_fields import Field
from ingest_project.testing.wms_filters import Filters, value_at, value_reader
from ingest_project.testing.wms_ids import mixed
from ingest_project.testing.wms_query import Key
from ingest_project.testing.wms_rows import Renderer
from ingest_project.testing.wms_stamps import Stamps
from ingest_project.testing.wms_table import HIGHEST, LOWEST, Row, Table

ALL = (LOWEST, HIGHEST)
BY_ID = (Key("id", False),)
_FEW = 4
"""The other order's range is read and sorted when it has so many times fewer rows."""


class Selection:
    """The rows that match, in one order.

    Args:
        keys: Ordering; rows that it leaves equal come by `salt` (0: by id).
        codes: Says which (company, facility) a row has.
    """

    def __init__(
        self,
        table: Table,
        renderer: Renderer,
        filters: Filters,
        keys: Sequence[Key],
        *,
        fields: Sequence[Field],
        stamps: Stamps,
        salt: int,
        pairs: Sequence[tuple[str, str]],
    ) -> None:
        self._table, self._renderer, self._filters = table, renderer, filters
        self._keys, self._salt, self._stamps = tuple(keys) or BY_ID, salt, stamps
        self._fields = {one.name: one for one in fields}
        self._tests = list(filters.tests)
        self._places = _places(filters, pairs)
        self._looks = bool(self._tests) or (self._places is not None and len(self._places) < len(pairs))

    @property
    def keys(self) -> tuple[Key, ...]:
        """The ordering that is followed."""
        return self._keys

    def count(self) -> int:
        """How many rows match."""
        filters, table = self._filters, self._table
        if filters.chosen is None and not self._looks:
            if filters.modified == ALL:
                return table.count_ids(*filters.ids)
            if filters.ids == ALL:
                return table.count_modified(*filters.modified)
        return sum(1 for _ in self._any_order())

    def rows(self, begin: int, most: int) -> list[Row]:
        """So many rows from a place on."""
        rows, rest = self._from(begin)
        return list(islice(rows, rest, rest + most))

    def after(self, value: str, skip: int, most: int, *, back: bool) -> list[Row]:
        """Rows whose first key lies behind a value (before it: `back`, the nearest first)."""
        key = self._keys[0]
        keys = [Key(one.name, one.down != back) for one in self._keys]
        if value and key.name in ("id", "mod_ts"):
            at = int(value) if key.name == "id" else self._stamps.moment(value)
            span = (LOWEST, at) if keys[0].down else (at + 1, HIGHEST)
            return list(islice(self._ordered(keys, **{_RANGE[key.name]: span}), skip, skip + most))
        rows = self._ordered(keys)
        if value:
            read = self._reader(key)
            beyond = read(value)
            rows = (row for row in rows if self._beyond(row, keys[0], beyond))
        return list(islice(rows, skip, skip + most))

    def position(self, row: Row) -> str:
        """The value of a row's first key, for a cursor."""
        key = self._keys[0]
        if key.name == "id":
            return str(row.id)
        if key.name == "mod_ts":
            return self._stamps.text(row.modified).decode()
        return str(value_at(self._fields[key.name], (), self._values(row)) or "")

    def _from(self, begin: int) -> tuple[Iterator[Row], int]:
        """The rows, and how many of them come before a place: few, where the table can count."""
        filters, table, key = self._filters, self._table, self._keys[0]
        plain = filters.chosen is None and not self._looks and begin > 0
        if plain and key.name == "id" and filters.modified == ALL:
            span, rest = _skipped(table.count_ids, filters.ids, begin, down=key.down)
            return self._ordered(self._keys, ids=span), rest
        if plain and key.name == "mod_ts" and filters.ids == ALL and self._only_ties():
            span, rest = _skipped(table.count_modified, filters.modified, begin, down=key.down)
            return self._ordered(self._keys, modified=span), rest
        return self._ordered(self._keys), begin

    def _only_ties(self) -> bool:
        return len(self._keys) == 1 or self._keys[1].name == "id"

    def _ordered(
        self, keys: Sequence[Key], *, ids: tuple[int, int] = ALL, modified: tuple[int, int] = ALL
    ) -> Iterator[Row]:
        first = keys[0]
        spans = _both(self._filters.ids, ids), _both(self._filters.modified, modified)
        if self._filters.chosen is not None or first.name not in ("id", "mod_ts"):
            return iter(self._sorted(self._within(*spans), keys))
        by_id, by_time = self._table.count_ids(*spans[0]), self._table.count_modified(*spans[1])
        if first.name == "id":
            if by_time * _FEW < by_id:
                return iter(self._sorted(self._within(*spans), keys))
            return self._fitting(self._table.by_id(*spans[0], down=first.down), ALL, spans[1])
        if by_id * _FEW < by_time or not self._only_ties():
            return iter(self._sorted(self._within(*spans), keys))
        return self._in_time(spans, keys)

    def _in_time(self, spans: tuple[tuple[int, int], tuple[int, int]], keys: Sequence[Key]) -> Iterator[Row]:
        down = keys[1].down if len(keys) > 1 else None
        for group in self._table.by_modified(*spans[1], down=keys[0].down):
            rows = group if len(group) == 1 else sorted(group, key=self._tie, reverse=bool(down))
            if down is not None and len(group) > 1:
                rows = sorted(group, key=_id, reverse=down)
            yield from self._fitting(iter(rows), spans[0], ALL)

    def _any_order(self) -> Iterator[Row]:
        return self._within(self._filters.ids, self._filters.modified)

    def _within(self, ids: tuple[int, int], modified: tuple[int, int]) -> Iterator[Row]:
        """All that match, by the shorter way to them."""
        table = self._table
        if self._filters.chosen is not None:
            found = (table.get(row) for row in sorted(self._filters.chosen))
            return self._fitting((row for row in found if row is not None), ids, modified)
        if table.count_modified(*modified) < table.count_ids(*ids):
            groups = table.by_modified(*modified, down=False)
            return self._fitting((row for group in groups for row in group), ids, ALL)
        return self._fitting(table.by_id(*ids, down=False), ALL, modified)

    def _fitting(self, rows: Iterator[Row], ids: tuple[int, int], modified: tuple[int, int]) -> Iterator[Row]:
        if (ids, modified) != (ALL, ALL):
            rows = (
                row for row in rows if ids[0] <= row.id < ids[1] and modified[0] <= row.modified < modified[1]
            )
        return (row for row in rows if self._matches(row)) if self._looks else rows

    def _matches(self, row: Row) -> bool:
        if self._places is not None and self._renderer.codes(row.id) not in self._places:
            return False
        if not self._tests:
            return True
        values = self._values(row)
        return all(test(values) for test in self._tests)

    def _values(self, row: Row) -> Mapping[str, Any]:
        found: dict[str, Any] = json.loads(self._renderer.row(*row))
        return found

    def _sorted(self, rows: Iterator[Row], keys: Sequence[Key]) -> list[Row]:
        found = sorted(rows, key=self._tie)
        for key in reversed(keys):
            found.sort(key=self._sort_key(key), reverse=key.down)
        return found

    def _sort_key(self, key: Key) -> Callable[[Row], Any]:
        if key.name == "id":
            return _id
        if key.name == "mod_ts":
            return _modified
        read, known = self._reader(key), self._fields[key.name]

        def compared(row: Row) -> tuple[bool, Any]:
            raw = value_at(known, (), self._values(row))
            # Nulls stand last in an ascending order.
            return (raw is None, read(raw) if raw is not None else _NOTHING)

        return compared

    def _reader(self, key: Key) -> Callable[[Any], Any]:
        return value_reader(self._fields[key.name], (), self._stamps)

    def _beyond(self, row: Row, key: Key, value: Any) -> bool:
        raw = value_at(self._fields[key.name], (), self._values(row))
        if raw is None:
            return not key.down
        found = self._reader(key)(raw)
        return bool(found < value if key.down else found > value)

    def _tie(self, row: Row) -> int:
        return mixed(row.id, self._salt) if self._salt else row.id


_RANGE = {"id": "ids", "mod_ts": "modified"}
_NOTHING = cmp_to_key(lambda one, other: 0)(None)


def _id(row: Row) -> int:
    return row.id


def _modified(row: Row) -> int:
    return row.modified


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _places(filters: Filters, pairs: Sequence[tuple[str, str]]) -> frozenset[int] | None:
    """Places that the filters let pass, None: all."""
    if not filters.codes:
        return None
    wanted = [filters.codes.get(name) for name in ("company_id__code", "facility_id__code")]
    return frozenset(
        number
        for number, pair in enumerate(pairs)
        if all(codes is None or code in codes for codes, code in zip(wanted, pair, strict=True))
    )


def _skipped(
    count: Callable[[int, int], int], span: tuple[int, int], place: int, *, down: bool
) -> tuple[tuple[int, int], int]:
    """The rest of a range behind so many rows, and how many of them are still in it."""
    low, high = span
    wanted = count(low, high) - place if down else place + 1
    begin, end = max(low, LOWEST), min(high, HIGHEST)
    while begin < end:
        middle = (begin + end) // 2
        if count(low, middle) < wanted:
            begin = middle + 1
        else:
            end = middle
    if down:
        return (low, begin), place - count(begin, high)
    return (begin - 1, high), place - count(low, begin - 1)
