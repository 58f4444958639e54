"""Statements over documents and their stages that several verbs share; each runs inside its caller's
transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, or_, select, update

from ingest_project.core.documents import Bucket
from ingest_project.ledgers.document_schema import documents, stages

SOME = 1000
"""Ids that a statement names at most; SQLite takes 32766 values."""

T = TypeVar("T")


def pages(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + SOME] for at in range(0, len(values), SOME))


def in_bucket(bucket: Bucket) -> ColumnElement[bool]:
    table = documents.c
    return and_(
        table.collection == bucket.collection, table.month == bucket.month, table.number == bucket.number
    )


def of_stage(collection: str, stage: str, ids: Collection[str]) -> ColumnElement[bool]:
    return and_(stages.c.collection == collection, stages.c.stage == stage, stages.c.id.in_(ids))


def not_held(now: float) -> ColumnElement[bool]:
    return or_(stages.c.owner == "", stages.c.leased_until <= now)


def lock(connection: Connection, collection: str, ids: Collection[str]) -> None:
    """Whoever else changes one of these documents waits. Always the first statement, and in order of ids, so
    that two who want the same ones wait for each other instead of dying."""
    mine = and_(documents.c.collection == collection, documents.c.id.in_(ids))
    if connection.dialect.name != "sqlite":
        connection.execute(select(documents.c.id).where(mine).order_by(documents.c.id).with_for_update())


def stage_rows(
    connection: Connection, collection: str, ids: Sequence[str], names: Collection[str]
) -> dict[str, list[RowMapping]]:
    """Document id -> its rows of these stages."""
    found: dict[str, list[RowMapping]] = {}
    if ids:
        mine = and_(stages.c.collection == collection, stages.c.id.in_(ids), stages.c.stage.in_(names))
        for row in connection.execute(select(stages).where(mine)).mappings():
            found.setdefault(row["id"], []).append(row)
    return found


def holders(
    connection: Connection, collection: str, stage: str, ids: Collection[str]
) -> dict[str, RowMapping]:
    """Document id -> id, owner, epoch, leased_until of one stage, locked."""
    columns = (stages.c.id, stages.c.owner, stages.c.epoch, stages.c.leased_until)
    query = select(*columns).where(of_stage(collection, stage, ids)).order_by(stages.c.id).with_for_update()
    return {row["id"]: row for row in connection.execute(query).mappings()}


def change_each(
    connection: Connection,
    collection: str,
    stage: str,
    changes: Mapping[str, Mapping[str, Any]],
    shared: Mapping[str, Any],
) -> None:
    """Document id -> values of its row of a stage, all of the same columns; ``shared``: of all rows."""
    names = next(iter(changes.values()))
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    mine = and_(
        stages.c.collection == collection, stages.c.stage == stage, stages.c.id == bindparam("changed_id")
    )
    rows = [
        {"changed_id": id, **{f"new_{name}": value for name, value in change.items()}}
        for id, change in sorted(changes.items())
    ]
    connection.execute(update(stages).where(mine).values({**values, **shared}), rows)


def restate(connection: Connection, collection: str, ids: Collection[str], state: str) -> None:
    mine = and_(documents.c.collection == collection, documents.c.id.in_(ids), documents.c.state != state)
    connection.execute(update(documents).where(mine).values(state=state))
