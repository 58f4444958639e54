"""How a ledger that an earlier program made becomes one of today: only by additions, in one transaction."""

from __future__ import annotations

from sqlalchemy import Column, Connection, insert, select, text, update
from sqlalchemy.schema import CreateColumn

from ingest_project.ledgers.document_schema import documents
from ingest_project.ledgers.schema import VERSION, rejections, versions

ADDED = {2: (rejections.c.state, rejections.c.replay, rejections.c.closed, rejections.c.closed_by)}
"""Version -> columns that it added to tables of the version before. New tables need no word."""

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
                _add(connection, column)
        TABLES.create_all(connection)
        connection.execute(update(versions).values(version=VERSION))
    return VERSION


def _add(connection: Connection, column: Column[object]) -> None:
    described = CreateColumn(column).compile(dialect=connection.dialect)
    connection.execute(text(f"ALTER TABLE {column.table.name} ADD COLUMN {described}"))
