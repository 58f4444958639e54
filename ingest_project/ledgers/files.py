"""FileRegister: what became of each file of an inbox, as a state machine that survives restarts.

    seen --unchanged for a while--> stable --asked for a run--> requested --its runs succeeded--> consumed
                                      ^                             |
                                      +---------- retry ------ failed

A file is (uri, etag): other bytes under the same uri are another file, and an earlier one that no run was
asked for, or whose runs failed, is ``replaced``. Listing the inbox and asking for runs belong to the sensor.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, select, update

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import SourceFile
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.schema import files

STATES = ("seen", "stable", "requested", "consumed", "failed", "replaced")
FILES_PER_STATEMENT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One file as the register knows it. ``run`` is the last request's key; ``date`` is empty before one."""

    file: SourceFile
    entity: str
    date: str
    target: str
    state: str
    fingerprint: str
    attempts: int
    run: str
    reason: str
    first_seen: float
    last_seen: float

    @property
    def next_run(self) -> str:
        """An idempotent run key: the same until the request is marked, another one for each attempt."""
        name = hashlib.sha256(f"{self.file.uri}\0{self.file.etag}".encode()).hexdigest()[:24]
        return f"{name}:{self.attempts + 1}"


class FileRegister:
    """The register's verbs; each is one transaction, except that ``observe`` is one for each 200 files."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db = database
        self._clock = clock

    def observe(
        self, listing: Iterable[SourceFile], *, entity: str, settle: float, complete: Collection[str] = ()
    ) -> Sequence[FileEntry]:
        """Note what a listing shows; returns the files that this observation found to be complete.

        Args:
            listing: Files as they stand now, any part of the inbox.
            settle: Seconds over which uri, etag and size must be the same, at two observations at least.
            complete: URIs that are known to be complete (a ``.done`` file names them): stable at once.
        """
        settled: list[FileEntry] = []
        listed = iter(listing)
        while some := list(islice(listed, FILES_PER_STATEMENT)):
            with self._db.writing() as connection:
                settled += self._observe(connection, some, entity, settle, complete)
        return settled

    def mark_requested(self, uri: str, etag: str, *, run: str, date: str, target: str) -> bool:
        """A run was asked for. False when the file is not stable or failed: somebody else was faster."""
        values: dict[str, Any] = {"run": clean(run), "date": date, "target": target, "reason": ""}
        values["attempts"] = files.c.attempts + 1
        return self._move(uri, etag, ("stable", "failed"), "requested", values)

    def mark_consumed(self, uri: str, etag: str) -> bool:
        """All runs of the file succeeded."""
        return self._move(uri, etag, ("requested", "stable", "failed"), "consumed", {"reason": ""})

    def mark_failed(self, uri: str, etag: str, reason: str) -> bool:
        """The file's runs failed; it waits for ``retry``."""
        return self._move(uri, etag, ("requested", "stable"), "failed", {"reason": clean(reason)})

    def retry(self, uri: str, etag: str) -> bool:
        """Make a failed file pending again; its next request has another run key."""
        return self._move(uri, etag, ("failed",), "stable", {})

    def set_fingerprint(self, uri: str, etag: str, fingerprint: str) -> None:
        """Keep the SHA-256 of the content, which the index pass learned."""
        with self._db.writing() as connection:
            connection.execute(update(files).where(_is(uri, etag)).values(fingerprint=fingerprint))

    def pending(self, entity: str, *, limit: int = 100) -> Sequence[FileEntry]:
        """Complete files for which a run has to be asked, the first seen first."""
        return self.list(entity, state="stable", limit=limit)

    def list(
        self, entity: str, *, state: str | None = None, date: str | None = None, limit: int = 1000
    ) -> Sequence[FileEntry]:
        """Files of an entity, the first seen first.

        Raises:
            ConfigurationError: No such state.
        """
        query = select(files).where(*_conditions(entity, state, date))
        with self._db.reading() as connection:
            found = connection.execute(
                query.order_by(files.c.first_seen, files.c.uri, files.c.etag).limit(limit)
            )
            return [_entry(row) for row in found.mappings()]

    def get(self, uri: str, etag: str) -> FileEntry | None:
        with self._db.reading() as connection:
            row = connection.execute(select(files).where(_is(uri, etag))).mappings().first()
            return None if row is None else _entry(row)

    def states(self, entity: str, date: str | None = None) -> dict[str, int]:
        """How many files stand in each state."""
        query = select(files.c.state, func.count()).where(*_conditions(entity, None, date))
        with self._db.reading() as connection:
            return {state: int(count) for state, count in connection.execute(query.group_by(files.c.state))}

    def _observe(
        self,
        connection: Connection,
        some: Sequence[SourceFile],
        entity: str,
        settle: float,
        complete: Collection[str],
    ) -> Sequence[FileEntry]:
        now = self._clock()
        # In one order everywhere: two observers that lock the same rows then wait instead of dying.
        some = sorted(some, key=lambda file: (file.uri, file.etag))
        connection.execute(self._db.insert_new(files), [_new(file, entity, now) for file in some])
        uris = [file.uri for file in some]
        query = (
            select(files).where(files.c.uri.in_(uris)).order_by(files.c.uri, files.c.etag).with_for_update()
        )
        known = {(row["uri"], row["etag"]): row for row in connection.execute(query).mappings()}
        listed = {(file.uri, file.etag): file for file in some}
        self._replace(connection, known, listed)
        settled = []
        for key, file in listed.items():
            row = known[key]
            if row["state"] in ("seen", "replaced"):
                values = _judge(row, file, now, settle, file.uri in complete)
                connection.execute(update(files).where(_is(*key)).values(values))
                if values["state"] == "stable":
                    settled.append(_entry({**row, **values}))
        return settled

    def _replace(self, connection: Connection, known: Collection[Any], listed: Collection[Any]) -> None:
        gone = [key for key in known if key not in listed]
        for uri, etag in gone:
            at_rest = and_(_is(uri, etag), files.c.state.in_(("seen", "stable", "failed")))
            values = {"state": "replaced", "reason": "other bytes stand under this name"}
            connection.execute(update(files).where(at_rest).values(values))

    def _move(self, uri: str, etag: str, before: Sequence[str], after: str, values: dict[str, Any]) -> bool:
        allowed = and_(_is(uri, etag), files.c.state.in_(before))
        with self._db.writing() as connection:
            return (
                connection.execute(update(files).where(allowed).values(state=after, **values)).rowcount == 1
            )


