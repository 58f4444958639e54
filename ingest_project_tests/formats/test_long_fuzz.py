"""10,000 random files and 10,000 damaged ones against a plain reader: records, values, offsets, faults.

The files come from seeds, so a failure names the one that shows it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

import msgspec
import pytest

from ingest_project.formats.survey import Survey
from ingest_project_tests.formats.random_files import Maker
from ingest_project_tests.formats.streams import Oracle, Record, records_of, surveyed

COUNT = 10_000
BATCH = 500
GROUPS = (64, 300, 1000, 1 << 15)
BLOCKS = (7, 100, 999, 1 << 20)
EXACT = 1
"""A group of one byte: every record goes the exact way."""
WHOLE_KEY = "a key of a response beside its items"
"""The one fault that lies in more than a byte."""

pytestmark = pytest.mark.slow
SEEDS = pytest.mark.parametrize("first", range(0, COUNT, BATCH))
_with_msgspec = msgspec.json.Decoder(float_hook=Decimal)


@SEEDS
def test_random_files_read_as_the_plain_reader_reads_them(first: int) -> None:
    run(first, lambda maker: maker.file(), compare)


@SEEDS
def test_damaged_files_give_what_stands_before_their_fault_and_name_its_byte(first: int) -> None:
    run(first + COUNT, lambda maker: maker.mutated(maker.file()), compare_damaged)


def run(first: int, make: Callable[[Maker], bytes], check: Callable[[bytes, Random], object]) -> None:
    for seed in range(first, first + BATCH):
        data = make(Maker(seed))
        try:
            check(data, Random(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {data!r}") from error


def compare(data: bytes, random: Random) -> Survey:
    """Records, offsets and values as the plain reader has them, also from a mark on."""
    block, group = random.choice(BLOCKS), random.choice(GROUPS)
    expected, broken = Oracle.read(data)
    found = surveyed(data, block=block, group=group)
    assert (len(expected), broken) == (found.records, found.fault is not None)
    assert expected == records_of(data, found, block=block, group=group)
    if found.marks:
        mark = random.choice(found.marks)
        assert expected[mark.records :] == records_of(
            data, found, start=mark.offset, block=block, group=group
        )
    compare_values(expected)
    return found


def compare_values(records: list[Record]) -> None:
    """What msgspec makes of a record is what json makes of it; what it refuses has no values."""
    for _, raw in records:
        try:
            value = _with_msgspec.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation):
            continue
        assert typed(json.loads(raw, parse_float=Decimal)) == typed(value)


def typed(value: Any) -> Any:
    """Numbers by their digits: 1.0, 1.00 and 1 are three."""
    if isinstance(value, dict):
        return {name: typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    return (type(value), str(value))


def compare_damaged(data: bytes, random: Random) -> None:
    """As ``compare``; the fault is that of the exact way, and no byte but its own is to blame."""
    found = compare(data, random)
    exact = surveyed(data, block=1 << 20, group=EXACT)
    assert replace(exact, marks=()) == replace(found, marks=())
    fault = found.fault
    if fault is None or fault.expected == WHOLE_KEY:
        return
    before = surveyed(data[: fault.offset]).fault
    assert before is None or before.offset == fault.offset or before.expected == WHOLE_KEY
    if fault.offset < len(data):
        tail = random.choice((b"", b" ", b'"}]}', b"]", data[fault.offset + 1 :] + b"[{"))
        again = surveyed(data[: fault.offset + 1] + tail).fault
        assert again is not None
        assert fault.offset == again.offset
