"""Spills: what comes in comes out in order of ranks, nothing lost, little held, and again after a kill."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import TransientFailure
from ingest_project.core.ranking import RANKS, Ranked
from ingest_project.sinks.spills import BUCKET_BYTES, MOST_BUCKETS, Spills, bucket_count


def drained(spills: Spills) -> list[bytes]:
    return [line for number in range(len(spills.buckets)) for block in spills.lines(number) for line in block]


def some(count: int, size: int = 40, seed: int = 1) -> list[tuple[int, bytes]]:
    rng = Random(seed)
    return [(rng.randrange(RANKS), b"%06d" % number + b"x" * rng.randrange(size)) for number in range(count)]


def blocks(pairs: list[tuple[int, bytes]], size: int = 7) -> Iterator[Ranked]:
    for at in range(0, len(pairs), size):
        some = pairs[at : at + size]
        yield [rank for rank, _ in some], [line for _, line in some]


def in_order(pairs: list[tuple[int, bytes]]) -> list[bytes]:
    return [line for _, line in sorted(pairs, key=lambda pair: pair[0])]


@given(
    st.lists(st.tuples(st.integers(0, RANKS - 1) | st.integers(0, 3), st.binary(max_size=9)), max_size=200),
    st.integers(1, 9),
    st.sampled_from([200, 2_000, 1 << 20]),
)
def test_lines_come_out_in_order_of_their_ranks_however_little_may_be_held(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, bytes]], buckets: int, hold: int
) -> None:
    pairs = [(rank, text.replace(b"\n", b"")) for rank, text in pairs]
    spills = Spills(tmp_path_factory.mktemp("spills"), buckets, hold=hold)
    spills.fill(blocks(pairs))
    assert len(pairs) == sum(bucket.records for bucket in spills.buckets)
    assert sum(len(line) for _, line in pairs) == sum(bucket.bytes for bucket in spills.buckets)
    assert in_order(pairs) == drained(spills)


def test_lines_of_one_rank_stay_together_and_in_order_also_when_they_are_too_many(tmp_path: Path) -> None:
    pairs = [(5, b"%04d" % number) for number in range(500)]
    spills = Spills(tmp_path / "spills", 4, hold=1_000)
    spills.fill(blocks(pairs))
    assert [line for _, line in pairs] == drained(spills)


def test_what_a_killed_process_spilled_to_its_end_is_taken_over_under_its_mark_alone(tmp_path: Path) -> None:
    pairs, folder = some(300), tmp_path / "spills"
    Spills(folder, 5).fill(blocks(pairs), "mark")
    found = Spills.complete(folder, "mark")
    assert found is not None
    assert in_order(pairs) == drained(found)
    assert Spills.complete(folder, "other") is None
    assert Spills.complete(tmp_path / "nowhere", "mark") is None


def test_a_process_that_died_while_it_spilled_left_nothing_that_counts(tmp_path: Path) -> None:
    pairs, folder = some(300), tmp_path / "spills"

    def dying() -> Iterator[Ranked]:
        yield from blocks(pairs[:200])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Spills(folder, 5, hold=1_000).fill(dying(), "mark")
    assert Spills.complete(folder, "mark") is None
    again = Spills(folder, 5, hold=1_000)
    again.fill(blocks(pairs), "mark")
    assert in_order(pairs) == drained(again)


@pytest.mark.parametrize("damage", ["cut", "gone", "more"])
def test_damaged_spills_are_removed_and_said_to_be_made_anew(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "spills"
    spills = Spills(folder, 1)
    spills.fill(blocks(some(300)), "mark")
    (file,) = folder.glob("bucket-*")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-3])
    elif damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes() * 2)
    with pytest.raises(TransientFailure, match="the same call makes it anew"):
        drained(spills)
    assert Spills.complete(folder, "mark") is None


HELD = """
import sys, tracemalloc
from pathlib import Path
from random import Random
from ingest_project.sinks.spills import RANKS, Spills

folder, hold, count, size = Path(sys.argv[1]), *map(int, sys.argv[2:])
rng = Random(3)
blocks = (
    ([rng.randrange(RANKS) for _ in range(500)], [b"%0*d" % (size, first + n) for n in range(500)])
    for first in range(0, count, 500)
)
spills = Spills(folder, 3, hold=hold)
tracemalloc.start()
spills.fill(blocks)
seen = sum(len(block) for number in range(3) for block in spills.lines(number))
print(seen, tracemalloc.get_traced_memory()[1])
"""


def test_no_more_is_held_than_was_allowed_whatever_comes(tmp_path: Path) -> None:
    """In a process of its own: what other tests left running would be counted too."""
    hold, count, size = 1 << 20, 40_000, 250
    command = [sys.executable, "-c", HELD, str(tmp_path / "spills"), str(hold), str(count), str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    seen, peak = map(int, done.stdout.split())
    assert count == seen
    assert peak < 3 * hold < count * size / 2


def test_buckets_grow_only_when_they_would_be_too_many() -> None:
    assert 1 == bucket_count(0) == bucket_count(1) == bucket_count(BUCKET_BYTES)
    assert 2 == bucket_count(BUCKET_BYTES + 1)
    assert MOST_BUCKETS == bucket_count(1 << 40)
    assert 4 * MOST_BUCKETS == bucket_count(1 << 44)
    assert 25 == bucket_count(100, 4)


def test_the_mark_of_a_complete_spill_is_json_that_others_can_read(tmp_path: Path) -> None:
    Spills(tmp_path / "spills", 2).fill(blocks(some(10)), "m")
    state = json.loads((tmp_path / "spills" / "complete.json").read_text())
    assert ("m", 10) == (state["mark"], sum(state["records"]))
