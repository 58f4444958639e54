"""SheetSource: a workbook's sheet through survey, plan, chunk and admission, as any file of rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest

from ingest_project.core.errors import BadInput
from ingest_project.core.layouts import Layout, Sheet
from ingest_project.core.model import Chunk, KeySchema, Position
from ingest_project.core.planning import Binding, plan
from ingest_project.formats.attribute_values import Value
from ingest_project.formats.csv_admission import BadValue, RowAdmission
from ingest_project.sources.dumps import list_files
from ingest_project.sources.sheets import SheetSource
from ingest_project_tests.formats.workbooks import workbook

LAYOUT = Layout(name="income", required=("id", "price"))
SOURCE = SheetSource(Sheet(name="Income", header=2), [LAYOUT], block=1000, group=500)


def chunk_of(path: Path, packed: bytes) -> Chunk:
    path.write_bytes(packed)
    index = SOURCE.index(list_files(str(path))[0])
    bound = Binding(index=index, target="t", keys=KeySchema(parts=(("id", "S"),)))
    (chunk,) = plan(None, [bound], entity="e", date="2026-01-01", min_chunk_bytes=1).chunks
    return chunk


def priced(row: Mapping[str, str]) -> Mapping[str, Value]:
    try:
        return {"id": row["id"], "price": Decimal(row["price"])}
    except InvalidOperation:
        raise BadValue("price", f"{row['price']!r} is not a number") from None


def test_a_sheet_is_validated_and_its_bad_rows_have_the_numbers_of_the_sheet(tmp_path: Path) -> None:
    rows: list[list[object]] = [["report"], ["Price", None, "ID"], [1.1, "x", "a"], []]
    rows += [["#N/A", None, "b"], [2, "y", "c", "stray"], [3, None, "d"]]
    chunk = chunk_of(tmp_path / "a.xlsx", workbook({"Summary": [], "Income": rows}))
    (batch,) = SOURCE.read(chunk, Position())
    found = RowAdmission(chunk, priced)(batch)
    assert [{"id": {"S": "a"}, "price": {"N": "1.1"}}, {"id": {"S": "d"}, "price": {"N": "3"}}] == [
        json.loads(line)["Item"] for line in found.lines
    ]
    assert [
        "row 5, column price: '#N/A' is not a number",
        "row 6, column 4: the row has 4 fields, the header 3",
    ] == [letter.reason for letter in found.rejections]


def test_a_large_sheet_is_one_chunk_and_read_on_from_any_place(tmp_path: Path) -> None:
    rows: list[list[object]] = [[], ["id", "price"], *([f"order {n}", n / 4] for n in range(2000))]
    chunk = chunk_of(tmp_path / "a.xlsx", workbook({"Income": rows}))
    assert (chunk.records, chunk.compression) == (2000, "xlsx")
    batches = list(SOURCE.read(chunk, Position()))
    everything = [raw for batch in batches for raw in batch.raws]
    assert everything[-1] == b"2002,order 1999,499.75"
    middle = batches[len(batches) // 2].after
    rest = [raw for batch in SOURCE.read(chunk, middle) for raw in batch.raws]
    assert everything[middle.ordinal :] == rest


@pytest.mark.parametrize(
    ("sheets", "told"),
    [
        ({"Summary": []}, "expected sheet 'Income', not only 'Summary'"),
        ({"Income": [[], ["id"], ["a"]]}, "expected a header of layout income; missing columns: price"),
        ({"Income": []}, "expected a header; the file is empty"),
    ],
)
def test_a_workbook_that_is_not_as_it_must_be_fails_by_name(
    tmp_path: Path, sheets: dict[str, list[list[object]]], told: str
) -> None:
    chunk = chunk_of(tmp_path / "a.xlsx", workbook(sheets))
    with pytest.raises(BadInput, match=r"a\.xlsx") as caught:
        list(SOURCE.read(chunk, Position()))
    assert str(caught.value).endswith(told)
