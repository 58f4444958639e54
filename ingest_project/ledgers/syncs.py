"""SyncLedger: the account of syncs: slices, who reads them and how far, what landed, where the next begins.

One method, one transaction. What landed, the bookmark behind it and the ids in it are stored together or not
at all; every write of an owner is bound to its claim's epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, update

from ingest_project.core.errors import ChunkBusy, LeaseLost
from ingest_project.core.syncing import (
    DELETES,
    DONE,
    FAILED,
    FULL,
    GIVEN_UP,
    OPEN,
    SINCE,
    Bookmark,
    Landed,
    Slice,
    SliceClaim,
    SliceStatus,
    Sync,
    latest,
)
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.known_ids import KnownIds, note
from ingest_project.ledgers.schema import landings, slices, syncs, versions
from ingest_project.ledgers.sync_rows import claim_of, ended, landing_row, new_slice, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A slice to be: see core.syncing.Slice."""

    slot: int
    low: str = ""
    high: str = ""
    rows: int = 0


class SyncLedger:
    """The verbs of syncs, for any number of threads, processes and hosts.

    Args:
        clock: Wall clock seconds: leases, and when a sync began.

    Attributes:
        known: Which ids have landed.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._db, self._clock = database, clock
        self.known = KnownIds(database)

    def begin(self, wanted: Sync, pieces: Sequence[Piece]) -> Sync:
        """A sync with its slices; the open one of its entity and mode instead when there is one.

        A sync without slices is done at once.
        """
        with self._db.writing() as connection:
            _one_at_a_time(connection)
            known = _open_sync(connection, wanted.entity, wanted.mode)
            if known is not None:
                return known
            number = int(connection.execute(select(func.max(syncs.c.number))).scalar() or 0) + 1
            now = self._clock()
            row = {name: getattr(wanted, name) for name in Sync.__slots__}
            row |= {"number": number, "state": OPEN, "begun": now}
            row |= {} if pieces else {"state": DONE, "ended": now}
            connection.execute(insert(syncs).values(row))
            fresh = [new_slice(_part(wanted, number, place, one), now) for place, one in enumerate(pieces)]
            if fresh:
                connection.execute(insert(slices), fresh)
            return Sync(**row)

    def open_sync(self, entity: str, mode: str) -> Sync | None:
        """The one that is not through yet."""
        with self._db.reading() as connection:
            return _open_sync(connection, entity, mode)

    def give_up(self, number: int, reason: str) -> bool:
        """Leave an open sync unfinished for good: the next of its mode starts anew. What landed stays.

        Raises:
            ChunkBusy: One of its slices is being read.
        """
        with self._db.writing() as connection:
            _one_at_a_time(connection)
            self._refuse_reading(connection, slices.c.sync == number, f"sync {number}")
            values = {"state": GIVEN_UP, "reason": clean(reason), "ended": self._clock()}
            mine = and_(syncs.c.number == number, syncs.c.state == OPEN)
            return connection.execute(update(syncs).where(mine).values(values)).rowcount == 1

    def claim(self, part: Slice, *, owner: str, lease: float) -> SliceClaim | None:
        """Take a slice for ``lease`` seconds; None when it is through, or its sync given up.

        Pages and deletions of an entity are never read at the same time: a page that was asked for before a
        row was found deleted could otherwise land behind its tombstone.

        Raises:
            ChunkBusy: Somebody else reads it, or reads what must not be read at the same time.
        """
        now = self._clock()
        with self._db.writing() as connection:
            _one_at_a_time(connection)
            row = connection.execute(select(slices).where(_is(part))).mappings().one()
            sync = connection.execute(select(syncs).where(syncs.c.number == part.sync)).mappings().one()
            if row["state"] == DONE or sync["state"] != OPEN:
                return None
            others = slices.c.owner != clean(owner)
            self._refuse_reading(connection, and_(_is(part), others), f"slice {part.name}")
            apart = slices.c.mode != DELETES if part.mode == DELETES else slices.c.mode == DELETES
            mine = and_(slices.c.entity == part.entity, apart)
            self._refuse_reading(connection, mine, f"slice {part.name} waits: {part.entity}")
            taken = {"state": OPEN, "owner": clean(owner), "epoch": row["epoch"] + 1, "reason": ""}
            taken |= {"leased_until": now + lease, "updated": now, "attempts": row["attempts"] + 1}
            connection.execute(update(slices).where(_is(part)).values(taken))
            return claim_of({**row, **taken}, part, Sync(**sync))

    def renew(self, claims: Iterable[SliceClaim], *, lease: float) -> None:
        """Hold what is still held for longer; who lost it learns so when it writes."""
        now = self._clock()
        with self._db.writing() as connection:
            for claim in claims:
                held = and_(_held(claim), slices.c.leased_until > now)
                connection.execute(update(slices).where(held).values(leased_until=now + lease))

    def land(
        self,
        claim: SliceClaim,
        landed: Sequence[Landed],
        bookmark: Bookmark,
        *,
        ids: Collection[int] = (),
        gone: Collection[int] = (),
        lease: float,
    ) -> SliceClaim:
        """Stored objects count from now on, with the bookmark behind them and the ids in them; the claim to
        go on with.

        Args:
            landed: Usually one; none moves the bookmark only.
            gone: Ids that were found deleted.

        Raises:
            LeaseLost: The slice is somebody else's, or the lease is over; nothing was stored.
        """
        now = self._clock()
        rows, pages, size = (sum(getattr(one, name) for one in landed) for name in ("rows", "pages", "bytes"))
        moved: dict[str, Any] = {"last_id": bookmark.last_id, "last_mod_ts": bookmark.last_mod_ts}
        moved |= {"rows": slices.c.rows + rows, "pages": slices.c.pages + pages}
        moved |= {"bytes": slices.c.bytes + size, "sequence": slices.c.sequence + len(landed)}
        with self._db.writing() as connection:
            self._set(connection, claim, moved | {"leased_until": now + lease, "updated": now}, live_at=now)
            if landed:
                connection.execute(insert(landings), [landing_row(one, now) for one in landed])
                self._raise_maximum(connection, claim, landed)
            if ids or gone:
                note(connection, self._db.insert_new, claim.slice.entity, ids, gone)
            row = connection.execute(select(slices).where(_is(claim.slice))).mappings().one()
            return claim_of(row, claim.slice, claim.sync)

    def finish(self, claim: SliceClaim, *, seconds: float) -> Sync:
        """The slice is through; so is its sync when this was the last. Raises LeaseLost."""
        now = self._clock()
        with self._db.writing() as connection:
            _one_at_a_time(connection)
            self._set(connection, claim, ended(DONE, "", seconds, now), live_at=now)
            left = and_(slices.c.sync == claim.slice.sync, slices.c.state != DONE)
            mine = and_(syncs.c.number == claim.slice.sync, syncs.c.state == OPEN)
            if connection.execute(select(func.count()).where(left)).scalar_one() == 0:
                connection.execute(update(syncs).where(mine).values(state=DONE, ended=now))
            row = connection.execute(select(syncs).where(syncs.c.number == claim.slice.sync)).mappings().one()
            return Sync(**row)

    def fail(self, claim: SliceClaim, reason: str, *, seconds: float) -> None:
        """Give up this attempt; the next one goes on from the bookmark. Never raises LeaseLost."""
        self._leave(claim, FAILED, reason, seconds)

    def release(self, claim: SliceClaim, reason: str, *, seconds: float) -> None:
        """Give the slice back without a verdict. Never raises LeaseLost."""
        self._leave(claim, OPEN, reason, seconds)

    def slices(self, entity: str, date: str) -> Sequence[SliceStatus]:
        """All slices of a date, of all its syncs, in order."""
        return self._statuses(slices.c.entity == entity, slices.c.date == date)

    def status(self, sync: int) -> Sequence[SliceStatus]:
        """The slices of one sync."""
        return self._statuses(slices.c.sync == sync)

    def syncs(
        self, entity: str | None = None, mode: str | None = None, *, limit: int = 100
    ) -> Sequence[Sync]:
        """The last ones of an entity and mode or of all, the newest first."""
        wanted = {syncs.c.entity: entity, syncs.c.mode: mode}
        mine = [column == value for column, value in wanted.items() if value is not None]
        query = select(syncs).where(*mine).order_by(syncs.c.number.desc()).limit(limit)
        with self._db.reading() as connection:
            return [Sync(**row) for row in connection.execute(query).mappings()]

    def landed(self, entity: str, date: str, part: Slice | None = None) -> Sequence[Landed]:
        """Everything that landed for a date, or of one slice of it, in order of sync, slice and sequence."""
        parts = {(one.slice.sync, one.slice.number): one.slice for one in self.slices(entity, date)}
        table = landings.c
        query = select(landings).where(table.entity == entity, table.date == date)
        if part is not None:
            query = query.where(table.sync == part.sync, table.slice == part.number)
        names = [name for name in Landed.__slots__ if name != "slice"]
        with self._db.reading() as connection:
            found = connection.execute(query.order_by(table.sync, table.slice, table.sequence)).mappings()
            return [
                Landed(slice=parts[row["sync"], row["slice"]], **{name: row[name] for name in names})
                for row in found
            ]

    def latest_moment(self, entity: str) -> str:
        """The greatest mod_ts that ever landed; empty when nothing has."""
        query = select(slices.c.mod_ts_max).where(slices.c.entity == entity, slices.c.mod_ts_max != "")
        with self._db.reading() as connection:
            found = ""
            for moment in connection.execute(query.distinct()).scalars():
                found = latest(found, moment)
            return found

    def watermark(self, entity: str) -> str | None:
        """The mod_ts up to which nothing is missing but what the overlap is for, if the open full sync ends;
        empty when the source had no row; None when no full sync has begun: nothing can follow it."""
        pages = syncs.c.mode.in_((FULL, SINCE))
        mine = and_(syncs.c.entity == entity, pages, syncs.c.state != GIVEN_UP)
        with self._db.reading() as connection:
            found = [Sync(**row) for row in connection.execute(select(syncs).where(mine)).mappings()]
        through = [one.until for one in found if one.state == DONE]
        begun = through or [one.until for one in found if one.mode == FULL]
        mark = "" if begun else None
        for until in begun:
            mark = latest(mark or "", until)
        return mark

    def _set(
        self, connection: Connection, claim: SliceClaim, values: dict[str, Any], *, live_at: float
    ) -> None:
        held = and_(_held(claim), slices.c.leased_until > live_at)
        if connection.execute(update(slices).where(held).values(values)).rowcount != 1:
            raise LeaseLost(
                f"slice {claim.slice.name}: {claim.owner} (epoch {claim.epoch}) no longer holds it"
            )

    def _leave(self, claim: SliceClaim, state: str, reason: str, seconds: float) -> None:
        with self._db.writing() as connection:
            left = ended(state, reason, seconds, self._clock())
            connection.execute(update(slices).where(_held(claim)).values(left))

    def _raise_maximum(self, connection: Connection, claim: SliceClaim, landed: Sequence[Landed]) -> None:
        mine = _is(claim.slice)
        found = str(connection.execute(select(slices.c.mod_ts_max).where(mine)).scalar_one())
        for one in landed:
            found = latest(found, one.mod_ts_max)
        connection.execute(update(slices).where(mine).values(mod_ts_max=found))

    def _refuse_reading(self, connection: Connection, mine: ColumnElement[bool], what: str) -> None:
        now = self._clock()
        reading = and_(mine, slices.c.owner != "", slices.c.leased_until > now)
        row = connection.execute(select(slices).where(reading).limit(1)).mappings().first()
        if row is not None:
            left = row["leased_until"] - now
            raise ChunkBusy(
                f"{what} is read by {row['owner']} ({row['mode']}) for {left:.0f} s more", retry_after=left
            )

    def _statuses(self, *mine: ColumnElement[bool]) -> Sequence[SliceStatus]:
        query = select(slices).where(*mine).order_by(slices.c.sync, slices.c.number)
        now = self._clock()
        with self._db.reading() as connection:
            return [status_of(row, now) for row in connection.execute(query).mappings()]


def _one_at_a_time(connection: Connection) -> None:
    """Whoever decides over syncs meanwhile waits; the transactions that do so are short."""
    connection.execute(select(versions.c.version).with_for_update())


def _open_sync(connection: Connection, entity: str, mode: str) -> Sync | None:
    mine = and_(syncs.c.entity == entity, syncs.c.mode == mode, syncs.c.state == OPEN)
    row = connection.execute(select(syncs).where(mine)).mappings().first()
    return None if row is None else Sync(**row)


def _part(sync: Sync, number: int, place: int, piece: Piece) -> Slice:
    return Slice(
        entity=sync.entity,
        date=sync.date,
        sync=number,
        number=place,
        slot=piece.slot,
        mode=sync.mode,
        low=piece.low,
        high=piece.high,
        rows=piece.rows,
    )


def _is(part: Slice) -> ColumnElement[bool]:
    return and_(slices.c.sync == part.sync, slices.c.number == part.number)


def _held(claim: SliceClaim) -> ColumnElement[bool]:
    return and_(_is(claim.slice), slices.c.epoch == claim.epoch, slices.c.owner == clean(claim.owner))
