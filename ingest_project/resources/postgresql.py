"""Postgres: one PostgreSQL database of somebody else's, by psycopg 3: a pool, transactions, errors by
consequence.

Knows no table. psycopg is imported when a connection is first wanted: who reads no tables need not have it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ingest_project.core.errors import (
    AccessRefused,
    ConfigurationError,
    IngestError,
    TargetMissing,
    TransientFailure,
)

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

Row = Mapping[str, Any]

# SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOGIN, _NO_DATABASE = "28", "3D000"
_NO_TABLE, _NO_COLUMN, _NO_SCHEMA, _NO_RIGHT = "42P01", "42703", "3F000", "42501"
_READ_ONLY = "25006"

# A refused connection comes without a code.
_WHO = re.compile(r'FATAL: .*(role ".*" does not exist|password authentication failed|no pg_hba.conf entry)')
_WHERE = re.compile(r'FATAL: .*database ".*" does not exist')

CONNECT_SECONDS = 10


class Postgres:
    """A pool that opens its connections when they are wanted; for any number of threads.

    Sessions tell time in UTC, whatever the server's own zone is.

    Args:
        url: ``postgresql://user:password@host:port/database``.
        size: Connections that are kept.
        most: That are ever open.
        timeout: Seconds to wait for one.
    """

    def __init__(self, url: str, *, size: int = 1, most: int = 20, timeout: float = 30.0) -> None:
        self._url, self._size, self._most, self._timeout = url, min(size, most), most, timeout
        self._pool: ConnectionPool[Connection[dict[str, Any]]] | None = None
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Connection[dict[str, Any]]]:
        """A connection whose work is committed at the end, and undone by an exception.

        Raises:
            TransientFailure: The server does not answer, or gave this transaction up.
            AccessRefused, TargetMissing, ConfigurationError: A person has to act.
        """
        with _translated(), self._opened().connection(timeout=self._timeout) as connection:
            yield connection

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of a small answer."""
        with self.transaction() as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def change(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute once for each of ``rows``, all or none; how many rows were changed."""
        if not rows:
            return 0
        with self.transaction() as connection, connection.cursor() as cursor:
            cursor.executemany(statement.encode(), rows)
            return cursor.rowcount

    def close(self) -> None:
        """Give all connections back. The next use opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _opened(self) -> ConnectionPool[Connection[dict[str, Any]]]:
        with self._lock:
            if self._pool is None:
                self._pool = _open(self._url, self._size, self._most)
            return self._pool


def keyset(
    fetch: Callable[[int], Sequence[Row]], *, after: int = 0, key: str = "id"
) -> Iterator[Sequence[Row]]:
    """Pages of a table in order of a number, each asked for behind the last row of the one before: rows that
    leave the set meanwhile hide no others."""
    while page := fetch(after):
        yield page
        after = int(page[-1][key])


def _open(url: str, size: int, most: int) -> ConnectionPool[Connection[dict[str, Any]]]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.rows import dict_row
    from psycopg_pool import ConnectionPool

    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its own message holds the URL, and that a password.
        raise ConfigurationError("PostgreSQL: the URL of the database is none") from None
    named: dict[str, Any] = {
        "application_name": "ingest",
        "connect_timeout": CONNECT_SECONDS,
    }
    # A pool tries again in silence until the wait is over: the first connection tells what is wrong at once.
    psycopg.connect(url, **named).close()
    pool: ConnectionPool[Connection[dict[str, Any]]] = ConnectionPool(
        url,
        min_size=size,
        max_size=most,
        kwargs={"row_factory": dict_row, **named},
        configure=_in_utc,
        check=ConnectionPool.check_connection,
        open=False,
    )
    pool.open()
    return pool


def _in_utc(connection: Connection[dict[str, Any]]) -> None:
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()


@contextmanager
def _translated() -> Iterator[None]:
    import psycopg
    from psycopg_pool import PoolTimeout

    try:
        yield
    except PoolTimeout as error:
        raise TransientFailure(f"PostgreSQL: no connection: {error}") from error
    except psycopg.Error as error:
        raise _meaning(error) from error


def _meaning(error: Any) -> IngestError | Exception:
    import psycopg

    state, text = error.sqlstate or "", f"PostgreSQL: {str(error).strip()}"
    if state.startswith(_LOGIN) or (not state and _WHO.search(text)):
        return AccessRefused(text, status=401)
    if state in (_NO_RIGHT, _READ_ONLY):
        return AccessRefused(text, status=403)
    if state in (_NO_DATABASE, _NO_TABLE, _NO_SCHEMA, _NO_COLUMN) or (not state and _WHERE.search(text)):
        return TargetMissing(text)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return TransientFailure(text)
    return ConfigurationError(text) if isinstance(error, psycopg.ProgrammingError) else error
