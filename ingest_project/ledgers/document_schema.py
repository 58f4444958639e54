"""The ledger's tables of documents that pass through stages. Only names, types and indexes live here."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    literal_column,
)

from ingest_project.ledgers.schema import WORD, metadata

documents = Table(
    "ingest_documents",
    metadata,
    Column("collection", WORD, primary_key=True),
    Column("id", WORD, primary_key=True),
    Column("month", WORD, nullable=False),
    Column("number", Integer, nullable=False),
    Column("group", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("fields", Text, nullable=False),
    Column("listed", Double, nullable=False),
    Column("changed", Double, nullable=False),
    # A page of a bucket, and counts by bucket and state, are read from these alone.
    Index("ingest_documents_by_bucket", "collection", "month", "number", "id"),
    Index("ingest_documents_by_state", "collection", "month", "number", "state"),
)

stages = Table(
    "ingest_document_stages",
    metadata,
    Column("collection", WORD, primary_key=True),
    Column("id", WORD, primary_key=True),
    Column("stage", WORD, primary_key=True),
    # The mark; an empty fingerprint is none.
    Column("fingerprint", WORD, nullable=False, server_default=""),
    Column("output", WORD, nullable=False, server_default=""),
    Column("facts", Text, nullable=False, server_default="{}"),
    # Why it is parked, and under which fingerprint; an empty one: it is not.
    Column("parked", WORD, nullable=False, server_default=""),
    Column("cause", WORD, nullable=False, server_default=""),
    Column("kind", WORD, nullable=False, server_default=""),
    Column("group", WORD, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default=""),
    # Why it did not work out the last time; empty: it did.
    Column("reason", Text, nullable=False, server_default=""),
    Column("owner", WORD, nullable=False, server_default=""),
    Column("epoch", BigInteger, nullable=False, server_default="0"),
    Column("leased_until", Double, nullable=False, server_default="0"),
    Column("updated", Double, nullable=False, server_default="0"),
    # Of its document, and the fact that is added up: so that counts need no other table and no row. -1: there
    # is no mark.
    Column("month", WORD, nullable=False, server_default=""),
    Column("counted", Integer, nullable=False, server_default="-1"),
    sqlite_with_rowid=False,
)

# Written out, not bound: SQLite finds a partial index by the very words of its condition.
_NOTHING: ColumnElement[str] = literal_column("''")
IS_DONE = stages.c.counted >= literal_column("0")
IS_PARKED = stages.c.parked != _NOTHING
IS_HELD = stages.c.owner != _NOTHING
IS_DELAYED = stages.c.reason != _NOTHING
Index(
    "ingest_document_stages_parked",
    *(stages.c.collection, stages.c.stage, stages.c.cause, stages.c.kind, stages.c.group, stages.c.id),
    # So that lists and counts need not look into the rows.
    stages.c.parked,
    sqlite_where=IS_PARKED,
    postgresql_where=IS_PARKED,
)
COUNTING = (
    Index(
        "ingest_document_stages_done",
        *(stages.c.collection, stages.c.stage, stages.c.month, stages.c.counted),
        sqlite_where=IS_DONE,
        postgresql_where=IS_DONE,
    ),
    Index(
        "ingest_document_stages_parked_of_month",
        *(stages.c.collection, stages.c.month, stages.c.stage, stages.c.parked),
        sqlite_where=IS_PARKED,
        postgresql_where=IS_PARKED,
    ),
)
"""Made also for a ledger that has the tables already."""

Index(
    "ingest_document_stages_held",
    *(stages.c.collection, stages.c.owner),
    sqlite_where=IS_HELD,
    postgresql_where=IS_HELD,
)
Index(
    "ingest_document_stages_delayed",
    *(stages.c.collection, stages.c.id),
    sqlite_where=IS_DELAYED,
    postgresql_where=IS_DELAYED,
)

extractions = Table(
    "ingest_extractions",
    metadata,
    Column("content", WORD, primary_key=True),
    Column("extractor", WORD, primary_key=True),
    Column("output", WORD, nullable=False),
    Column("facts", Text, nullable=False),
    Column("made", Double, nullable=False),
    sqlite_with_rowid=False,
)

segments = Table(
    "ingest_segments",
    metadata,
    Column("collection", WORD, primary_key=True),
    Column("document", WORD, primary_key=True),
    Column("id", WORD, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("gone", Integer, nullable=False),
    Column("fields", Text, nullable=False),
)

vectors = Table(
    "ingest_vectors",
    metadata,
    Column("model", WORD, primary_key=True),
    Column("text_key", WORD, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
"""One row for a text and a model; see core.encoding.VectorStore."""
