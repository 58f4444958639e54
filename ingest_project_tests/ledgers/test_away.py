"""A PostgreSQL that goes away under a ledger and comes back: it is waited for, and nothing is half stored."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest

from ingest_project.core.errors import TransientFailure
from ingest_project.ledgers.database import AWAY_SECONDS, IDLE_MS, Database
from ingest_project.ledgers.schema import horizons
from ingest_project.local.postgresql import database
from ingest_project.testing.running import RunningServer

ROW = {"entity": "e", "target": "t", "last": 1}


class Server:
    """Refuses a database's sessions and gives it back after some waits of whoever tries again."""

    def __init__(self, url: str, name: str) -> None:
        self.now, self.waits, self.back_after = 0.0, 0, 0
        self._url, self._name = url, name

    def _tell(self, *words: str) -> None:
        connection = psycopg2.connect(self._url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for one in words:
                cursor.execute(one)
        connection.close()

    def leave(self, back_after: int) -> None:
        self.back_after = back_after
        self._tell(
            f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'",
        )

    def come_back(self) -> None:
        self._tell(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now, self.waits = self.now + seconds, self.waits + 1
        if self.waits == self.back_after:
            self.come_back()


@pytest.fixture
def away(postgresql: RunningServer) -> Iterator[tuple[Database, Server]]:
    with database(postgresql.url) as url:
        server = Server(postgresql.url, url.rpartition("/")[2])
        found = Database(url, clock=server.clock, sleep=server.sleep)
        yield found, server
        found.close()
        server.come_back()


def rows(found: Database) -> int:
    with found.reading() as connection:
        return len(connection.execute(horizons.select()).all())


def test_a_database_that_comes_back_is_waited_for(away: tuple[Database, Server]) -> None:
    found, server = away
    assert 0 == rows(found)
    server.leave(back_after=3)
    with found.writing() as connection:
        connection.execute(horizons.insert().values(ROW))
    assert (3, 1) == (server.waits, rows(found))


def test_a_database_that_stays_away_is_given_up_in_time(away: tuple[Database, Server]) -> None:
    found, server = away
    assert 0 == rows(found)
    server.leave(back_after=0)
    with pytest.raises(TransientFailure, match="not currently accepting"):
        rows(found)
    assert 0.9 * AWAY_SECONDS <= server.now <= AWAY_SECONDS


def test_a_database_that_never_answered_is_not_waited_for(away: tuple[Database, Server]) -> None:
    found, server = away
    server.leave(back_after=0)
    with pytest.raises(TransientFailure):
        rows(found)
    assert 0 == server.waits


def test_of_a_transaction_that_is_torn_nothing_is_stored(away: tuple[Database, Server]) -> None:
    found, server = away
    assert 0 == rows(found)

    def two_rows() -> None:
        with found.writing() as connection:
            connection.execute(horizons.insert().values(ROW))
            server.leave(back_after=1)
            connection.execute(horizons.insert().values(ROW | {"target": "u"}))

    with pytest.raises(TransientFailure):
        two_rows()
    assert 0 == rows(found)


def test_the_server_is_asked_to_end_sessions_that_stop_in_a_transaction(
    away: tuple[Database, Server],
) -> None:
    found, _ = away
    with found.reading() as connection:
        word = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
    assert f"{IDLE_MS // 1000}s" == word
