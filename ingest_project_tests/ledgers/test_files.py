"""The register of inbox files: what is complete, what was asked for, what became of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import SourceFile
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.doubles_time import FakeClock

MODIFIED = datetime(2026, 11, 22, 8, 30, 15, 250_000, tzinfo=UTC)
FILE = SourceFile(uri="s3://inbox/a.json", etag="e1", size=10, modified=MODIFIED)
SETTLE = 5.0


def look(ledger: SqlLedger, *listing: SourceFile, complete: Sequence[str] = ()) -> list[str]:
    found = ledger.files.observe(listing, entity="messages", settle=SETTLE, complete=complete)
    return [entry.file.uri for entry in found]


def settle(ledger: SqlLedger, clock: FakeClock, *listing: SourceFile) -> None:
    look(ledger, *listing)
    clock.advance(SETTLE)
    look(ledger, *listing)


def state(ledger: SqlLedger, file: SourceFile = FILE) -> str:
    entry = ledger.files.get(file.uri, file.etag)
    assert entry is not None
    return entry.state


def test_one_look_never_makes_a_file_complete(ledger: SqlLedger, clock: FakeClock) -> None:
    assert look(ledger, FILE) == []
    found = ledger.files.observe([FILE, FILE], entity="messages", settle=0.0)
    assert [entry.file.uri for entry in found] == []
    clock.advance(0.1)
    (entry,) = ledger.files.observe([FILE], entity="messages", settle=0.0)
    assert entry.file == FILE


def test_a_file_is_complete_when_it_rested_long_enough_and_only_once(
    ledger: SqlLedger, clock: FakeClock
) -> None:
    assert look(ledger, FILE) == []
    clock.advance(SETTLE - 1)
    assert look(ledger, FILE) == []
    clock.advance(1)
    assert look(ledger, FILE) == [FILE.uri]
    assert look(ledger, FILE) == []
    (entry,) = ledger.files.pending("messages")
    assert (entry.file, entry.state, entry.attempts) == (FILE, "stable", 0)


def test_a_file_that_grows_starts_its_rest_anew(ledger: SqlLedger, clock: FakeClock) -> None:
    look(ledger, FILE)
    clock.advance(SETTLE)
    grown = replace(FILE, size=20)
    assert look(ledger, grown) == []
    clock.advance(SETTLE)
    assert look(ledger, grown) == [FILE.uri]


def test_a_done_file_makes_complete_at_once(ledger: SqlLedger) -> None:
    assert look(ledger, FILE, complete=[FILE.uri]) == [FILE.uri]


def test_other_bytes_under_a_name_are_another_file(ledger: SqlLedger, clock: FakeClock) -> None:
    settle(ledger, clock, FILE)
    newer = replace(FILE, etag="e2", size=11)
    assert look(ledger, newer) == []
    assert (state(ledger), state(ledger, newer)) == ("replaced", "seen")
    assert ledger.files.pending("messages") == []
    assert look(ledger, FILE) == []
    assert (state(ledger), state(ledger, newer)) == ("seen", "replaced")


def test_a_failed_file_is_replaced_by_the_good_one_of_its_name(ledger: SqlLedger, clock: FakeClock) -> None:
    settle(ledger, clock, FILE)
    ledger.files.mark_requested(FILE.uri, FILE.etag, run="r", date="2026-11-22", target="a")
    ledger.files.mark_failed(FILE.uri, FILE.etag, "it breaks off")
    look(ledger, replace(FILE, etag="e2"))
    assert state(ledger) == "replaced"
    assert not ledger.files.retry(FILE.uri, FILE.etag)


def test_a_file_under_way_is_not_replaced_by_a_newer_one(ledger: SqlLedger, clock: FakeClock) -> None:
    settle(ledger, clock, FILE)
    ledger.files.mark_requested(FILE.uri, FILE.etag, run="r", date="2026-11-22", target="a")
    look(ledger, replace(FILE, etag="e2"))
    assert state(ledger) == "requested"


def test_a_file_goes_its_way_from_seen_to_consumed(ledger: SqlLedger, clock: FakeClock) -> None:
    settle(ledger, clock, FILE)
    (entry,) = ledger.files.pending("messages")
    files = ledger.files
    assert files.mark_requested(FILE.uri, "e1", run=entry.next_run, date="2026-11-22", target="a")
    assert not files.mark_requested(FILE.uri, "e1", run="other", date="2026-11-22", target="a")
    assert files.pending("messages") == []
    (asked,) = files.list("messages", state="requested", date="2026-11-22")
    assert (asked.run, asked.target, asked.attempts) == (entry.next_run, "a", 1)
    files.set_fingerprint(FILE.uri, "e1", "f" * 64)
    assert files.mark_consumed(FILE.uri, "e1")
    assert not files.mark_failed(FILE.uri, "e1", "too late")
    done = files.get(FILE.uri, "e1")
    assert done is not None
    assert (done.state, done.fingerprint) == ("consumed", "f" * 64)
    assert files.states("messages") == {"consumed": 1}


def test_a_failed_file_is_asked_for_again_under_another_run_key(ledger: SqlLedger, clock: FakeClock) -> None:
    settle(ledger, clock, FILE)
    (first,) = ledger.files.pending("messages")
    ledger.files.mark_requested(FILE.uri, "e1", run=first.next_run, date="2026-11-22", target="a")
    assert ledger.files.mark_failed(FILE.uri, "e1", "byte 7: expected a value")
    settle(ledger, clock, FILE)
    (failed,) = ledger.files.list("messages", state="failed")
    assert failed.reason == "byte 7: expected a value"
    assert ledger.files.retry(FILE.uri, "e1")
    (again,) = ledger.files.pending("messages")
    assert again.next_run != first.next_run
    assert again.next_run.rpartition(":")[0] == first.next_run.rpartition(":")[0]


def test_the_register_survives_a_restart(ledger: SqlLedger, ledger_url: str, clock: FakeClock) -> None:
    look(ledger, FILE)
    ledger.close()
    clock.advance(SETTLE)
    later = SqlLedger(ledger_url, clock=clock)
    assert look(later, FILE) == [FILE.uri]
    later.close()


def test_a_listing_of_any_length_is_noted(ledger: SqlLedger, clock: FakeClock) -> None:
    listing = [replace(FILE, uri=f"s3://inbox/{number:04d}.json") for number in range(1001)]
    settle(ledger, clock, *listing)
    assert ledger.files.states("messages") == {"stable": 1001}
    assert ledger.files.states("wms") == {}
    first = [entry.file for entry in ledger.files.pending("messages", limit=3)]
    assert listing[:3] == first


def test_a_state_that_does_not_exist_is_refused(ledger: SqlLedger) -> None:
    with pytest.raises(ConfigurationError, match="no such state"):
        ledger.files.list("messages", state="done")


def test_the_questions_of_a_sensor_are_answered_by_indexes(tmp_path: Path) -> None:
    ledger = SqlLedger(tmp_path / "ledger.db")
    assert ledger.files.pending("messages") == []
    ledger.close()
    question = (
        "EXPLAIN QUERY PLAN SELECT * FROM ingest_files WHERE entity = 'm' AND state = 'stable' "
        "ORDER BY first_seen, uri, etag LIMIT 100"
    )
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        steps = [row[3] for row in connection.execute(question)]
    assert any("USING INDEX ingest_files_by_state" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)
