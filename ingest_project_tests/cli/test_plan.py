"""`ingest plan`: the lanes beside each other, what is assumed and what is unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import update

from ingest_project.ledgers.schema import works
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import load_settings
from ingest_project_tests.cli.conftest import Ingest, write_lines

LANES = (
    "BatchWriteItem, on demand",
    "BatchWriteItem, provisioned",
    "ImportTable",
    "StartBulkPutItems, STANDARD",
    "StartBulkPutItems, ACCELERATED",
)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return write_lines(
        tmp_path / "things-dump.json", [{"id": f"r{n}", "text": "x" * 1500} for n in range(2_000)]
    )


def test_the_lanes_are_compared_with_what_is_assumed(bare_ingest: Ingest, dump: Path) -> None:
    done = bare_ingest("plan", dump, "--key", "id:S")
    assert 0 == done.status, done.err
    assert "2,000 items, 4,000 write units" in done.out
    assert all(lane in done.out for lane in LANES)
    assert "0.0025" in done.out  # 4,000 write units at 0.625 dollars a million
    assert "StartBulkPutItems, STANDARD: bulk put, STANDARD unknown" in done.out
    assert "import_gb: 0.15 for a GB of uncompressed lines (AWS price list, 2025-06)" in done.out
    assert "Quotas: AWS defaults as of" in done.out
    assert not (dump.parent / "home" / "ledger.db").exists()


def test_json_holds_everything(bare_ingest: Ingest, dump: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"put_standard_gb": 0.25, "as_of": "2026-12"}')
    words = ["--prices", prices, "--write-units", 2000, "--start-units", 1000, "--keep-days", 30]
    done = bare_ingest("plan", dump, "--key", "id:S", "--json", *words, "--items-per-second", 500)
    report = done.report
    assert (0, 2_000) == (done.status, report["volume"]["items"])
    found = {lane["name"]: lane for lane in report["lanes"]}
    assert set(LANES) == found.keys()
    assert 4.0 == found["BatchWriteItem, on demand"]["seconds"]
    put = found["StartBulkPutItems, STANDARD"]
    assert 4.0 + 4_000 / 2_000 == put["least_seconds"]
    assert put["dollars"] is not None
    assert "2026-12" == report["prices"]["put_standard_gb"]["as_of"]
    assert 30 == report["assumptions"]["keep_days"]


def test_a_file_that_cannot_be_planned_is_told_with_1(bare_ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    done = bare_ingest("plan", tmp_path / "no.json", "--key", "id:S")
    assert 1 == done.status
    assert "no.json: " in done.out


def test_prices_of_another_region_are_said_to_differ(
    bare_ingest: Ingest, dump: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    done = bare_ingest("plan", dump, "--key", "id:S")
    assert "The tables are in eu-north-1, where prices differ" in done.out


@pytest.mark.parametrize(
    "words", [["--prices", "{file}"], ["--key", "id:X"], ["--pattern", "*.csv", "--prices", "none.json"]]
)
def test_a_wrong_call_is_told_with_2(bare_ingest: Ingest, dump: Path, words: list[str]) -> None:
    done = bare_ingest("plan", dump, *[word.format(file=dump) for word in words])
    assert 2 == done.status
    assert "Error" in done.err


def test_the_plan_reads_and_nothing_else(bare_ingest: Ingest, dump: Path, home: Path) -> None:
    before = sorted(home.rglob("*"))
    bare_ingest("plan", dump, "--key", "id:S")
    assert (
        []
        == before
        == [path for path in sorted(home.rglob("*")) if path.is_file() and "ledger" not in path.name]
    )
    assert json.loads(dump.read_text().splitlines()[0])["id"] == "r0"


def test_the_outlook_has_intervals_workers_for_the_deadline_and_advice(
    bare_ingest: Ingest, dump: Path
) -> None:
    words = ["--key", "id:S", "--items-per-second", 10, "--start-units", 40_000]
    done = bare_ingest("plan", dump, *words, "--deadline", "1h", "--workers", 64)
    assert 0 == done.status, done.err
    assert "1 file, 3.1 MB, 2,000 rows" in done.out
    assert "80 requests, about" in done.out
    assert "64 workers share 1 chunk: 1 would do." in done.out
    late = bare_ingest("plan", dump, *words, "--deadline", "90s", "--json").report["outlook"]
    assert (2_000, 200, None) == (
        late["rows"]["likely"],
        late["seconds"]["likely"],
        late["workers_needed"],
    )
    assert "within 0:01:30: not surely, 1 workers over 1 chunks" in late["deadline"]
    wrong = bare_ingest("plan", dump, "--key", "id:S", "--deadline", "soon")
    assert 2 == wrong.status
    assert "write it as 90s, 45m, 2h or 1h30m" in wrong.err


def test_the_rate_of_earlier_loads_is_learned(ingest: Ingest, dump: Path, table: str) -> None:
    words = ["plan", dump, "--table", table, "--json"]
    before = ingest(*words).report
    assert (None, 30_000) == (before["learned"], before["assumptions"]["items_per_second"])
    assert 0 == ingest("load", dump, "--table", table, "--no-index").status
    slow = SqlLedger(load_settings().ledger_url)
    with slow._db.writing() as connection:
        connection.execute(update(works).values(seconds=5.0, updated=1e9))
    slow.close()
    found = ingest(*words).report
    assert 1 == found["learned"]["loads"]
    assert 400 == pytest.approx(found["assumptions"]["items_per_second"])
    assert found["outlook"]["seconds"]["low"] < 5 < found["outlook"]["seconds"]["high"]
    assert "rows/s (" in ingest(*words[:-1]).out
    told = ingest(*words, "--items-per-second", 9).report
    assert (None, 9) == (told["learned"], told["assumptions"]["items_per_second"])
    (load,) = ingest("status", "--json").report["imports"]
    assert (5.0, 400.0) == (load["seconds"], load["rows_per_second"])
    assert "2,000 rows in 5.0 s of work, 400 rows/s" in ingest("status").out


def test_a_table_without_earlier_loads_learns_nothing(ingest: Ingest, dump: Path, table: str) -> None:
    assert 0 == ingest("load", dump, "--table", table, "--no-index").status
    other = ingest("plan", dump, "--table", f"{table}-other", "--key", "id", "--json").report
    assert other["learned"] is None
