"""Threads beside the reader: same blocks, same errors, and none left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ingest_project.sources.ahead import DEPTH, ahead


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
