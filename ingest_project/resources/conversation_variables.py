"""The environment variables of the chat memory: name, default, what unset means, meaning. A table."""

from __future__ import annotations

CONVERSATIONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "INGEST_CONVERSATIONS_TABLES",
        "",
        "the names of docs/conversations.md",
        "Tables of other names: `old=NAME,history=NAME,embeddings=NAME`.",
    ),
    ("INGEST_CONVERSATIONS_ZONE", "UTC", "", "Zone of old timestamps without one: `UTC`, or `+05:45`."),
    (
        "INGEST_CONVERSATIONS_CODEC",
        "int8",
        "",
        "How vectors are stored: `zlib-float32`, `float16`, `int8`.",
    ),
    (
        "INGEST_CONVERSATIONS_ENCODER",
        "use-multilingual",
        "",
        "Model of the vectors: `use-multilingual`, `hashing`, `sentence-transformers:MODEL`.",
    ),
    (
        "INGEST_CONVERSATIONS_VECTORS",
        "dynamodb",
        "",
        "Where vectors are searched: `dynamodb`, or `opensearch` where the server has k-NN.",
    ),
    ("INGEST_CONVERSATIONS_INDEX", "conversation-embeddings", "", "Their index in OpenSearch."),
    (
        "INGEST_CONVERSATIONS_KEEP_DAYS",
        "30",
        "",
        "Days that a message lives; for older rows from the migration.",
    ),
    (
        "INGEST_CONVERSATIONS_STABLE_DAYS",
        "7",
        "",
        "Days from the cut-over until the old table may be deleted.",
    ),
    ("INGEST_CONVERSATIONS_SEGMENTS", "8", "", "Segments that the old table is scanned in."),
    (
        "INGEST_CONVERSATIONS_CACHE_URL",
        "",
        "kept in the process",
        "Redis that keeps contexts, `redis://HOST/0`.",
    ),
    ("INGEST_CONVERSATIONS_CACHE_SECONDS", "300", "", "So long a context is kept."),
    (
        "INGEST_CONVERSATIONS_SETTLE_SECONDS",
        "2",
        "",
        "Behind a write nothing is kept: an index shows it later.",
    ),
    ("INGEST_CONVERSATIONS_CACHE_COUNT", "20000", "", "Parts of contexts kept in the process."),
    ("INGEST_CONVERSATIONS_CACHE_MB", "64", "", "MiB of them."),
    (
        "INGEST_CONVERSATIONS_READ_UNITS",
        "3000",
        "",
        "Read units a second for contexts: 80 % of them is an alert. 3000 is one partition's quota.",
    ),
)
