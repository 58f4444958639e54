"""SqlLedger under the laws of every ledger, on SQLite and on PostgreSQL, and what is its own beyond them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_project.core.errors import ChunkBusy, ConfigurationError, CountLost, TransientFailure
from ingest_project.core.model import Counts, Fault, Position, Rejection
from ingest_project.ledgers.database import Database, normalise
from ingest_project.ledgers.schema import versions
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.laws import HorizonLaws, LedgerLaws
from ingest_project.testing.laws_ledger import LEASE, dead_letter, move, take, validate
from ingest_project.testing.samples import sample_chunk


class _OnBoth:
    @pytest.fixture
    def ledger(self, ledger_url: str, clock: FakeClock) -> Iterator[SqlLedger]:
        ledger = SqlLedger(ledger_url, clock=clock)
        yield ledger
        ledger.close()


class TestSqlLedgerLaws(_OnBoth, LedgerLaws):
    """Claims, leases, accounts and seals."""


class TestSqlHorizonLaws(_OnBoth, HorizonLaws):
    """Law 11 across chunks."""


def test_the_account_outlives_the_process(ledger: SqlLedger, ledger_url: str, clock: FakeClock) -> None:
    move(ledger, take(ledger, sample_chunk()), 4, written=3, rejections=[dead_letter(2)])
    ledger.close()
    clock.advance(LEASE + 1)
    later = SqlLedger(ledger_url, clock=clock)
    claim = take(later, sample_chunk(), "two")
    assert Position(4) == claim.position
    assert Counts(sent=4, written=3, rejected=1) == claim.counts
    assert [dead_letter(2)] == list(later.rejections(sample_chunk(), "table"))
    later.close()


def test_a_validated_chunk_with_fewer_records_than_planned_cannot_be_sealed(ledger: SqlLedger) -> None:
    chunk = sample_chunk(records=10)
    held = take(ledger, chunk, stage="validated", identity="parts")
    move(ledger, held, 9, written=9)
    with pytest.raises(CountLost, match="10 records by its plan, 9 were read"):
        ledger.seal(held, seconds=1.0)
    assert ledger.horizon("messages", "messages") == 0
    move(ledger, held, 10, written=1)
    ledger.seal(held, seconds=1.0)
    assert ledger.horizon("messages", "messages") == 1


def test_a_chunk_with_a_fault_is_not_held_to_its_plan(ledger: SqlLedger) -> None:
    chunk = sample_chunk(records=10, fault=Fault(offset=900, expected="a value"))
    held = take(ledger, chunk, stage="validated", identity="parts")
    move(ledger, held, 9, written=9)
    ledger.seal(held, seconds=1.0)
    assert [status.state for status in ledger.status()] == ["sealed"]


def test_a_rejection_that_cannot_be_stored_takes_the_whole_advance_with_it(ledger: SqlLedger) -> None:
    held = take(ledger, sample_chunk())
    broken = Rejection(ordinal=2**70, offset=0, reason="r", raw=b"")
    with pytest.raises(Exception, match=r"too large|out of range"):
        move(ledger, held, 5, written=4, rejections=[dead_letter(1), broken])
    claim = take(ledger, sample_chunk())
    assert (Position(), Counts()) == (claim.position, claim.counts)
    assert list(ledger.rejections(sample_chunk(), "table")) == []


def test_validated_again_under_another_store_a_chunk_gets_a_new_number(ledger: SqlLedger) -> None:
    chunk = sample_chunk()
    assert validate(ledger, chunk) == 1
    held = take(ledger, chunk, stage="validated", identity="another")
    assert not held.sealed
    move(ledger, held, chunk.records, written=chunk.records)
    ledger.seal(held, seconds=1.0)
    assert ledger.horizon("messages", "messages") == 2


def test_busy_says_for_how_long(ledger: SqlLedger, clock: FakeClock) -> None:
    take(ledger, sample_chunk())
    clock.advance(10.0)
    with pytest.raises(ChunkBusy, match="held by one for 20 s more") as caught:
        take(ledger, sample_chunk(), "two")
    assert caught.value.retry_after == LEASE - 10.0


def test_a_later_chunk_that_was_begun_and_released_still_outdates_older_losers(ledger: SqlLedger) -> None:
    early, late = sample_chunk("a"), sample_chunk("b")
    old = validate(ledger, early)
    new = validate(ledger, late)
    ledger.release(take(ledger, late, horizon=new), "stopped before its first step")
    with pytest.raises(ChunkBusy, match="name them again"):
        take(ledger, early, "two", horizon=old)


def test_order_is_that_of_the_bytes_and_not_of_a_locale(ledger: SqlLedger) -> None:
    early, late = sample_chunk("Z"), sample_chunk("a")
    old = validate(ledger, early)
    new = validate(ledger, late)
    take(ledger, early, horizon=old)
    with pytest.raises(ChunkBusy, match="waits for the earlier chunk"):
        take(ledger, late, "two", horizon=new)


def test_text_that_no_database_stores_is_written_out(ledger: SqlLedger) -> None:
    held = take(ledger, sample_chunk())
    hostile = Rejection(ordinal=0, offset=1, reason="bad \0 and \udcff", raw=b"\0\xff", key="é\0\ud800")
    move(ledger, held, 1, rejections=[hostile])
    ledger.fail(held, "nul \0", seconds=0.5)
    (stored,) = ledger.rejections(sample_chunk(), "table")
    expected = ("bad \\x00 and \\udcff", "é\\x00\\ud800", b"\0\xff")
    assert expected == (stored.reason, stored.key, stored.raw)
    assert [status.reason for status in ledger.status()] == ["nul \\x00"]


def test_status_shows_an_expired_claim_as_open(ledger: SqlLedger, clock: FakeClock) -> None:
    take(ledger, sample_chunk())
    clock.advance(LEASE + 1)
    (status,) = ledger.status("messages")
    assert (status.state, status.reason) == ("open", "the lease of one ran out")


def test_status_selects_by_state(ledger: SqlLedger) -> None:
    ledger.fail(take(ledger, sample_chunk("a")), "broken", seconds=1.0)
    take(ledger, sample_chunk("b"))
    assert [row.uri for row in ledger.status(state="failed")] == ["file:///in/a.json"]
    assert [row.uri for row in ledger.status("messages", state="claimed")] == ["file:///in/b.json"]


def test_seconds_add_up_over_attempts(ledger: SqlLedger) -> None:
    ledger.fail(take(ledger, sample_chunk()), "broken", seconds=1.5)
    ledger.seal(take(ledger, sample_chunk()), seconds=2.0)
    (status,) = ledger.status()
    assert (status.seconds, status.reason) == (3.5, "")


def test_a_ledger_of_another_schema_is_refused_by_name(ledger_url: str) -> None:
    database = Database(ledger_url)
    with database.writing() as connection:
        connection.execute(versions.update().values(version=99))
    database.close()
    ledger = SqlLedger(ledger_url)
    with pytest.raises(ConfigurationError, match="schema is version 99"):
        ledger.status()
    ledger.close()


def test_a_ledger_travels_to_another_process(ledger: SqlLedger, ledger_url: str) -> None:
    validate(ledger, sample_chunk())
    copy = pickle.loads(pickle.dumps(SqlLedger(ledger_url)))
    assert copy.horizon("messages", "messages") == 1
    copy.close()


def test_postgresql_without_a_driver_means_psycopg2() -> None:
    for text in ("postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg2://u:p@h/d"):
        assert normalise(text).render_as_string(hide_password=False) == "postgresql+psycopg2://u:p@h/d"


def test_a_plain_path_is_an_sqlite_file(tmp_path: Path) -> None:
    assert normalise(tmp_path / "a b.db").database == str(tmp_path / "a b.db")


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_cannot_hold_a_ledger_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ledger:"):
        SqlLedger(url)


def test_a_database_that_does_not_answer_is_a_transient_failure(tmp_path: Path) -> None:
    ledger = SqlLedger("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(TransientFailure, match="ledger:"):
        ledger.horizon("messages", "messages")
    ledger.close()


def test_a_password_is_never_shown() -> None:
    ledger = SqlLedger("postgresql://user:secret@127.0.0.1:1/none")
    assert "secret" not in repr(ledger)
