"""Claim: survey and reading of CSV rows, beside Python's csv module on the same file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from benchmarks.claims import Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Done, Row, Work
from ingest_project.core.layouts import Layout
from ingest_project.core.model import Chunk, KeySchema, Position
from ingest_project.core.planning import Binding, plan
from ingest_project.formats.attribute_values import Value
from ingest_project.formats.csv_admission import RowAdmission
from ingest_project.sources.dumps import list_files
from ingest_project.sources.rows import RowSource

TEXTS = ("time", "state", "order", "deal", "article", "title", "made_by", "channel", "shop", "invoice")
PLACES = ("store", "carrier", "cashless", "parcel", "sent", "province", "city", "note")
NUMBERS = ("price", "count", "total", "costs", "fee", "sum", "channel_price", "channel_total", "profit")
LAYOUT = Layout(name="lines", required=(*TEXTS, *NUMBERS, *PLACES))
KEYS = KeySchema(parts=(("order", "S"), ("deal", "S")))

PEER, PEER_EXACT = "csv.DictReader", "csv.DictReader, numbers as Decimal"
SURVEY, READ, ITEMS = "survey", "read: rows as bytes", "read: part lines, numbers as Decimal"


def written(path: Path, size: int) -> Path:
    """Rows of some 230 B with 27 columns, two of them quoted for their comma."""
    with path.open("w", newline="") as file:
        file.write(",".join(LAYOUT.required) + "\r\n")
        number = 0
        while file.tell() < size:
            file.writelines(_row(number + one) for one in range(1000))
            number += 1000
    return path


def _row(number: int) -> str:
    head = f'"01 January 2025, 10:00:00",done,PS-{number // 2},TRX{number},SKU{number % 100},Product A,user,'
    tail = f'Store A,JNE,Yes,RESI{number},"02 January 2025, 10:00:00",Java,Bandung,'
    money = "15.75,2,31.50,1,0.5,33.0,15.75,31.50,2.0"
    return f"{head}online,My Shop,INV{number},{money},{tail}\r\n"


def counted(path: Path, rows: int) -> Done:
    assert rows > 1000
    return Done(units=path.stat().st_size / 1e6)


def with_csv(path: Path, exact: bool = False) -> Work:
    def work() -> Done:
        rows = 0
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if exact:
                    line_of(row)
                rows += 1
        return counted(path, rows)

    return work


def line_of(row: Mapping[str, str]) -> Mapping[str, Value]:
    return {**row, **{name: Decimal(row[name]) for name in NUMBERS}}


def chunk_of(path: Path) -> Chunk:
    index = RowSource([LAYOUT]).index(list_files(str(path))[0])
    bound = Binding(index=index, target="null", keys=KEYS)
    return plan(None, [bound], entity="bench", date="2026-01-01", slots=1).chunks[0]


def surveying(path: Path) -> Work:
    return lambda: counted(path, RowSource([LAYOUT]).index(list_files(str(path))[0]).records)


def reading(path: Path, admitted: bool = False) -> Work:
    """The whole file as one chunk; its survey is not part of the work."""
    chunk = chunk_of(path)

    def work() -> Done:
        batches = RowSource([LAYOUT]).read(chunk, Position())
        if not admitted:
            return counted(path, sum(len(batch.raws) for batch in batches))
        admission = RowAdmission(chunk, line_of)
        return counted(path, sum(len(admission(batch).lines) for batch in batches))

    return work


@contextmanager
def prepare(scale: Scale, folder: Path) -> Iterator[Stage]:
    path = written(folder / "lines.csv", scale.of(4, 32) << 20)
    own = {"path": path}
    yield Stage(
        rows=[
            Row(name=PEER, make=with_csv, given=own),
            Row(name=PEER_EXACT, make=with_csv, given={**own, "exact": True}),
            Row(name=SURVEY, make=surveying, given=own, ours=True),
            Row(name=READ, make=reading, given=own, ours=True),
            Row(name=ITEMS, make=reading, given={**own, "admitted": True}, ours=True),
        ],
        note=f"`{ITEMS}` ends with lines of DynamoDB JSON, key hashes and offsets; the peers end with dicts.",
    )


CLAIMS = (
    Claim(
        name="reading-csv",
        family="reading",
        title="Reading: CSV, rows of 230 B with 27 columns",
        unit="MB",
        columns=usual_columns("MB"),
        against=[*times(PEER, "DictReader", clock=True, gated=True), *times(PEER_EXACT, "with Decimal")],
        prepare=prepare,
    ),
)
