"""`ingest plan --rows N` and `--hosts N`: how many hosts, how long, how much."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from ingest_project.ledgers.schema import works
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import load_settings
from ingest_project_tests.cli.conftest import Ingest, write_lines

BILLION = ["--rows", 1_000_000_000, "--row-bytes", 1024, "--deadline", "24h", "--run-bytes", 16_000_000_000]


@pytest.fixture
def dump(tmp_path: Path, table: str) -> Path:
    lines = [{"id": f"r{n}", "text": "x" * 1500} for n in range(2_000)]
    return write_lines(tmp_path / f"{table}-dump.json", lines)


def test_a_billion_rows_in_a_day_are_answered_with_hosts_and_dollars(bare_ingest: Ingest) -> None:
    done = bare_ingest("plan", *BILLION, "--items-per-second", 3_000)
    assert 0 == done.status, done.err
    assert "1,000,000,000 rows of 1,024 bytes, 1,024.0 GB, 1,000,000,000 write units; 64 runs" in done.out
    assert "within 24:00:00: 2 worker hosts needed" in done.out
    assert "writes 625.00" in done.out
    assert "run_rate: 3,000 rows/s of one run, starts left out (--items-per-second)" in done.out
    assert "start_seconds: " in done.out
    assert "host_hour: 0.145 for a host of 4 cores (c7g.xlarge, on demand) and hour" in done.out
    assert "table_most_units: 40,000 write units a second at most" in done.out


def test_json_has_the_fleets_their_costs_and_all_that_was_taken(bare_ingest: Ingest) -> None:
    words = ["--hosts", 3, "--hosts", 5, "--at-once", 2, "--host-price", 2, "--host-losses", 0, "--json"]
    report = bare_ingest("plan", *BILLION, "--items-per-second", 3_000, *words).report
    fleet = report["fleet"]
    offers = {offer["hosts"]: offer for offer in fleet["offers"]}
    assert {3, 5, fleet["needed"]} <= offers.keys()
    hours = offers[3]["forecast"]["seconds"]["likely"] / 3600
    assert ["hosts", pytest.approx(6 * hours)] == offers[3]["costs"][0]
    assert "--host-price" == report["prices"]["host_hour"]["source"]
    assert {"value", "unit", "source", "as_of"} == dict(fleet["assumed"])["start_seconds"].keys()
    assert (0, 2) == (report["means"]["failures"]["hosts_an_hour"], report["means"]["at_once"])
    assert report == bare_ingest("plan", *BILLION, "--items-per-second", 3_000, *words).report


def test_hosts_for_files_are_planned_with_what_the_ledger_knows_of_one_run(
    ingest: Ingest, dump: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["plan", dump, "--table", table, "--hosts", 2, "--json"]
    assert 0 == ingest("load", dump, "--table", table, "--no-index").status
    slow = SqlLedger(load_settings().ledger_url)
    with slow._db.writing() as connection:
        connection.execute(update(works).values(seconds=5.0))
    slow.close()
    monkeypatch.setenv("INGEST_SHARED_WRITE_UNITS", f"{table}=50")
    report = ingest(*words).report
    # Validated in 5 seconds, written in 5 more.
    assert 200 == pytest.approx(dict(report["fleet"]["assumed"])["run_rate"]["value"])
    assert (2_000, 4_000, 50) == (
        report["cargo"]["rows"],
        report["cargo"]["write_units"],
        report["means"]["units"],
    )
    (offer,) = report["fleet"]["offers"]
    assert 80 < offer["forecast"]["seconds"]["likely"] < 100
    assert "1 chunks of earlier loads, in the ledger" in ingest(*words[:-1]).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name files, or say how many --rows"),
        (["--rows", 0], "there are no rows to load"),
        (["--rows", 10**9, "--run-bytes", 1e6], "--run-bytes: 1,024,000 runs; give each more, 5,000 at most"),
    ],
)
def test_a_question_without_an_answer_is_told_with_2(
    bare_ingest: Ingest, words: list[object], said: str
) -> None:
    done = bare_ingest("plan", *words)
    assert 2 == done.status
    assert said in done.err
