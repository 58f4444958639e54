"""SqlLedger: the account of all work in SQLite or PostgreSQL. One method, one transaction.

Who may work on what, how far it is and what came of it are decided here; tables, rows and the database are
next door. Fencing rests on one column: ``epoch`` grows at every claim, and every write of an owner is
conditional on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, delete, select, tuple_, update

from ingest_project.core.errors import ChunkBusy, CountLost, LeaseLost, PlanDrift
from ingest_project.core.experience import Span
from ingest_project.core.model import Chunk, Claim, Counts, Position, Rejection, Work, WorkStatus
from ingest_project.ledgers import rows
from ingest_project.ledgers.database import Database, clean
from ingest_project.ledgers.fields import LedgerFields
from ingest_project.ledgers.files import FileRegister
from ingest_project.ledgers.rejections import OPEN, DeadLetters, Selection, store
from ingest_project.ledgers.replays import Replays
from ingest_project.ledgers.schema import COUNTS, horizons, rejections, works
from ingest_project.ledgers.summaries import FileSummary, spans, summarise
from ingest_project.ledgers.syncs import SyncLedger

VALIDATED = "validated"


class SqlLedger:
    """core.ports.Ledger over SQLAlchemy, for any number of threads, processes and hosts.

    A lease is a time of the wall clock, the only one that processes share. A clock that is wrong by more than
    a lease makes owners lose their work to others (they are fenced, and it is done again), never records.

    Args:
        url: ``sqlite:///...``, ``postgresql://...`` or the path of an SQLite file.
        clock: Wall clock seconds.

    Attributes:
        dead_letters: Finds, shows and counts stored rejections.
        fields: The fields of entities whose sources describe themselves.
        files: The inbox's state machine.
        replays: Refused records that are sent once more.
        syncs: What was read of paged sources, and how far.
    """

    def __init__(self, url: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._db = Database(url)
        self._clock = clock
        self.dead_letters = DeadLetters(self._db)
        self.fields = LedgerFields(self._db, clock=clock)
        self.files = FileRegister(self._db, clock=clock)
        self.replays = Replays(self._db, clock=clock)
        self.syncs = SyncLedger(self._db, clock=clock)

    def __repr__(self) -> str:
        return f"SqlLedger({self._db.url.render_as_string()!r})"

    def close(self) -> None:
        """Give the connections back; the ledger can be used again."""
        self._db.close()

    def claim(self, work: Work, *, owner: str, lease: float) -> Claim:
        """See core.ports.Ledger."""
        now = self._clock()
        with self._db.writing() as connection:
            self._lock_target(connection, work.chunk)
            row = self._row(connection, work, now)
            self._refuse_taken(row, work, owner, now)
            if row["identity"] != work.identity:
                row = self._start_anew(connection, work)
            if row["state"] == "sealed":
                return rows.claim_of(row, work, owner=owner, epoch=row["epoch"])
            if work.stage != VALIDATED:
                self._keep_order(connection, work, now)
            epoch = row["epoch"] + 1
            taken = {"state": "claimed", "owner": clean(owner), "epoch": epoch, "leased_until": now + lease}
            taken |= {"horizon": work.horizon, "reason": "", "updated": now}
            connection.execute(update(works).where(_is(work)).values(taken))
            return rows.claim_of(row, work, owner=owner, epoch=epoch)

    def advance(
        self,
        claim: Claim,
        position: Position,
        counts: Counts,
        rejections: Iterable[Rejection],
        *,
        lease: float,
    ) -> None:
        """See core.ports.Ledger. Position, counts and rejections are stored together or not at all."""
        now = self._clock()
        moved: dict[str, Any] = {name: works.c[name] + getattr(counts, name) for name in COUNTS}
        moved |= {"ordinal": position.ordinal, "token": position.token}
        with self._db.writing() as connection:
            self._set(connection, claim, moved | {"leased_until": now + lease, "updated": now}, live_at=now)
            store(connection, self._db.insert_new, claim.work, rejections)

    def seal(self, claim: Claim, *, seconds: float) -> None:
        """See core.ports.Ledger. A validated chunk without a fault must have all of its planned records."""
        now = self._clock()
        with self._db.writing() as connection:
            ended = _ended("sealed", "", seconds, now) | self._sequence(connection, claim)
            self._set(connection, claim, ended, live_at=now)
            row = connection.execute(select(works).where(_is(claim.work))).mappings().one()
            self._refuse_lost(rows.counts_of(row), claim.work)

    def fail(self, claim: Claim, reason: str, *, seconds: float) -> None:
        """See core.ports.Ledger."""
        now = self._clock()
        with self._db.writing() as connection:
            ended = _ended("failed", reason, seconds, now) | self._sequence(connection, claim)
            self._set(connection, claim, ended, live_at=now)

    def release(self, claim: Claim, reason: str) -> None:
        """See core.ports.Ledger."""
        with self._db.writing() as connection:
            ended = _ended("open", reason, 0.0, self._clock())
            connection.execute(update(works).where(_held(claim)).values(ended))

    def horizon(self, entity: str, target: str) -> int:
        """See core.ports.Ledger."""
        with self._db.reading() as connection:
            last = connection.execute(select(horizons.c.last).where(_of(horizons, entity, target))).scalar()
            return int(last or 0)

    def status(
        self, entity: str | None = None, date: str | None = None, *, state: str | None = None
    ) -> Sequence[WorkStatus]:
        """Works of the selection, in order of date, file, place in the file and stage.

        Args:
            state: As stored: ``failed``, ``sealed``, ``open`` or ``claimed`` (also when its lease ran out).
        """
        wanted = {works.c.entity: entity, works.c.date: date, works.c.state: state}
        query = select(works).where(
            *(column == value for column, value in wanted.items() if value is not None)
        )
        place = (works.c.entity, works.c.date, works.c.uri, works.c.start, works.c.stage.desc())
        now = self._clock()
        with self._db.reading() as connection:
            return [rows.status_of(row, now) for row in connection.execute(query.order_by(*place)).mappings()]

    def count_rejections(self, entity: str, stage: str, date: str, chunks: Collection[str]) -> int:
        """Stored dead letters of a stage and date that belong to the named chunks."""
        found = self.dead_letters.by_chunk(Selection(entity=entity, stage=stage, date=date))
        return sum(count for chunk, count in found.items() if chunk in chunks)

    def rejections(self, chunk: Chunk, stage: str) -> Sequence[Rejection]:
        """Stored dead letters of one chunk and stage, by ordinal."""
        mine = Selection(chunk_id=chunk.id, stage=stage)
        return [letter.rejection for letter in self.dead_letters.each(mine)]

    def summary(self, entity: str | None = None, date: str | None = None) -> Sequence[FileSummary]:
        """One entry a file and target: chunks, counts of each stage, reasons of its rejections, seconds."""
        with self._db.reading() as connection:
            return summarise(connection, entity, date)

    def spans(self, entity: str, targets: Collection[str] = ()) -> Sequence[Span]:
        """When the entity's chunks were worked on, stage by stage; of these targets alone when there are
        any."""
        with self._db.reading() as connection:
            return spans(connection, entity, targets)

    def _row(self, connection: Connection, work: Work, now: float) -> RowMapping:
        connection.execute(self._db.insert_new(works), [rows.new_row(work, now)])
        return connection.execute(select(works).where(_is(work)).with_for_update()).mappings().one()

    def _refuse_taken(self, row: RowMapping, work: Work, owner: str, now: float) -> None:
        chunk = work.chunk
        if row["fingerprint"] != chunk.fingerprint:
            raise PlanDrift(
                f"chunk {chunk.id} of {chunk.range.uri} is known with other content "
                f"({row['fingerprint']}, now {chunk.fingerprint}): plan the file again"
            )
        left = row["leased_until"] - now
        if row["state"] == "claimed" and left > 0 and row["owner"] != clean(owner):
            raise ChunkBusy(
                f"{work.stage} of chunk {chunk.id} is held by {row['owner']} for {left:.0f} s more",
                retry_after=left,
            )

    def _start_anew(self, connection: Connection, work: Work) -> RowMapping:
        """The target is another one than last time, hence empty: nothing that was done counts any more."""
        table = rejections.c
        mine = and_(table.chunk == work.chunk.id, table.stage == work.stage)
        connection.execute(delete(rejections).where(mine, table.state == OPEN))
        anew = {**rows.FRESH, "identity": work.identity, "state": "open"}
        connection.execute(update(works).where(_is(work)).values(anew))
        return connection.execute(select(works).where(_is(work))).mappings().one()

    def _keep_order(self, connection: Connection, work: Work, now: float) -> None:
        """Law 11 among chunks of one target: a claim's horizon says which chunks' keys its owner knows."""
        chunk = work.chunk
        validated = select(works.c.sequence).where(works.c.chunk == chunk.id, works.c.stage == VALIDATED)
        number = connection.execute(validated).scalar() or 0
        earlier = and_(
            _of(works, chunk.entity, chunk.target),
            works.c.stage == work.stage,
            works.c.state == "claimed",
            works.c.horizon < number,
            works.c.chunk != chunk.id,
            # A replay has the place of the chunk that its records are from: neither may overlook the other.
            tuple_(works.c.date, works.c.uri, works.c.start) <= tuple_(*chunk.order),
        )
        holder = (
            connection.execute(select(works).where(earlier, works.c.leased_until > now)).mappings().first()
        )
        if holder is not None:
            raise ChunkBusy(
                f"{work.stage} of chunk {chunk.id} waits for the earlier chunk {holder['chunk']}, held by "
                f"{holder['owner']}, which does not know this one's keys",
                retry_after=holder["leased_until"] - now,
            )
        # Leases that are over by this clock: their owners may go by another one, and would undo this work.
        connection.execute(update(works).where(earlier).values(state="open", epoch=works.c.epoch + 1))
        self._refuse_overtaken(connection, work)

    def _refuse_overtaken(self, connection: Connection, work: Work) -> None:
        done, known = works.alias("done"), works.alias("known")
        overtaken = (
            select(done.c.chunk)
            .join(known, and_(known.c.chunk == done.c.chunk, known.c.stage == VALIDATED))
            .where(
                _of(known, work.chunk.entity, work.chunk.target),
                known.c.sequence > work.horizon,
                done.c.stage == work.stage,
                done.c.epoch > 0,
                done.c.chunk != work.chunk.id,
                tuple_(done.c.date, done.c.uri, done.c.start) >= tuple_(*work.chunk.order),
            )
        )
        chunk = connection.execute(overtaken.limit(1)).scalar()
        if chunk is not None:
            raise ChunkBusy(
                f"{work.stage} of chunk {work.chunk.id}: the later chunk {chunk} has begun since this one's "
                f"losers were named (horizon {work.horizon}): name them again"
            )

    def _lock_target(self, connection: Connection, chunk: Chunk) -> None:
        """One lock a target, taken before any row's, so that claims see each other and never deadlock."""
        connection.execute(
            self._db.insert_new(horizons), [{"entity": chunk.entity, "target": chunk.target, "last": 0}]
        )
        mine = _of(horizons, chunk.entity, chunk.target)
        connection.execute(select(horizons.c.last).where(mine).with_for_update())

    def _sequence(self, connection: Connection, claim: Claim) -> dict[str, Any]:
        """The next number of the target when a validated chunk ends: from now on its keys can be known."""
        if claim.work.stage != VALIDATED:
            return {}
        chunk = claim.work.chunk
        mine = _of(horizons, chunk.entity, chunk.target)
        connection.execute(update(horizons).where(mine).values(last=horizons.c.last + 1))
        return {"sequence": connection.execute(select(horizons.c.last).where(mine)).scalar_one()}

    def _set(self, connection: Connection, claim: Claim, values: dict[str, Any], *, live_at: float) -> None:
        held = and_(_held(claim), works.c.leased_until > live_at)
        if connection.execute(update(works).where(held).values(values)).rowcount != 1:
            raise LeaseLost(
                f"{claim.work.stage} of chunk {claim.work.chunk.id}: {claim.owner} (epoch {claim.epoch}) no "
                "longer holds it"
            )

    def _refuse_lost(self, counts: Counts, work: Work) -> None:
        chunk = work.chunk
        if not counts.balanced:
            raise CountLost(f"{work.stage} of chunk {chunk.id} does not add up: {counts}")
        if work.stage == VALIDATED and chunk.fault is None and counts.sent != chunk.records:
            raise CountLost(
                f"{chunk.range.uri}: chunk {chunk.id} has {chunk.records} records by its plan, "
                f"{counts.sent} were read"
            )


def _is(work: Work) -> Any:
    return and_(works.c.chunk == work.chunk.id, works.c.stage == work.stage)


def _held(claim: Claim) -> Any:
    return and_(_is(claim.work), works.c.epoch == claim.epoch, works.c.state == "claimed")


def _ended(state: str, reason: str, seconds: float, now: float) -> dict[str, Any]:
    return {
        "state": state,
        "owner": "",
        "leased_until": 0.0,
        "reason": clean(reason),
        "seconds": works.c.seconds + seconds,
        "updated": now,
    }


def _of(table: Any, entity: str, target: str) -> Any:
    return and_(table.c.entity == entity, table.c.target == target)
