"""Locality-sensitive hashing by random hyperplanes: vectors as sortable text, and ranges of it worth reading.

A vector's hash in one table is a row of signs, written as hexadecimal digits: the vectors that share their
first signs with another one stand in one range of a sort key. Knows no store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingest_project.formats.vectors import BrokenVector, Matrix

Signs: TypeAlias = NDArray[np.bool_]
_EXACT = 1 << 24
_MOST_STEPS = 1 << 15
"""A vector's largest number is taken as so many whole steps, or as few as keep all sums of them below 2**24.
Over planes of +1 and -1 such sums are whole numbers that float32 adds exactly, in any order: a vector's hash
is the same on every machine and in every company."""
MOST_DEPTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Hashes ``low`` to ``high``, both included, of one table."""

    table: int
    low: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperplanes:
    """Planes through the origin, a function of seed, table, place and dimensions alone.

    Attributes:
        dimensions: Of the vectors.
        tables: Hashes a vector has; each is stored and sorted by.
        bits: Signs a hash has, a multiple of 4.
        seed: Another one gives other planes; stored hashes and questions must share it.
    """

    dimensions: int
    tables: int = 4
    bits: int = 16
    seed: str = "conversations"
    _planes: Matrix = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.dimensions < 1 or self.tables < 1 or not 4 <= self.bits <= 64 or self.bits % 4:
            raise ValueError(f"a vector has dimensions, and a hash 4, 8, ... 64 bits: {self}")
        count = self.dimensions * self.tables * self.bits
        drawn = hashlib.shake_256(self.seed.encode()).digest(-(-count // 8))
        signs = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8), count=count).astype(np.float32)
        planes = (signs * 2 - 1).reshape(self.tables * self.bits, self.dimensions)
        object.__setattr__(self, "_planes", planes.T.copy())

    def hashes(self, vectors: Sequence[Sequence[float]] | Matrix) -> list[tuple[str, ...]]:
        """Of each vector one hash a table. Raises BrokenVector: other dimensions."""
        return [self._texts(row) for row in self._heights(vectors) >= 0]

    def packed(self, vectors: Sequence[Sequence[float]] | Matrix) -> list[bytes]:
        """Of each vector all its signs, eight in a byte: sketches that differ in few bits are of vectors at a
        small angle. Raises BrokenVector."""
        signs = self.signs(vectors)
        return [row.tobytes() for row in np.packbits(signs.reshape(len(signs), -1), axis=1)]

    def signs(self, vectors: Sequence[Sequence[float]] | Matrix) -> Signs:
        """Of each vector its signs, shape (vectors, tables, bits). Raises BrokenVector."""
        found: Signs = self._heights(vectors) >= 0
        return found

    def ranges(
        self, vector: Sequence[float] | Matrix, *, depth: int, probes: int, gap: int = 0
    ) -> list[Range]:
        """Where the vector's neighbours are likeliest: the ``probes`` cells whose ways are shortest.

        A cell of a table is what shares its first ``depth`` signs; the way to it is the sum of squares of the
        heights over the planes that lie between. Cells that touch are one range, and those with no more than
        ``gap`` others between them: these are read as well. Sorted by table and hash.

        Args:
            depth: 0 (everything is one cell, of the first table) to ``bits``, at most MOST_DEPTH.
            probes: Cells over all tables together; at most all of them.

        Raises:
            BrokenVector: Other dimensions.
        """
        if not 0 <= depth <= min(self.bits, MOST_DEPTH):
            raise ValueError(f"a depth is 0 to {min(self.bits, MOST_DEPTH)}, not {depth}")
        if depth == 0:
            return [Range(table=0, low=self._text(0, 0), high=self._text(0, 0, last=True))]
        heights = self._heights(np.asarray(vector, dtype=np.float32)[None])[0][:, :depth]
        cells, ways = _cells(heights)
        chosen = np.argsort(ways, axis=None, kind="stable")[:probes]
        tables, places = np.divmod(chosen, ways.shape[1])
        return [
            Range(table=table, low=self._text(low, depth), high=self._text(high, depth, last=True))
            for table in range(self.tables)
            for low, high in _runs(np.sort(cells[table][places[tables == table]]).tolist(), gap)
        ]

    def _heights(self, vectors: Sequence[Sequence[float]] | Matrix) -> Matrix:
        rows = np.asarray(vectors, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.dimensions:
            raise BrokenVector(f"vectors of {rows.shape[1:]} dimensions, the planes have {self.dimensions}")
        steps = np.float32(min(_MOST_STEPS, _EXACT // self.dimensions))
        most = np.abs(rows).max(axis=1, keepdims=True)
        whole = np.rint(rows / np.where(most > 0, most, np.float32(1)) * steps)
        heights: Matrix = whole @ self._planes
        return heights.reshape(len(rows), self.tables, self.bits)

    def _texts(self, signs: Signs) -> tuple[str, ...]:
        return tuple(np.packbits(row).tobytes().hex()[: self.bits // 4] for row in signs)

    def _text(self, cell: int, depth: int, *, last: bool = False) -> str:
        """The first hash of a cell, or its last."""
        rest = self.bits - depth
        number = ((cell + 1) << rest) - 1 if last else cell << rest
        return f"{number:0{self.bits // 4}x}"


def _cells(heights: Matrix) -> tuple[NDArray[np.int64], Matrix]:
    """All cells of each table and the ways to them, shapes (tables, 2 ** depth)."""
    tables, depth = heights.shape
    cells, ways = np.zeros((tables, 1), dtype=np.int64), np.zeros((tables, 1), dtype=np.float32)
    for place in range(depth):
        above = (heights[:, place] >= 0).astype(np.int64)[:, None]
        through = np.square(heights[:, place])[:, None]
        cells = np.concatenate([cells * 2 + above, cells * 2 + 1 - above], axis=1)
        ways = np.concatenate([ways, ways + through], axis=1)
    return cells, ways


def _runs(numbers: Sequence[int], gap: int) -> Iterator[tuple[int, int]]:
    """Ascending numbers as stretches of neighbours; up to ``gap`` numbers may lack between two."""
    first = last = None
    for number in numbers:
        if first is None or last is None:
            first = last = number
        elif number <= last + 1 + gap:
            last = number
        else:
            yield first, last
            first = last = number
    if first is not None and last is not None:
        yield first, last
