"""Every read of conversations as a value. Whoever reads takes one of these, and the linter holds all of them.

Values alone: who asks them, and when, stands elsewhere.
"""

from __future__ import annotations

from ingest_project.core.access_patterns import AccessPattern, Lookup, Query, Scan
from ingest_project.entities.conversations.tables import BY_SESSION, HASHES, SIMILARITY, USER_TIME

OF_SESSION, RECENT, SIMILAR_FETCHED = 5, 8, 100

LAST_OF_SESSION = Query(
    name="last of the session",
    table="history",
    index=BY_SESSION,
    partition="session_id",
    projection=("user_date", "timestamp_type", "timestamp", "role", "content_summary", "content_hash"),
    limit=OF_SESSION,
    forward=False,
)
"""A session belongs to one user; whoever asks still compares ``user_date`` with the user they ask for."""

RECENT_OF_DAY = Query(
    name="recent of a day",
    table="history",
    partition="user_date",
    projection=("timestamp_type", "timestamp", "session_id", "role", "content_summary", "content_hash"),
    limit=RECENT,
    forward=False,
)

STATISTICS = Query(
    name="statistics since",
    table="history",
    index=USER_TIME,
    partition="user_id",
    sort="timestamp",
    comparison=">=",
    projection=("role", "tokens", "timestamp"),
)

SIMILAR_IN_CHUNK = tuple(
    Query(
        name=f"similar by {hashed}",
        table="embeddings",
        index=index,
        partition="user_chunk",
        sort=hashed,
        comparison="between",
        projection=("user_chunk", "embedding_id", "sketch"),
    )
    for index, hashed in zip(SIMILARITY, HASHES, strict=True)
)
"""One a table of hashes. The sketches decide whose vectors are fetched."""

SIMILAR_VECTORS = Lookup(
    name="vectors of candidates",
    table="embeddings",
    projection=(
        "user_chunk",
        "embedding_id",
        "vector_compressed",
        "vector_codec",
        "model",
        "text_preview",
        "role",
        "timestamp",
        "session_id",
        "user_date",
        "timestamp_type",
    ),
)

CONTEXT: tuple[AccessPattern, ...] = (
    LAST_OF_SESSION,
    RECENT_OF_DAY,
    STATISTICS,
    *SIMILAR_IN_CHUNK,
    SIMILAR_VECTORS,
)
"""What a question may cost somebody's time: no scan."""

OLD_RECENT = Query(
    name="old: recent of the user",
    table="old",
    partition="user_id",
    projection=("sort_key", "timestamp", "session_id", "role", "content", "tokens"),
    forward=False,
)
"""How the old table is asked: for comparing what it costs."""

OLD_OF_SESSION = Query(
    name="old: of the session",
    table="old",
    partition="user_id",
    projection=("sort_key", "timestamp", "role", "content"),
    filters=("session_id",),
    forward=False,
)

SCAN_OLD = Scan(name="all of the old table", table="old", consistent=True)
SCAN_HISTORY = Scan(name="all of the history", table="history", consistent=True)
SCAN_EMBEDDINGS = Scan(name="all of the embeddings", table="embeddings", consistent=True)
SCAN_INDEXES = (
    *(Scan(name=f"all of {index}", table="history", index=index) for index in (USER_TIME, BY_SESSION)),
    *(Scan(name=f"all of {index}", table="embeddings", index=index) for index in SIMILARITY),
)
HISTORY_BY_KEY = Lookup(name="history by key", table="history", consistent=True)
EMBEDDINGS_BY_KEY = Lookup(name="embeddings by key", table="embeddings", consistent=True)
OLD_BY_KEY = Lookup(name="old rows by key", table="old", consistent=True)

SAMPLE_OLD = Scan(name="a sample of the old table", table="old", projection=("user_id",))
SAMPLE_HISTORY = Scan(
    name="a sample of the history",
    table="history",
    projection=("user_date", "user_id", "session_id", "ttl"),
)
SAMPLE_EMBEDDINGS = Scan(
    name="a sample of the embeddings", table="embeddings", projection=("user_chunk", "ttl")
)
"""Some pages of each: what a diagnosis looks at."""

IN_BULK: tuple[AccessPattern, ...] = (
    SCAN_OLD,
    SCAN_HISTORY,
    SCAN_EMBEDDINGS,
    *SCAN_INDEXES,
    HISTORY_BY_KEY,
    EMBEDDINGS_BY_KEY,
    OLD_BY_KEY,
    SAMPLE_OLD,
    SAMPLE_HISTORY,
    SAMPLE_EMBEDDINGS,
)
"""What migration, verification and diagnosis read: all of a table, by segments, or some pages of it."""

MEASURED: tuple[AccessPattern, ...] = (OLD_RECENT, OLD_OF_SESSION)
