"""Replays: refused records that are sent once more, each taken by one replay alone, and what became of them.

    open --take--> taken by replay N --close--> loaded, or refused again as a rejection of replay N

The chunk of a replay goes through the stages like any other; here is only what it consists of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, tuple_, update

from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.rejections import LOADED, OPEN, REFUSED, TAKEN
from ingest_project.ledgers.schema import rejections, replay_records, replays, versions

WORKING, CLOSED = "working", "closed"
RECORDS_AT_ONCE = 100
LETTERS_AT_ONCE = 200
VALIDATED = "validated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """One refused record that is to be sent once more.

    Attributes:
        stage, ordinal: Which dead letter of the chunk at hand.
        place: Ordinal of the record in its file's chunk; ``offset``: its byte in the file.
        raw: Its bytes as they are to be sent.
    """

    stage: str
    ordinal: int
    place: int
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRecord:
    """A record of a replay; ``place`` and ``offset`` as in Taking."""

    ordinal: int
    place: int
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay: some records of one chunk. ``definition`` is its own chunk, in the caller's words."""

    number: int
    entity: str
    date: str
    origin: str
    definition: str
    state: str


class Replays:
    """The verbs of replays; each is one transaction."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db, self._clock = database, clock

    def take(
        self,
        takings: Sequence[Taking],
        *,
        origin: str,
        entity: str,
        date: str,
        by: str,
        define: Callable[[int, int], tuple[str, str]],
    ) -> Replay | None:
        """Take the open ones of these dead letters of one chunk into a new replay; None when none is open.

        Args:
            takings: In order of place.
            define: (number, records) -> id and text of the replay's chunk.
        """
        now = self._clock()
        with self._db.writing() as connection:
            open_ones = self._open_ones(connection, origin, takings)
            if not open_ones:
                return None
            number = self._next(connection)
            chunk, definition = define(number, len(open_ones))
            made = Replay(
                number=number, entity=entity, date=date, origin=origin, definition=definition, state=WORKING
            )
            more = {"chunk": chunk, "made": now, "made_by": clean(by)}
            connection.execute(insert(replays).values(asdict(made) | more))
            for at in range(0, len(open_ones), LETTERS_AT_ONCE):
                some = open_ones[at : at + LETTERS_AT_ONCE]
                connection.execute(insert(replay_records), _rows(number, at, some))
                taken = {"state": TAKEN, "replay": number}
                connection.execute(update(rejections).where(_named(origin, some)).values(taken))
        return made

    def working(self, entity: str | None = None) -> Sequence[Replay]:
        """Replays that were begun and not closed, of an entity or of all, the first begun first."""
        mine = [] if entity is None else [replays.c.entity == entity]
        return self._list(replays.c.state == WORKING, *mine)

    def of_date(self, entity: str, date: str) -> Sequence[Replay]:
        """All replays of a date."""
        return self._list(replays.c.entity == entity, replays.c.date == date)

    def chunks(self) -> set[str]:
        """Ids of the chunks of all replays."""
        with self._db.reading() as connection:
            return set(connection.execute(select(replays.c.chunk)).scalars())

    def records(self, number: int, after: int = 0) -> Iterator[Sequence[ReplayRecord]]:
        """The replay's records from ordinal ``after`` on, a page at a time."""
        table = replay_records.c
        columns = [table[name] for name in ReplayRecord.__slots__]
        while True:
            query = select(*columns).where(table.number == number, table.ordinal >= after)
            with self._db.reading() as connection:
                rows = connection.execute(query.order_by(table.ordinal).limit(RECORDS_AT_ONCE)).mappings()
                found = [ReplayRecord(**{**row, "raw": bytes(row["raw"])}) for row in rows]
            if found:
                yield found
            if len(found) < RECORDS_AT_ONCE:
                return
            after = found[-1].ordinal + 1

    def close(self, number: int, chunk: str, *, by: str) -> Mapping[str, int]:
        """Settle the dead letters of a replay whose chunk is through all stages; how many of each state.

        A record is REFUSED when a stage of the replay's chunk has a dead letter of it, else LOADED. Closing
        again changes nothing.
        """
        now = self._clock()
        with self._db.writing() as connection:
            mine = rejections.c.replay == number
            refused = self._refused(connection, chunk)
            connection.execute(
                update(rejections)
                .where(mine, rejections.c.state == TAKEN)
                .values(state=LOADED, closed=now, closed_by=clean(by))
            )
            again = sorted(refused)
            for at in range(0, len(again), LETTERS_AT_ONCE):
                named = replay_records.c.ordinal.in_(again[at : at + LETTERS_AT_ONCE])
                letters = select(replay_records.c.stage, replay_records.c.letter)
                wanted = letters.where(replay_records.c.number == number, named)
                places = tuple_(rejections.c.stage, rejections.c.ordinal).in_(wanted)
                connection.execute(update(rejections).where(mine, places).values(state=REFUSED))
            ended = update(replays).where(replays.c.number == number, replays.c.state == WORKING)
            connection.execute(ended.values(state=CLOSED, closed=now))
            query = select(rejections.c.state, func.count()).where(mine).group_by(rejections.c.state)
            return {state: int(count) for state, count in connection.execute(query)}

    def _next(self, connection: Connection) -> int:
        """The next number; whoever asks meanwhile waits."""
        connection.execute(select(versions.c.version).with_for_update())
        return int(connection.execute(select(func.max(replays.c.number))).scalar() or 0) + 1

    def _open_ones(self, connection: Connection, origin: str, takings: Sequence[Taking]) -> list[Taking]:
        """Those whose dead letter is open, in one order for all callers."""
        found: set[tuple[str, int]] = set()
        for at in range(0, len(takings), LETTERS_AT_ONCE):
            query = select(rejections.c.stage, rejections.c.ordinal).where(
                _named(origin, takings[at : at + LETTERS_AT_ONCE]), rejections.c.state == OPEN
            )
            query = query.order_by(rejections.c.stage, rejections.c.ordinal).with_for_update()
            found.update((row.stage, row.ordinal) for row in connection.execute(query))
        return [taking for taking in takings if (taking.stage, taking.ordinal) in found]

    def _refused(self, connection: Connection, chunk: str) -> set[int]:
        """Ordinals of the replay's records of which its chunk has a dead letter in any stage.

        Behind ``validated`` records are counted without those that it refused.
        """
        query = select(rejections.c.stage, rejections.c.ordinal).where(rejections.c.chunk == chunk)
        letters = [(row.stage, row.ordinal) for row in connection.execute(query)]
        first = sorted(ordinal for stage, ordinal in letters if stage == VALIDATED)
        later = sorted({ordinal for stage, ordinal in letters if stage != VALIDATED})
        return {*first, *_among_all(later, first)}

    def _list(self, *conditions: ColumnElement[bool]) -> Sequence[Replay]:
        columns = [replays.c[name] for name in Replay.__slots__]
        query = select(*columns).where(*conditions).order_by(replays.c.number)
        with self._db.reading() as connection:
            return [Replay(**row) for row in connection.execute(query).mappings()]


def _named(origin: str, takings: Sequence[Taking]) -> ColumnElement[bool]:
    places = [(taking.stage, taking.ordinal) for taking in takings]
    return and_(rejections.c.chunk == origin, tuple_(rejections.c.stage, rejections.c.ordinal).in_(places))


def _rows(number: int, first: int, takings: Sequence[Taking]) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "ordinal": first + at,
            "stage": taking.stage,
            "letter": taking.ordinal,
            "place": taking.place,
            "offset": taking.offset,
            "raw": taking.raw,
        }
        for at, taking in enumerate(takings)
    ]


def _among_all(admitted: Sequence[int], refused: Sequence[int]) -> Iterator[int]:
    """Places among all records of places among the admitted ones; both ascend."""
    passed = 0
    for place in admitted:
        while passed < len(refused) and refused[passed] <= place + passed:
            passed += 1
        yield place + passed
