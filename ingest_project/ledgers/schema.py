"""The ledger's tables, written so that SQLite and PostgreSQL read them alike.

Only names, types and indexes live here: no statement, no connection, no rule.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

VERSION = 5
"""Raised with every change of a table, and the change told in ledgers.migrations; a ledger of a later version
is refused, not guessed at."""

# Order (law 11) is decided by comparing text, so it must not depend on the database's locale.
WORD = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

versions = Table("ingest_schema", metadata, Column("version", Integer, primary_key=True))

horizons = Table(
    "ingest_horizons",
    metadata,
    Column("entity", WORD, primary_key=True),
    Column("target", WORD, primary_key=True),
    Column("last", BigInteger, nullable=False, default=0),
)

COUNTS = (
    "sent",
    "written",
    "superseded",
    "unchanged",
    "rejected",
    "bytes",
    "requests",
    "retries",
    "throttles",
)

works = Table(
    "ingest_works",
    metadata,
    Column("chunk", WORD, primary_key=True),
    Column("stage", WORD, primary_key=True),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("target", WORD, nullable=False),
    Column("uri", WORD, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("fingerprint", WORD, nullable=False),
    Column("identity", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("owner", WORD, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("leased_until", Double, nullable=False),
    Column("horizon", BigInteger, nullable=False),
    Column("sequence", BigInteger),
    Column("ordinal", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
    Column("seconds", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("updated", Double, nullable=False),
    Index("ingest_works_by_date", "entity", "date"),
    Index("ingest_works_by_sequence", "entity", "target", "stage", "sequence"),
    Index("ingest_works_by_state", "state", "entity", "target", "stage"),
    Index("ingest_works_by_uri", "uri"),
)

rejections = Table(
    "ingest_rejections",
    metadata,
    Column("chunk", WORD, primary_key=True),
    Column("stage", WORD, primary_key=True),
    Column("ordinal", BigInteger, primary_key=True),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("target", WORD, nullable=False),
    Column("uri", WORD, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("state", WORD, nullable=False, server_default="open"),
    Column("replay", BigInteger),
    Column("closed", Double),
    Column("closed_by", Text, nullable=False, server_default=""),
    ForeignKeyConstraint(["chunk", "stage"], ["ingest_works.chunk", "ingest_works.stage"]),
    Index("ingest_rejections_by_date", "entity", "date"),
    Index("ingest_rejections_by_uri", "uri"),
)

replays = Table(
    "ingest_replays",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("chunk", WORD, nullable=False),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("origin", WORD, nullable=False),
    Column("definition", Text, nullable=False),
    Column("state", WORD, nullable=False),
    Column("made", Double, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("closed", Double),
    Index("ingest_replays_by_date", "entity", "date"),
    Index("ingest_replays_by_chunk", "chunk"),
)

replay_records = Table(
    "ingest_replay_records",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("stage", WORD, nullable=False),
    Column("letter", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

files = Table(
    "ingest_files",
    metadata,
    Column("uri", WORD, primary_key=True),
    Column("etag", WORD, primary_key=True),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("target", WORD, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified", Double, nullable=False),
    Column("fingerprint", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run", WORD, nullable=False),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ingest_files_by_state", "entity", "state", "first_seen"),
    Index("ingest_files_by_date", "entity", "date"),
)

budgets = Table(
    "ingest_budgets",
    metadata,
    Column("api", WORD, primary_key=True),
    Column("rate", Double, nullable=False),
    Column("turn", Double, nullable=False),
    Column("held", Double, nullable=False),
    Column("cut", Double, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("objections", BigInteger, nullable=False),
)

syncs = Table(
    "ingest_syncs",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("mode", WORD, nullable=False),
    Column("since", Text, nullable=False),
    Column("until", Text, nullable=False),
    Column("page_mode", WORD, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("state", WORD, nullable=False),
    Column("begun", Double, nullable=False),
    Column("ended", Double),
    Column("reason", Text, nullable=False),
    Index("ingest_syncs_by_entity", "entity", "state"),
)

slices = Table(
    "ingest_slices",
    metadata,
    Column("sync", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("mode", WORD, nullable=False),
    Column("low", WORD, nullable=False),
    Column("high", WORD, nullable=False),
    Column("expected", BigInteger, nullable=False),
    Column("state", WORD, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", WORD, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("leased_until", Double, nullable=False),
    Column("last_id", BigInteger),
    Column("last_mod_ts", Text, nullable=False),
    Column("mod_ts_max", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("pages", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("updated", Double, nullable=False),
    ForeignKeyConstraint(["sync"], ["ingest_syncs.number"]),
    Index("ingest_slices_by_date", "entity", "date", "slot"),
    Index("ingest_slices_by_state", "entity", "state"),
)

landings = Table(
    "ingest_landings",
    metadata,
    Column("sync", BigInteger, primary_key=True, autoincrement=False),
    Column("slice", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("entity", WORD, nullable=False),
    Column("date", WORD, nullable=False),
    Column("uri", WORD, nullable=False),
    Column("etag", WORD, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("pages", BigInteger, nullable=False),
    Column("mod_ts_max", Text, nullable=False),
    Column("ids_low", BigInteger, nullable=False),
    Column("ids_high", BigInteger, nullable=False),
    Column("landed", Double, nullable=False),
    ForeignKeyConstraint(["sync", "slice"], ["ingest_slices.sync", "ingest_slices.number"]),
    Index("ingest_landings_by_date", "entity", "date"),
)

known_ids = Table(
    "ingest_known_ids",
    metadata,
    Column("entity", WORD, primary_key=True),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
    Column("bits", LargeBinary, nullable=False),
)
"""One row for 32768 ids; bit i of the little-endian number ``bits`` is id ``block * 32768 + i``."""

fields = Table(
    "ingest_fields",
    metadata,
    Column("entity", WORD, primary_key=True),
    Column("name", WORD, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("origin", WORD, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("asked", Text, nullable=False),
    Column("aside", Text, nullable=False),
    Column("refused", Text, nullable=False),
)
"""One row a field of an entity whose source describes itself; its kinds are words with blanks between."""

field_events = Table(
    "ingest_field_events",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("entity", WORD, nullable=False),
    Column("name", WORD, nullable=False),
    Column("event", WORD, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", Double, nullable=False),
    Index("ingest_field_events_by_entity", "entity", "number"),
)
