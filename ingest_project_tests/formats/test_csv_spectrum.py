"""The cases of the npm package csv-spectrum: rows and values as Python's csv module reads them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ingest_project.core.layouts import Layout, heading
from ingest_project.core.model import KeySchema, Position, RecordBatch
from ingest_project.formats.csv_admission import RowAdmission
from ingest_project.formats.csv_layout import row_shape
from ingest_project_tests.formats.csv_files import chunk_of, rows_in, surveyed

FOLDER = Path(__file__).parent / "csv_spectrum"
CASES = sorted(path.stem for path in (FOLDER / "csvs").glob("*.csv"))
OTHER_ROW = "location_coordinates"


def read(name: str, block: int) -> list[dict[str, str]]:
    """The file through survey, cutter and admission, under a layout made of its own header."""
    text = (FOLDER / "csvs" / f"{name}.csv").read_bytes()
    header = next(iter(by_csv(name)))
    layout = Layout(name=name, required=tuple(map(heading, header)))
    survey = surveyed(text, layout, block=block)
    assert survey.fault is None
    keys = KeySchema(parts=(("key", "S"),))
    chunk = chunk_of(survey, keys=keys)
    found = rows_in(text, row_shape(chunk).delimiter, block=block, span=(survey.marks[0].offset, survey.end))
    admission = RowAdmission(chunk, lambda row: {**row, "key": "1"})
    batch = RecordBatch(first=0, raws=found.raws, offsets=found.places, after=Position(len(found.raws)))
    admitted = admission(batch)
    assert not admitted.rejections
    spelled = {heading(name): name for name in header}
    return [
        {spelled[name]: value["S"] for name, value in json.loads(line)["Item"].items() if name in spelled}
        for line in admitted.lines
    ]


def by_csv(name: str) -> list[dict[str, str]]:
    with (FOLDER / "csvs" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("block", [1, 5, 1 << 16])
@pytest.mark.parametrize("name", CASES)
def test_a_case_of_csv_spectrum_reads_as_the_csv_module_reads_it(name: str, block: int) -> None:
    assert by_csv(name) == read(name, block)


@pytest.mark.parametrize("name", [name for name in CASES if name != OTHER_ROW])
def test_a_case_of_csv_spectrum_is_what_its_json_says(name: str) -> None:
    expected = json.loads((FOLDER / "json" / f"{name}.json").read_bytes())
    assert (expected if isinstance(expected, list) else [expected]) == read(name, 1 << 16)
