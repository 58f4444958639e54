"""How a ledger that an earlier program made becomes one of today: only by additions, in one transaction."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    and_,
    case,
    cast,
    func,
    insert,
    inspect,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateColumn

from ingest_project.core.documents import COUNTED
from ingest_project.ledgers.document_schema import COUNTING, documents, stages
from ingest_project.ledgers.schema import VERSION, rejections, versions

ADDED = {
    2: (rejections.c.state, rejections.c.replay, rejections.c.closed, rejections.c.closed_by),
    5: (stages.c.month, stages.c.counted),
}
"""Version -> columns that it added to tables of the version before. New tables need no word."""

COUNTED_SINCE = 5

TABLES = documents.metadata
"""All tables: those of documents join the others where they are defined."""


def prepare(connection: Connection) -> int:
    """Make the tables, or bring them up to date; the version that the ledger has then."""
    versions.create(connection, checkfirst=True)
    found = connection.execute(select(versions.c.version)).scalar()
    if found is None:
        TABLES.create_all(connection)
        connection.execute(insert(versions).values(version=VERSION))
        return VERSION
    if found > VERSION:
        return int(found)
    if found < VERSION:
        for version in range(found + 1, VERSION + 1):
            for column in ADDED.get(version, ()):
                # A table that is not there yet is made whole.
                if inspect(connection).has_table(column.table.name):
                    _add(connection, column)
        TABLES.create_all(connection)
        if found < COUNTED_SINCE:
            _count(connection)
        connection.execute(update(versions).values(version=VERSION))
    return VERSION


def _count(connection: Connection) -> None:
    """What a mark's own columns have told since version 5, of the marks that there are; and its indexes."""
    same = and_(documents.c.collection == stages.c.collection, documents.c.id == stages.c.id)
    lite = connection.dialect.name == "sqlite"
    # PostgreSQL reads no JSON with a NUL in it.
    told = (
        f"json_extract(facts, '$.{COUNTED}')"
        if lite
        else f"""substring(facts FROM '"{COUNTED}":"([0-9]+)"')"""
    )
    number = case(
        (stages.c.fingerprint == "", -1), else_=func.coalesce(cast(literal_column(told), Integer), 0)
    )
    connection.execute(update(stages).where(same).values(month=documents.c.month, counted=number))
    for index in COUNTING:
        index.create(connection, checkfirst=True)


def _add(connection: Connection, column: Column[object]) -> None:
    described = CreateColumn(column).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {described}"))
