"""KeptSqliteEventLog: Dagster's event log on SQLite with connections that stay open. Named in deploy/sqlite.

Tables, files and statements are Dagster's own, so an instance changes to it and back at any time.
"""

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

INDEX = "index"
BUSY_SECONDS = 30
MOST_OPEN = 8
"""Databases held open; there is one a run, and one over all of them."""


class KeptSqliteEventLog(SqliteEventLogStorage):
    """What Dagster's own does, without opening and closing a database several times an event.

    A closed database is checkpointed and synced, and an engine for it is made anew: 10 ms an event. Here a
    transaction ends without either. It survives the end of any process; with the loss of power the last
    events may be missing, never parts of one. What was loaded stands in the ledger.

    Args:
        base_dir: DAGSTER_HOME; the databases lie where Dagster's own storage has them.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._mutex = threading.RLock()
        self._open: OrderedDict[str, Connection] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(str(Path(base_dir, "history", "runs")), inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        return cls(inst_data=inst_data, **config_value)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        return self._kept(str(run_id))

    def index_connection(self) -> AbstractContextManager[Connection]:
        return self._kept(INDEX)

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(event)
        self._show(event.run_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """All of them in one transaction of each database, or none."""
        with ExitStack() as stack:
            for shard in (*sorted({event.run_id for event in events}), INDEX):
                stack.enter_context(self._kept(shard))
            for event in events:
                super().store_event(event)
        for run_id in {event.run_id for event in events}:
            self._show(run_id)

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def upgrade(self) -> None:
        self._close()
        super().upgrade()

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        self._close()
        super().dispose()

    @contextmanager
    def _kept(self, shard: str) -> Iterator[Connection]:
        """The database's connection in a transaction; whoever is in one already joins it."""
        with self._mutex:
            connection = self._connection(shard)
            if connection.in_transaction():
                yield connection
                return
            with connection.begin():
                yield connection

    def _connection(self, shard: str) -> Connection:
        known = self._open.get(shard)
        if known is None:
            if not _is_made(self.path_for_shard(shard)):
                with super().run_connection(shard):
                    pass
            known = self._open[shard] = _connect(self.conn_string_for_shard(shard))
            idle = [
                name for name, other in self._open.items() if not other.in_transaction() and name != shard
            ]
            for name in idle[: max(0, len(self._open) - MOST_OPEN)]:
                _shut(self._open.pop(name))
        self._open.move_to_end(shard)
        return known

    def _show(self, run_id: str) -> None:
        """Who watches a run looks at its file, which an open database leaves as it is for a while."""
        os.utime(self.path_for_shard(run_id))

    def _close(self) -> None:
        with self._mutex:
            while self._open:
                _shut(self._open.popitem()[1])


def _is_made(path: str) -> bool:
    """Whether Dagster has set this database up; its own look at it reads ninety files of migrations."""
    if not os.path.exists(path):
        return False
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        try:
            return connection.execute("SELECT 1 FROM alembic_version").fetchone() is not None
        except sqlite3.OperationalError:
            return False


def _connect(url: str) -> Connection:
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, poolclass=StaticPool, connect_args=arguments)
    event.listen(engine, "connect", _no_sync)
    return engine.connect()


def _no_sync(connection: Any, record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


def _shut(connection: Connection) -> None:
    connection.close()
    connection.engine.dispose()
