"""One database for the ledger: opening it, its transactions, and what SQLite and PostgreSQL say differently.

No table's meaning lives here.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.sql.dml import Insert

from ingest_project.core.errors import ConfigurationError, TransientFailure
from ingest_project.core.ports import Clock
from ingest_project.core.retrying import RetryPolicy
from ingest_project.ledgers.migrations import prepare
from ingest_project.ledgers.schema import VERSION

BUSY_SECONDS = 60
"""How long a writer waits for its turn on SQLite. A transaction lasts milliseconds, so this is never near."""

AWAY_SECONDS = 40.0
"""How long a server that answered before is waited for: a restart takes less, and a lease more."""

AGAIN = RetryPolicy(base=0.2, cap=2.0)

ON_THE_WIRE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq's words: a host that was cut off notices within half a minute; the system's own time is hours."""

IDLE_MS = 30_000
"""A session that stops in the middle of a transaction is ended by the server, and its locks are free: its
host may be cut off."""

_ADVISORY = 0x1D9E57
_WAL_ATTEMPTS = 100
_READING = "ingest_reading"


class Database:
    """A lazily opened engine with the ledger's schema in it; safe for threads, forks and pickling.

    Args:
        url: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``postgresql://...`` (psycopg2) or a plain
            path.
        away: Seconds for which a PostgreSQL that this object has used before is waited for.

    Raises:
        ConfigurationError: A URL that is neither, or an in-memory SQLite database, which no two connections
            share.
    """

    def __init__(
        self,
        url: str | Path,
        *,
        away: float = AWAY_SECONDS,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: Random | None = None,
    ) -> None:
        self.url = normalise(url)
        self._away, self._clock, self._sleep, self._rng = away, clock, sleep, rng or Random()
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._pid = 0

    def __reduce__(self) -> tuple[Callable[[str], Database], tuple[str]]:
        return Database, (self.url.render_as_string(hide_password=False),)

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string()!r})"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write: taken at once on SQLite, so that none dies for having read first.

        Raises:
            TransientFailure: The database does not answer or lost the transaction; nothing of it was stored.
        """
        with _translated(), self._connected(self._opened()) as connection, connection.begin():
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; it neither waits for writers nor makes them wait."""
        reader = self._opened().execution_options(**{_READING: True})
        with _translated(), self._connected(reader) as connection, connection.begin():
            yield connection

    def insert_new(self, table: Table) -> Insert:
        """INSERT that leaves a row with the same primary key as it is."""
        # The other database's dialect would cost every process its memory.
        if self.url.get_backend_name() == "sqlite":
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(table).on_conflict_do_nothing()
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()

    def close(self) -> None:
        """Give all connections back. The next use opens new ones."""
        with self._lock:
            if self._engine is not None and self._pid == os.getpid():
                self._engine.dispose()
            self._engine = None

    def _connected(self, engine: Engine) -> Connection:
        """A connection that answers, as soon as the server gives one. Nothing has begun yet, so that waiting
        here repeats nothing; a transaction that was torn is the caller's to repeat."""
        deadline, tries = self._clock() + self._away, 0
        while True:
            try:
                return engine.connect()
            except (OperationalError, InterfaceError):
                tries += 1
                delay = AGAIN.wait(tries, self._rng)
                if engine.dialect.name == "sqlite" or self._clock() + delay > deadline:
                    raise
                self._sleep(delay)

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None or self._pid != os.getpid():
                if self._engine is not None:
                    # Connections of the parent process: forget them without closing its sockets.
                    self._engine.dispose(close=False)
                engine = _engine(self.url)
                try:
                    _create(engine)
                except BaseException:
                    engine.dispose()
                    raise
                weakref.finalize(self, engine.dispose)
                self._engine, self._pid = engine, os.getpid()
            return self._engine


def is_there(url: str | Path) -> bool:
    """Whether a ledger may be there; False where opening it would only make an empty file."""
    parsed = normalise(url)
    return parsed.get_backend_name() != "sqlite" or Path(parsed.database or "").exists()


def normalise(url: str | Path) -> URL:
    """The URL with its driver named: ``postgresql://`` alone means psycopg 3 to SQLAlchemy 2.1."""
    text = str(url)
    if "://" not in text:
        return URL.create("sqlite", database=str(Path(text).absolute()))
    parsed = make_url(
        text.replace("postgres://", "postgresql://", 1) if text.startswith("postgres://") else text
    )
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg2")
    if backend != "sqlite":
        raise ConfigurationError(
            f"ledger: {backend} is not supported: use sqlite:///file or postgresql://..."
        )
    if parsed.database in (None, "", ":memory:"):
        raise ConfigurationError("ledger: an in-memory SQLite database can't be shared: name a file")
    return parsed


def clean(text: str) -> str:
    """Text that both databases store: NUL and lone surrogates, legal in a Python string, are written out."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        # Many rows a statement: thousands of rejections are stored twice as fast.
        wire = {word: value for word, value in ON_THE_WIRE.items() if word not in url.query}
        engine = create_engine(
            url, pool_pre_ping=True, connect_args=wire, executemany_mode="values_plus_batch"
        )
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE_MS}")
    connection.commit()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN is deferred and fails at the first write when another process wrote meanwhile.
    connection.isolation_level = None
    # Without FULL a power cut may take the last transactions, whole and in order. What is left is the
    # ledger of a moment ago: its owners are dead too, sinks come first, and what is sent again goes under the
    # same keys.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _create(engine: Engine) -> None:
    """Make or check the schema; any number of processes may do so at the same time."""
    with _translated():
        if engine.dialect.name == "sqlite":
            _use_wal(engine)
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY)))
            found = prepare(connection)
            if found != VERSION:
                raise ConfigurationError(
                    f"ledger {engine.url.render_as_string()}: its schema is version {found}, this program "
                    f"needs {VERSION}: use the program that wrote it, or another ledger"
                )


def _use_wal(engine: Engine) -> None:
    """Switch the file to write-ahead logging, once in its life: readers and one writer then don't block."""
    raw = engine.raw_connection()
    try:
        for attempt in range(_WAL_ATTEMPTS):
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL").close()
                return
            except sqlite3.OperationalError:
                if attempt == _WAL_ATTEMPTS - 1:
                    raise
                # The switch needs the file alone and does not wait; an empty transaction waits for its turn.
                raw.cursor().execute("BEGIN IMMEDIATE").execute("COMMIT").close()
    finally:
        raw.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise TransientFailure(f"ledger: {error}") from error
    except (OperationalError, InterfaceError) as error:
        raise TransientFailure(f"ledger: {error.orig}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TransientFailure(f"ledger: {error.orig}") from error
        raise
