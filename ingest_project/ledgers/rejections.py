"""Dead letters: refused records as they are kept, found, shown and counted.

Storing happens inside the ledger's own transaction; everything else here only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, func, select, tuple_
from sqlalchemy.sql.dml import Insert

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import Rejection, Work
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.schema import rejections

OPEN, TAKEN, LOADED, REFUSED = "open", "taken", "loaded", "refused"

RAW_LIMIT = 64 * 1024
"""Bytes of a refused record that are kept; the source still has the rest at the stored offset."""

TEXT_LIMIT = 4096
ROWS_PER_INSERT = 200
"""At most 200 rows of 64 KiB, 13 MB, are held for one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A stored rejection. ``raw`` holds the first 64 KiB of ``raw_bytes``; ``offset`` is -1 when unknown.

    Attributes:
        state: OPEN; TAKEN: a replay that has not ended holds it; LOADED: its replay went through;
            REFUSED: its replay was refused again, and has a rejection of its own.
        replay: Number of that replay.
        closed, closed_by: When (wall clock) and by whom it was closed.
    """

    entity: str
    stage: str
    date: str
    target: str
    uri: str
    chunk_id: str
    ordinal: int
    offset: int
    key: str
    reason: str
    raw: bytes
    raw_bytes: int
    state: str = OPEN
    replay: int | None = None
    closed: float | None = None
    closed_by: str = ""

    @property
    def id(self) -> str:
        """What a user types to see this one: ``chunk:stage:ordinal``."""
        return f"{self.chunk_id}:{self.stage}:{self.ordinal}"

    @property
    def rejection(self) -> Rejection:
        return Rejection(
            ordinal=self.ordinal, offset=self.offset, reason=self.reason, raw=self.raw, key=self.key
        )

    @property
    def cut(self) -> bool:
        return self.raw_bytes > len(self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters are meant; a field that is None selects all. ``reason`` is any part of the text,
    ``states`` any of some."""

    entity: str | None = None
    stage: str | None = None
    date: str | None = None
    target: str | None = None
    uri: str | None = None
    chunk_id: str | None = None
    reason: str | None = None
    states: tuple[str, ...] | None = None


UNSETTLED, SETTLED = (OPEN, TAKEN), (LOADED, REFUSED)
"""States of what waits for a replay, and of what a replay has closed."""

EVERYTHING = Selection()


class DeadLetters:
    """Reads the stored rejections."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def list(
        self, selection: Selection = EVERYTHING, *, limit: int = 100, after: str = ""
    ) -> Sequence[DeadLetter]:
        """A page of dead letters by chunk, stage and ordinal, behind the one whose id is ``after``."""
        query = select(rejections).where(*_conditions(selection)).order_by(*_KEY).limit(limit)
        if after:
            query = query.where(tuple_(*_KEY) > tuple_(*parse_id(after)))
        with self._db.reading() as connection:
            return [_letter(row) for row in connection.execute(query).mappings()]

    def each(self, selection: Selection = EVERYTHING, *, size: int = 100) -> Iterator[DeadLetter]:
        """All dead letters of the selection, a page in memory at a time (for replays)."""
        letters = self.list(selection, limit=size)
        while letters:
            yield from letters
            letters = self.list(selection, limit=size, after=letters[-1].id)

    def get(self, id: str) -> DeadLetter | None:
        """The dead letter of that id.

        Raises:
            ConfigurationError: The text is no id.
        """
        query = select(rejections).where(tuple_(*_KEY) == tuple_(*parse_id(id)))
        with self._db.reading() as connection:
            row = connection.execute(query).mappings().first()
            return None if row is None else _letter(row)

    def count(self, selection: Selection = EVERYTHING) -> int:
        query = select(func.count()).select_from(rejections).where(*_conditions(selection))
        with self._db.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def ordinals(self, selection: Selection, among: Collection[int]) -> set[int]:
        """Which of these (some hundred) places have a dead letter."""
        query = select(rejections.c.ordinal).where(*_conditions(selection), rejections.c.ordinal.in_(among))
        with self._db.reading() as connection:
            return set(connection.execute(query).scalars())

    def by_chunk(self, selection: Selection = EVERYTHING) -> dict[str, int]:
        """Chunk id -> number of its dead letters, for chunks that have some."""
        query = select(rejections.c.chunk, func.count()).where(*_conditions(selection))
        with self._db.reading() as connection:
            found = connection.execute(query.group_by(rejections.c.chunk))
            return {chunk: int(count) for chunk, count in found}

    def reasons(self, selection: Selection = EVERYTHING, *, limit: int = 20) -> Sequence[tuple[str, int]]:
        """The most frequent reasons with their counts, most frequent first."""
        number = func.count().label("number")
        query = (
            select(rejections.c.reason, number).where(*_conditions(selection)).group_by(rejections.c.reason)
        )
        with self._db.reading() as connection:
            found = connection.execute(query.order_by(number.desc(), rejections.c.reason).limit(limit))
            return [(reason, int(count)) for reason, count in found]


def store(
    connection: Connection, insert_new: Callable[[Table], Insert], work: Work, letters: Iterable[Rejection]
) -> None:
    """Insert rejections of a work; one that is already there (same ordinal) stays as it is."""
    shared = {
        "chunk": work.chunk.id,
        "stage": work.stage,
        "entity": work.chunk.entity,
        "date": work.chunk.date,
        "target": work.chunk.target,
        "uri": work.chunk.range.uri,
    }
    rows = ({**shared, **_row(letter)} for letter in letters)
    while some := list(islice(rows, ROWS_PER_INSERT)):
        connection.execute(insert_new(rejections), some)


_KEY = (rejections.c.chunk, rejections.c.stage, rejections.c.ordinal)


def _row(letter: Rejection) -> dict[str, Any]:
    raw = bytes(letter.raw[:RAW_LIMIT])
    return {
        "ordinal": letter.ordinal,
        "offset": letter.offset,
        "key": clean(letter.key[:TEXT_LIMIT]),
        "reason": clean(letter.reason[:TEXT_LIMIT]),
        "raw": raw,
        "raw_bytes": len(letter.raw),
    }


def _letter(row: RowMapping) -> DeadLetter:
    values = {name: row[name] for name in DeadLetter.__slots__ if name not in ("chunk_id", "raw")}
    return DeadLetter(chunk_id=row["chunk"], raw=bytes(row["raw"]), **values)


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    table = rejections.c
    exact = {
        table.entity: selection.entity,
        table.stage: selection.stage,
        table.date: selection.date,
        table.target: selection.target,
        table.uri: selection.uri,
        table.chunk: selection.chunk_id,
    }
    conditions = [column == value for column, value in exact.items() if value is not None]
    if selection.reason is not None:
        conditions.append(table.reason.contains(selection.reason, autoescape=True))
    if selection.states is not None:
        conditions.append(table.state.in_(selection.states))
    return conditions


def parse_id(id: str) -> tuple[str, str, int]:
    """Chunk, stage and ordinal of a dead letter's id. Raises ConfigurationError when it is none."""
    chunk, _, rest = id.partition(":")
    stage, _, ordinal = rest.partition(":")
    if not (chunk and stage and ordinal.isdecimal()):
        raise ConfigurationError(f"{id!r} is no id of a rejection: expected chunk:stage:ordinal")
    return chunk, stage, int(ordinal)
