"""One entity's committed rows: first rows by arithmetic, every change since in sorted lists beside them.

Counts and scans by id and by mod_ts; no clock, no transactions (wms_world), no JSON (wms_rows).
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from ingest_project.testing.wms_ids import FirstRows

LOWEST, HIGHEST = -(1 << 62), 1 << 62


class Row(NamedTuple):
    """One row as it is now.

    Attributes:
        version: How often it was changed.
        modified: Its mod_ts.
        created: When it was inserted; 0 for a first row.
    """

    id: int
    version: int
    modified: int
    created: int = 0


class Table:
    """Rows that exist. Memory grows with what was changed, not with the rows."""

    def __init__(self, first: FirstRows) -> None:
        self.first = first
        self._changed: dict[int, Row] = {}
        self._gone: set[int] = set()
        self._gone_first: list[int] = []
        self._added: list[int] = []
        self._stale: list[int] = []
        self._moved: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return self.first.rows - len(self._gone_first) + len(self._added)

    @property
    def changes(self) -> int:
        """Rows that are not, or not as, they were at the beginning."""
        return len(self._changed) + len(self._gone)

    def get(self, row: int) -> Row | None:
        """The row, where it exists."""
        found = self._changed.get(row)
        if found is not None:
            return found
        if row in self._gone or not self.first.has(row):
            return None
        return Row(row, 0, self.first.modified(row))

    def put(self, row: Row) -> None:
        """Insert or replace."""
        before = self._changed.get(row.id)
        if before is not None:
            self._forget_moved(before)
        elif self.first.has(row.id):
            insort(self._stale, self.first.modified(row.id))
        else:
            insort(self._added, row.id)
        self._changed[row.id] = row
        insort(self._moved, (row.modified, row.id))

    def remove(self, row: int) -> bool:
        """Delete; False when there is no such row."""
        if self.get(row) is None:
            return False
        before = self._changed.pop(row, None)
        if before is not None:
            self._forget_moved(before)
        if self.first.has(row):
            if before is None:
                insort(self._stale, self.first.modified(row))
            insort(self._gone_first, row)
        else:
            del self._added[bisect_left(self._added, row)]
        self._gone.add(row)
        return True

    def count_ids(self, low: int, high: int) -> int:
        """Rows with low <= id < high."""
        if low >= high:
            return 0
        begun = self.first.index_from(high) - self.first.index_from(low)
        return begun - _within(self._gone_first, low, high) + _within(self._added, low, high)

    def count_modified(self, low: int, high: int) -> int:
        """Rows with low <= mod_ts < high."""
        if low >= high:
            return 0
        begun = self.first.ranks_before(high) - self.first.ranks_before(low)
        moved = bisect_left(self._moved, (high, LOWEST)) - bisect_left(self._moved, (low, LOWEST))
        return begun - _within(self._stale, low, high) + moved

    def by_id(self, low: int, high: int, *, down: bool) -> Iterator[Row]:
        """Rows with low <= id < high in order of their ids. The table may not change meanwhile."""
        first = self.first
        indexes = range(first.index_from(low), max(first.index_from(high), first.index_from(low)))
        added = self._added[bisect_left(self._added, low) : bisect_left(self._added, high)]
        # What was added lies above all first rows.
        if down:
            yield from (self._changed[row] for row in reversed(added))
            yield from self._begun(reversed(indexes))
        else:
            yield from self._begun(iter(indexes))
            yield from (self._changed[row] for row in added)

    def by_modified(self, low: int, high: int, *, down: bool) -> Iterator[list[Row]]:
        """Rows with low <= mod_ts < high, in lists of equal mod_ts; a list is in no order."""
        first, last = self.first.ranks_before(low), self.first.ranks_before(high)
        begun = self._unmoved(first, last, down=down)
        ends = bisect_left(self._moved, (low, LOWEST)), bisect_left(self._moved, (high, LOWEST))
        places = range(ends[1] - 1, ends[0] - 1, -1) if down else range(*ends)
        moved = ([self._changed[self._moved[place][1]]] for place in places)
        held: list[Row] = []
        for group in heapq.merge(begun, moved, key=lambda group: group[0].modified, reverse=down):
            if held and held[0].modified != group[0].modified:
                yield held
                held = []
            held.extend(group)
        if held:
            yield held

    def _begun(self, indexes: Iterator[int]) -> Iterator[Row]:
        first, changed, gone = self.first, self._changed, self._gone
        for index in indexes:
            row = first.id_at(index)
            found = changed.get(row)
            if found is not None:
                yield found
            elif row not in gone:
                yield Row(row, 0, first.modified_at_rank(first.rank_of(index)))

    def _unmoved(self, first: int, last: int, *, down: bool) -> Iterator[list[Row]]:
        changed, gone, id_at = self._changed, self._gone, self.first.id_at
        for moment, indexes in self.first.groups(first, last, down=down):
            ids = [id_at(index) for index in indexes]
            group = [Row(row, 0, moment) for row in ids if row not in changed and row not in gone]
            if group:
                yield group

    def _forget_moved(self, row: Row) -> None:
        del self._moved[bisect_left(self._moved, (row.modified, row.id))]


def _within(places: list[int], low: int, high: int) -> int:
    return bisect_left(places, high) - bisect_left(places, low)
