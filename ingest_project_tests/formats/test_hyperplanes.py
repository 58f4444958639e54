"""Hashes are the same everywhere and keep neighbours together; ranges hold exactly the cells they promise."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ingest_project.formats.hyperplanes import Hyperplanes
from ingest_project.formats.vectors import BrokenVector, Matrix

PLANES = Hyperplanes(dimensions=64, tables=3, bits=16)


def vectors(count: int, seed: int = 1) -> Matrix:
    rows = np.random.default_rng(seed).standard_normal((count, 64), dtype=np.float32)
    found: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def test_a_hash_is_the_same_in_every_process_and_in_every_company() -> None:
    told = (
        "from ingest_project.formats.hyperplanes import Hyperplanes\n"
        "vector = [((7 * place) % 11 - 5) / 10 for place in range(64)]\n"
        "print(*Hyperplanes(dimensions=64, tables=3, bits=16).hashes([vector])[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60
    )
    vector = [((7 * place) % 11 - 5) / 10 for place in range(64)]
    assert ["5aae", "cfa3", "b031"] == done.stdout.split()
    assert tuple(done.stdout.split()) == PLANES.hashes([vector])[0]
    many = vectors(300)
    assert PLANES.hashes(many) == [PLANES.hashes(row[None])[0] for row in many]
    assert PLANES.hashes(many) == [*reversed(PLANES.hashes(many[::-1]))]


def test_length_does_not_matter_and_the_seed_does() -> None:
    many = vectors(50)
    assert PLANES.hashes(many) == PLANES.hashes(many * np.float32(4))
    assert PLANES.hashes(many) != replace(PLANES, seed="another").hashes(many)
    assert [("ffff",) * 3] == PLANES.hashes(np.zeros((1, 64), dtype=np.float32))


def test_the_share_of_differing_signs_is_that_of_the_angle() -> None:
    planes = Hyperplanes(dimensions=64, tables=32, bits=64)
    one, other = vectors(2)
    angle = float(np.arccos(one @ other)) / np.pi
    left, right = planes.signs(np.stack([one, other]))
    assert abs(float((left != right).mean()) - angle) < 0.05
    packed = [
        np.unpackbits(np.frombuffer(data, dtype=np.uint8)) for data in planes.packed(np.stack([one, other]))
    ]
    assert int((left != right).sum()) == int((packed[0] != packed[1]).sum())


@pytest.mark.parametrize(("depth", "probes"), [(1, 1), (6, 9), (6, 192), (9, 40)])
def test_ranges_hold_the_nearest_cells_and_no_others(depth: int, probes: int) -> None:
    (vector,) = vectors(1, seed=9)
    ranges = PLANES.ranges(vector, depth=depth, probes=probes)
    cells = {
        (one.table, cell)
        for one in ranges
        for cell in range(int(one.low, 16) >> (16 - depth), (int(one.high, 16) >> (16 - depth)) + 1)
    }
    assert probes == len(cells)
    heights = PLANES._heights(vector[None])[0][:, :depth]
    ways = {
        (table, cell): sum(
            float(height) ** 2
            for place, height in enumerate(heights[table])
            if (cell >> (depth - 1 - place) & 1) != (height >= 0)
        )
        for table in range(3)
        for cell in range(2**depth)
    }
    assert pytest.approx(sorted(ways.values())[:probes]) == sorted(ways[cell] for cell in cells)
    own = PLANES.hashes(vector[None])[0]
    assert any(one.low <= own[one.table] <= one.high for one in ranges)
    assert len({(one.table, one.low) for one in ranges}) == len(ranges)


@pytest.mark.parametrize("gap", [2, 3, 8])
def test_cells_with_few_others_between_them_are_read_as_one_range(gap: int) -> None:
    (vector,) = vectors(1, seed=9)
    apart = PLANES.ranges(vector, depth=6, probes=30)
    together = PLANES.ranges(vector, depth=6, probes=30, gap=gap)
    assert len(together) < len(apart)
    for one in apart:
        assert any(
            other.table == one.table and other.low <= one.low and one.high <= other.high for other in together
        )
    ends = {(one.table, end) for one in apart for end in (one.low, one.high)}
    assert ends >= {(one.table, end) for one in together for end in (one.low, one.high)}
    for one, following in pairwise(together):
        width = (int(following.low, 16) - int(one.high, 16) - 1) >> 10
        assert one.table != following.table or width > gap


def test_depth_0_is_everything_once() -> None:
    (found,) = PLANES.ranges(vectors(1)[0], depth=0, probes=5)
    assert (0, "0000", "ffff") == (found.table, found.low, found.high)


def test_what_cannot_be_hashed_is_refused() -> None:
    with pytest.raises(BrokenVector, match="the planes have 64"):
        PLANES.hashes([[1.0, 2.0]])
    with pytest.raises(ValueError, match="a depth is 0 to 16, not 17"):
        PLANES.ranges(vectors(1)[0], depth=17, probes=1)
    with pytest.raises(ValueError, match="bits"):
        Hyperplanes(dimensions=64, bits=10)
