"""The rows of an entity against a plain dict: first rows without memory, changes beside them."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.testing.wms_ids import FirstRows, Shape
from ingest_project.testing.wms_stamps import Stamps
from ingest_project.testing.wms_table import HIGHEST, LOWEST, Row, Table
from ingest_project.testing.wms_world import START, World

SHAPES = st.builds(
    lambda rows, gap, ties, period: Shape(
        rows=rows, first=100, end=10**9, gap=gap, span=10**6, ties=ties, period=period
    ),
    st.integers(0, 60),
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(2, 40),
)
CHANGES = st.lists(
    st.tuples(st.sampled_from("pd"), st.integers(95, 400), st.integers(0, 2 * 10**9)), max_size=25
)


@given(SHAPES, CHANGES, st.integers(0, 9))
def test_a_table_is_a_dict_that_counts_and_scans(
    shape: Shape, changes: list[tuple[str, int, int]], seed: int
) -> None:
    first = FirstRows(shape, seed)
    table = Table(first)
    ids = [first.id_at(index) for index in range(shape.rows)]
    rows = {row: Row(row, 0, first.modified(row)) for row in ids}
    for kind, row, modified in changes:
        # New ids come from above; ids that were taken and deleted never come back.
        if kind == "p" and (row in rows or (row >= first.beyond and row not in table._gone)):
            rows[row] = Row(row, 1, modified)
            table.put(rows[row])
        elif kind == "d":
            assert table.remove(row) == (rows.pop(row, None) is not None)
    assert [rows[row] for row in sorted(rows)] == list(table.by_id(LOWEST, HIGHEST, down=False))
    assert [rows[row] for row in sorted(rows, reverse=True)] == list(table.by_id(LOWEST, HIGHEST, down=True))
    moments = sorted({row.modified for row in rows.values()})
    for down in (False, True):
        groups = list(table.by_modified(LOWEST, HIGHEST, down=down))
        assert (moments[::-1] if down else moments) == [group[0].modified for group in groups]
        assert sorted(rows.values()) == sorted(row for group in groups for row in group)
    for low in (0, 120, 180):
        for high in (100, 150, 300, 10**10):
            assert sum(low <= row < high for row in rows) == table.count_ids(low, high)
    for low in (0, *moments[::7]):
        for high in (*moments[::5], 10**10):
            wanted = sum(low <= row.modified < high for row in rows.values())
            assert wanted == table.count_modified(low, high)
            found = [row for group in table.by_modified(low, high, down=False) for row in group]
            assert wanted == len(found)


def test_a_million_rows_take_no_memory() -> None:
    tracemalloc.start()
    world = World(rows=1_000_000, seed=1)
    rows = [row for _, row in zip(range(2000), world.truth("order_hdr"), strict=False)]
    texts = sum(
        len(text) for _, text in zip(range(500), world.truth_bytes("order_hdr", "http://x"), strict=False)
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (1_000_000, 2000) == (len(world["order_hdr"].table), len(rows))
    assert texts > 1_000_000
    assert peak < 8 * 2**20


@pytest.mark.parametrize("entity", ["allocation", "order_hdr", "order_dtl"])
def test_a_row_is_json_with_exactly_the_described_fields_and_depends_on_the_seed(entity: str) -> None:
    one, same, other = (World(rows=50, seed=seed) for seed in (1, 1, 2))
    texts = list(one.truth_bytes(entity, "http://x"))
    assert texts == list(same.truth_bytes(entity, "http://x"))
    assert texts != list(other.truth_bytes(entity, "http://x"))
    for text in texts:
        assert [field.name for field in one[entity].fields] == list(json.loads(text))


def test_summer_time_makes_texts_of_moments_that_do_not_sort_as_the_moments_do() -> None:
    stamps = Stamps(offset=-180, summer=60)
    april = stamps.moment("2026-04-01T00:00:00+00:00")
    before, after = stamps.text(april - 1), stamps.text(april)
    assert (b"2026-03-31T21:59:59.999999-02:00", b"2026-03-31T21:00:00.000000-03:00") == (before, after)
    assert [april - 1, april] == [stamps.moment(text.decode()) for text in (before, after)]
    assert START == stamps.moment("2025-12-31T22:00:00")
