"""What people and checks ask about documents: counts by bucket and state, what is parked, what is delayed.

Only reads; each answer comes out of an index and is bounded by the number of buckets, causes or by a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, func, select, tuple_

from ingest_project.core.document_ledger import BucketCount, ParkedCount, ParkedDocument, Standing
from ingest_project.ledgers.database import Database
from ingest_project.ledgers.document_rows import bucket_of, parked_document, standing_of
from ingest_project.ledgers.document_schema import (
    IS_DELAYED,
    IS_DONE,
    IS_HELD,
    IS_PARKED,
    documents,
    stages,
)
from ingest_project.ledgers.document_statements import stage_rows


class SqlDocumentAccounts:
    """core.document_ledger.DocumentAccounts."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._db, self._clock = database, clock

    def states(self, collection: str) -> Sequence[BucketCount]:
        """See core.document_ledger.DocumentAccounts."""
        table, number = documents.c, func.count().label("documents")
        place = (table.collection, table.month, table.number, table.state)
        query = select(*place, number).where(table.collection == collection).group_by(*place).order_by(*place)
        with self._db.reading() as connection:
            return [
                BucketCount(bucket=bucket_of(row), state=row["state"], documents=row["documents"])
                for row in connection.execute(query).mappings()
            ]

    def stage_counts(self, collection: str, month: str) -> Mapping[str, Mapping[str, int]]:
        """See core.document_ledger.DocumentAccounts."""
        table, live = stages.c, stages.c.leased_until > self._clock()
        asked = {"parked": IS_PARKED, "delayed": IS_DELAYED, "held": and_(IS_HELD, live)}
        found: dict[str, dict[str, int]] = {}
        with self._db.reading() as connection:
            # Named, for in the index the stage stands before the month.
            done = and_(table.stage.in_(_stages(connection, collection)), IS_DONE)
            for name, what in {"done": done, **asked}.items():
                mine = and_(table.collection == collection, table.month == month, what)
                query = select(table.stage, func.count()).where(mine).group_by(table.stage)
                for stage, count in connection.execute(query):
                    found.setdefault(stage, dict.fromkeys(("done", *asked), 0))[name] = count
        return dict(sorted(found.items()))

    def parked_counts(self, collection: str) -> Sequence[ParkedCount]:
        """See core.document_ledger.DocumentAccounts."""
        table, number = stages.c, func.count().label("documents")
        words = (table.stage, table.cause, table.kind, table.group)
        mine = and_(table.collection == collection, IS_PARKED)
        query = select(*words, number).where(mine).group_by(*words).order_by(number.desc(), *words)
        with self._db.reading() as connection:
            return [ParkedCount(**row) for row in connection.execute(query).mappings()]

    def parked(
        self,
        collection: str,
        *,
        stage: str | None = None,
        causes: Collection[str] = (),
        after: tuple[str, str] = ("", ""),
        limit: int = 100,
    ) -> Sequence[ParkedDocument]:
        """See core.document_ledger.DocumentAccounts."""
        table = stages.c
        place = tuple_(table.stage, table.id)
        wanted: list[ColumnElement[bool]] = [table.collection == collection, IS_PARKED]
        wanted += [place > tuple_(*after)] if any(after) else []
        wanted += [] if stage is None else [table.stage == stage]
        wanted += [table.cause.in_(causes)] if causes else []
        # Found in the index alone; only what is shown is looked up.
        some = select(table.id, table.stage).where(*wanted).order_by(table.stage, table.id).limit(limit)
        shown = some.subquery()
        this = and_(
            table.collection == collection, table.id == shown.c.id, table.stage == shown.c.stage, _SAME
        )
        query = (
            select(stages, documents.c.month, documents.c.number)
            .select_from(shown, stages, documents)
            .where(this)
            .order_by(table.stage, table.id)
        )
        with self._db.reading() as connection:
            return [parked_document(row) for row in connection.execute(query).mappings()]

    def counted(self, collection: str, stage: str) -> int:
        """See core.document_ledger.DocumentAccounts."""
        mine = and_(stages.c.collection == collection, stages.c.stage == stage, IS_DONE)
        with self._db.reading() as connection:
            return int(connection.execute(select(func.sum(stages.c.counted)).where(mine)).scalar() or 0)

    def delayed(self, collection: str, *, limit: int = 100) -> Sequence[tuple[str, str, str]]:
        """See core.document_ledger.DocumentAccounts."""
        table = stages.c
        query = select(table.id, table.stage, table.reason).where(table.collection == collection, IS_DELAYED)
        with self._db.reading() as connection:
            found = connection.execute(query.order_by(table.id, table.stage).limit(limit))
            return [(id, stage, reason) for id, stage, reason in found]

    def find(self, collection: str, id: str, stage_names: Sequence[str]) -> Standing | None:
        """See core.document_ledger.DocumentAccounts."""
        mine = and_(documents.c.collection == collection, documents.c.id == id)
        with self._db.reading() as connection:
            row = connection.execute(select(documents).where(mine)).mappings().first()
            if row is None:
                return None
            marks = stage_rows(connection, collection, [id], stage_names)
        first = next(iter(stage_names), "")
        return standing_of(row, marks.get(id, ()), first, self._clock())


def _stages(connection: Connection, collection: str) -> list[str]:
    """Stages with a mark: one look into the index each, however many marks there are."""
    found: list[str] = []
    while True:
        later = stages.c.stage > (found[-1] if found else "")
        mine = and_(stages.c.collection == collection, IS_DONE, later)
        stage = connection.execute(select(func.min(stages.c.stage)).where(mine)).scalar()
        if stage is None:
            return found
        found.append(stage)


_SAME = and_(stages.c.collection == documents.c.collection, stages.c.id == documents.c.id)