def _judge(row: RowMapping, file: SourceFile, now: float, settle: float, complete: bool) -> dict[str, Any]:
    """The row after one more observation of its file."""
    same = row["state"] == "seen" and row["size"] == file.size
    first = row["first_seen"] if same else now
    # The row may have been inserted a moment ago by this very observation: one look is not two.
    settled = complete or (same and now > row["last_seen"] and now - first >= settle)
    return {
        "state": "stable" if settled else "seen",
        "size": file.size,
        "modified": file.modified.timestamp(),
        "first_seen": first,
        "last_seen": now,
        "reason": "",
    }


def _new(file: SourceFile, entity: str, now: float) -> dict[str, Any]:
    return {
        "uri": file.uri,
        "etag": file.etag,
        "entity": entity,
        "date": "",
        "target": "",
        "size": file.size,
        "modified": file.modified.timestamp(),
        "fingerprint": "",
        "state": "seen",
        "attempts": 0,
        "run": "",
        "first_seen": now,
        "last_seen": now,
        "reason": "",
    }


def _entry(row: Any) -> FileEntry:
    modified = datetime.fromtimestamp(row["modified"], UTC)
    file = SourceFile(uri=row["uri"], etag=row["etag"], size=row["size"], modified=modified)
    names = [name for name in FileEntry.__slots__ if name != "file"]
    return FileEntry(file=file, **{name: row[name] for name in names})


def _is(uri: str, etag: str) -> ColumnElement[bool]:
    return and_(files.c.uri == uri, files.c.etag == etag)


def _conditions(entity: str, state: str | None, date: str | None) -> list[ColumnElement[bool]]:
    if state is not None and state not in STATES:
        raise ConfigurationError(f"no such state of a file: {state!r}; one of {', '.join(STATES)}")
    conditions = [files.c.entity == entity]
    if state is not None:
        conditions.append(files.c.state == state)
    if date is not None:
        conditions.append(files.c.date == date)
    return conditions
