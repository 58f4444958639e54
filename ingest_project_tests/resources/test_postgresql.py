"""A pool over a real PostgreSQL: transactions, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from ingest_project.core.errors import AccessRefused, ConfigurationError, TargetMissing, TransientFailure
from ingest_project.local.postgresql import database
from ingest_project.resources.postgresql import Postgres, keyset
from ingest_project.testing.running import RunningServer

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def url(postgresql: RunningServer) -> Iterator[str]:
    with database(postgresql.url) as url:
        yield url


@pytest.fixture
def tables(url: str) -> Iterator[Postgres]:
    found = Postgres(url, most=3)
    yield found
    found.close()


def test_a_transaction_is_kept_whole_or_not_at_all(tables: Postgres) -> None:
    with tables.transaction() as connection:
        connection.execute("CREATE TABLE kept (id int PRIMARY KEY)")
    assert 3 == tables.change("INSERT INTO kept VALUES (%(id)s)", [{"id": id} for id in (1, 2, 3)])
    with pytest.raises(psycopg.errors.UniqueViolation):
        tables.change("INSERT INTO kept VALUES (%(id)s)", [{"id": id} for id in (4, 3)])
    assert [1, 2, 3] == [row["id"] for row in tables.rows("SELECT id FROM kept ORDER BY id")]


def test_nothing_is_changed_by_no_rows(tables: Postgres) -> None:
    assert 0 == tables.change("INSERT INTO nowhere VALUES (1)", [])


def test_sessions_tell_time_in_utc(tables: Postgres) -> None:
    (row,) = tables.rows("SELECT timestamptz '2026-01-01 00:00:00+03' AS at")
    assert datetime(2025, 12, 31, 21, tzinfo=UTC) == row["at"]
    assert row["at"].utcoffset().total_seconds() == 0


def test_a_missing_table_or_column_says_so(tables: Postgres) -> None:
    for statement in ("SELECT 1 FROM nowhere", "SELECT nothing FROM pg_class"):
        with pytest.raises(TargetMissing, match="does not exist"):
            tables.rows(statement)


def test_a_statement_that_is_none_is_a_mistake_of_ours(tables: Postgres) -> None:
    with pytest.raises(ConfigurationError, match="syntax"):
        tables.rows("SELEKT 1")


def test_a_missing_right_says_so(url: str) -> None:
    guest = Postgres(f"{url}?options=-c%20default_transaction_read_only%3Don")
    with closing(guest), pytest.raises(AccessRefused, match="read-only") as caught:
        guest.rows("CREATE TABLE never (id int)")
    assert caught.value.status == 403


def test_a_missing_database_or_role_is_told_at_once(url: str) -> None:
    for wrong, kind in ((f"{url}x", TargetMissing), (url.replace("ingest@", "nobody@"), AccessRefused)):
        with pytest.raises(kind, match="does not exist"):
            Postgres(wrong).rows("SELECT 1")


def test_a_url_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Postgres("postgresql://ingest:hidden@[::1/postgres").rows("SELECT 1")
    assert "hidden" not in str(caught.value)


def test_a_server_that_is_away_is_a_transient_failure() -> None:
    with pytest.raises(TransientFailure, match="PostgreSQL"):
        Postgres("postgresql://ingest@127.0.0.1:1/postgres").rows("SELECT 1")


def test_a_connection_that_was_cut_is_replaced(tables: Postgres) -> None:
    # The pool has more than one: the question is of the one that is cut.
    cut: list[dict[str, Any]] = []

    def ended() -> None:
        with tables.transaction() as connection:
            cut.extend(connection.execute("SELECT pg_backend_pid() AS pid").fetchall())
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(TransientFailure):
        ended()
    found = [tables.rows("SELECT pg_backend_pid() AS pid") for _ in range(8)]
    assert len(cut) == 1
    assert cut not in found


def test_pages_hide_no_rows_when_others_leave_the_set() -> None:
    there = set(range(10))

    def fetch(after: int) -> list[dict[str, int]]:
        return [{"id": id} for id in sorted(there) if id > after][:3]

    found = []
    for page in keyset(fetch, after=-1):
        found += [row["id"] for row in page]
        there.difference_update(found)
    assert list(range(10)) == found
