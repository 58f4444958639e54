"""The rows that an entity begins with, as arithmetic: index, id and mod_ts of a million without memory.

Pure functions of the seed. What changed later is not here (wms_table).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from ingest_project.testing.wms_stamps import DAY

_MASK = (1 << 64) - 1


def mixed(value: int, salt: int) -> int:
    """64 bits that look like chance and depend on both."""
    found = (value * 0x9E3779B97F4A7C15 + salt * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & _MASK
    found = ((found ^ (found >> 29)) * 0xD6E8FEB86659FD93) & _MASK
    return found ^ (found >> 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the first rows of an entity lie.

    Attributes:
        rows: How many.
        first: Where ids begin.
        gap: One id in so many is taken, at a place that chance chooses.
        end: Moment before which all of them were modified.
        span: Over how long they were, in microseconds.
        ties: So many rows of each `period` have one mod_ts: a batch job, larger than any page.
        period: Rows.
    """

    rows: int
    first: int
    end: int
    gap: int = 3
    span: int = 365 * DAY
    ties: int = 3000
    period: int = 20_000


class FirstRows:
    """Ids and mod_ts of an entity's first rows. Index 0 has the lowest id; ranks follow mod_ts."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape, self._seed, self.rows = shape, seed, shape.rows
        rows = max(shape.rows, 1)
        self._factor = max(int(rows * 0.618), 1)
        while gcd(self._factor, rows) != 1:
            self._factor += 1
        self._inverse = pow(self._factor, -1, rows) if rows > 1 else 0
        self._shift = mixed(seed, 7) % rows
        self._period = max(min(shape.period, rows), 2)
        self._ties = max(min(shape.ties, self._period // 2), 1)
        self._step = max(shape.span // rows, 1)
        self._start = shape.end - rows * self._step

    @property
    def beyond(self) -> int:
        """The first id above all of them."""
        return self.shape.first + self.rows * self.shape.gap

    def id_at(self, index: int) -> int:
        gap = self.shape.gap
        return self.shape.first + index * gap + (mixed(index, self._seed) % gap if gap > 1 else 0)

    def index_from(self, row: int) -> int:
        """How many rows have a lower id: the index of the first that has not."""
        index = min(max((row - self.shape.first) // self.shape.gap, 0), self.rows)
        return index + 1 if index < self.rows and self.id_at(index) < row else index

    def has(self, row: int) -> bool:
        index = self.index_from(row)
        return index < self.rows and self.id_at(index) == row

    def rank_of(self, index: int) -> int:
        return (index * self._factor + self._shift) % self.rows

    def at_rank(self, rank: int) -> int:
        return (rank - self._shift) * self._inverse % self.rows

    def modified_at_rank(self, rank: int) -> int:
        place = rank % self._period
        return self._start + (rank - place + (place if place >= self._ties else 0)) * self._step

    def modified(self, row: int) -> int:
        """The mod_ts that a row began with."""
        return self.modified_at_rank(self.rank_of(self.index_from(row)))

    def ranks_before(self, moment: int) -> int:
        """How many rows were modified before."""
        steps = -((self._start - moment) // self._step)
        if steps <= 0:
            return 0
        whole, place = divmod(steps, self._period)
        return min(whole * self._period + (max(place, self._ties) if place else 0), self.rows)

    def groups(self, low: int, high: int, *, down: bool) -> Iterator[tuple[int, list[int]]]:
        """(mod_ts, indexes) of the ranks from low up to, but not high: each mod_ts once."""
        rank = high if down else low
        while low < rank if down else rank < high:
            moment = self.modified_at_rank(rank - 1 if down else rank)
            first, last = self.ranks_before(moment), self.ranks_before(moment + 1)
            ranks = range(max(first, low), min(last, high))
            yield moment, [self.at_rank(one) for one in ranks]
            rank = ranks[0] if down else ranks[-1] + 1
