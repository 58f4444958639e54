"""Survey: marks are bounded, counts are exact, a fault ends it."""

from __future__ import annotations

from itertools import pairwise

from ingest_project.formats.survey import survey
from ingest_project_tests.formats.streams import blocks_of, records_of, surveyed


def many(count: int) -> bytes:
    return b"[" + b",".join(b'{"id":"%d"}' % n for n in range(count)) + b"]"


def test_marks_lie_about_a_gap_apart_and_the_first_is_the_first_record() -> None:
    found = surveyed(many(20_000), gap=10_000, group=1000)
    assert (found.marks[0].offset, found.marks[0].records) == (1, 0)
    gaps = [after.offset - before.offset for before, after in pairwise(found.marks)]
    assert all(10_000 <= gap <= 12_000 for gap in gaps)


def test_more_data_widens_the_gaps_and_never_adds_marks() -> None:
    data = many(50_000)
    found = surveyed(data, gap=100, most=64, group=100)
    assert 32 <= len(found.marks) <= 64
    whole = records_of(data, found)
    assert [whole[mark.records][0] for mark in found.marks] == [mark.offset for mark in found.marks]


def test_length_and_end_of_a_whole_file() -> None:
    found = surveyed(b'{"Items":[{"a":1}],"Count":1} \n')
    assert (found.length, found.end, found.records) == (31, 17, 1)


def test_length_and_end_of_a_broken_file() -> None:
    found = surveyed(b'[{"a":1},{"a":2},{"a"]')
    assert found.fault is not None
    assert (found.fault.offset, found.length, found.end, found.records) == (21, 21, 16, 2)


def test_a_record_over_the_limit_is_a_fault_at_its_start() -> None:
    data = b'[{"a":1},{"a":"' + b"x" * 5000 + b'"}]'
    found = survey(lambda: blocks_of(data, 100), limit=1000)
    assert found.fault is not None
    assert (found.fault.offset, found.fault.expected, found.records) == (
        9,
        "a record of at most 1000 bytes",
        1,
    )
