"""Threads beside the reader: same blocks, same errors, bounded, and none left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from ingest_project.sources.ahead import DEPTH, ahead, in_order


def test_blocks_come_in_order_and_errors_in_their_place() -> None:
    def blocks() -> Iterator[bytes]:
        yield from (b"%d" % n for n in range(50))
        raise ValueError("broken")

    reading = ahead(blocks())
    assert [b"%d" % n for n in range(50)] == [next(reading) for _ in range(50)]
    with pytest.raises(ValueError, match="broken"):
        next(reading)


def test_no_more_than_its_depth_waits_and_leaving_ends_the_thread() -> None:
    made = 0

    def blocks() -> Iterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x"

    before = threading.active_count()
    reading = ahead(blocks())
    for _ in range(10):
        next(reading)
    assert made <= 10 + DEPTH + 2
    reading.close()
    assert before == threading.active_count()


def test_fetches_are_under_way_together_and_their_results_come_in_order() -> None:
    together = threading.Barrier(4)

    def fetch(number: int) -> bytes:
        together.wait(30)
        return b"%d" % number

    before = threading.active_count()
    assert [b"%d" % n for n in range(12)] == list(in_order([partial(fetch, n) for n in range(12)], 4))
    assert before == threading.active_count()


def test_a_failed_fetch_raises_in_its_place_and_what_was_not_begun_never_is() -> None:
    begun: list[int] = []

    def fetch(number: int) -> bytes:
        begun.append(number)
        if number == 2:
            raise ValueError("broken")
        return b"%d" % number

    reading = in_order((partial(fetch, n) for n in range(1000)), 3)
    assert [b"0", b"1"] == [next(reading), next(reading)]
    with pytest.raises(ValueError, match="broken"):
        next(reading)
    assert len(begun) <= 5


def test_no_more_than_so_many_fetches_are_begun_before_their_results_are_taken() -> None:
    begun: list[int] = []

    def fetch(number: int) -> bytes:
        begun.append(number)
        return b"x"

    before = threading.active_count()
    reading = in_order((partial(fetch, n) for n in range(1000)), 3)
    for taken in range(1, 50):
        next(reading)
        assert len(begun) <= taken + 3
    reading.close()
    assert before == threading.active_count()
    assert len(begun) <= 52
