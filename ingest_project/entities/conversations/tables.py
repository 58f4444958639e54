"""The three tables of conversations as code: the old one, and the two that replace it.

What reads them stands in queries.py; who creates and checks them is sinks.table_definitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ingest_project.core.model import KeySchema
from ingest_project.core.table_definitions import IndexDefinition, TableDefinition

TTL = "ttl"
SUMMARY_CHARACTERS, PREVIEW_CHARACTERS = 200, 100

USER_TIME, BY_SESSION = "UserTimeIndex", "SessionIndex"
SIMILARITY = ("SimilarityIndex", "SimilarityIndex2")
HASHES = ("similarity_hash", "similarity_hash_2")
"""One index and one attribute for each table of hashes (formats.hyperplanes)."""

OLD = TableDefinition(
    word="old",
    name="conversation-history",
    keys=KeySchema(parts=(("user_id", "S"), ("sort_key", "S"))),
    attributes={
        "user_id": "S",
        "sort_key": "S",
        "timestamp": "S",
        "session_id": "S",
        "role": "S",
        "content": "S",
        "metadata": "M",
        "archived": "BOOL",
        "tokens": "N",
    },
)

HISTORY = TableDefinition(
    word="history",
    name="conversation-history-v2",
    keys=KeySchema(parts=(("user_date", "S"), ("timestamp_type", "S"))),
    attributes={
        "user_date": "S",
        "timestamp_type": "S",
        "user_id": "S",
        "timestamp": "S",
        "session_id": "S",
        "role": "S",
        "content": "S",
        "content_summary": "S",
        "content_hash": "S",
        "metadata": "M",
        "archived": "BOOL",
        "tokens": "N",
        "message_id": "S",
        # The old row's own words: what comparing in the other direction, from new to old, reads.
        "old_sort_key": "S",
        "old_timestamp": "S",
        TTL: "N",
    },
    indexes=(
        IndexDefinition(
            name=USER_TIME,
            keys=KeySchema(parts=(("user_id", "S"), ("timestamp", "S"))),
            include=("content_summary", "tokens", "role"),
        ),
        IndexDefinition(
            name=BY_SESSION,
            keys=KeySchema(parts=(("session_id", "S"), ("timestamp", "S"))),
            include=("content_hash", "content_summary", "role"),
        ),
    ),
    ttl=TTL,
)

EMBEDDINGS = TableDefinition(
    word="embeddings",
    name="conversation-embeddings",
    keys=KeySchema(parts=(("user_chunk", "S"), ("embedding_id", "S"))),
    attributes={
        "user_chunk": "S",
        "embedding_id": "S",
        "user_id": "S",
        "session_id": "S",
        "role": "S",
        "timestamp": "S",
        "text_preview": "S",
        "content_hash": "S",
        # Where the message itself stands: its key in the history.
        "user_date": "S",
        "timestamp_type": "S",
        "vector_compressed": "B",
        "vector_codec": "S",
        # The encoder: vectors of two models are never compared.
        "model": "S",
        **dict.fromkeys(HASHES, "S"),
        "sketch": "B",
        TTL: "N",
    },
    indexes=tuple(
        IndexDefinition(
            name=index, keys=KeySchema(parts=(("user_chunk", "S"), (hashed, "S"))), include=("sketch",)
        )
        for index, hashed in zip(SIMILARITY, HASHES, strict=True)
    ),
    ttl=TTL,
)

NEW = (HISTORY, EMBEDDINGS)


def tables_of(names: Mapping[str, str] | None = None) -> Mapping[str, TableDefinition]:
    """All definitions by their word.

    Args:
        names: Word -> name of the table in a deployment, where that is another one.
    """
    given = names or {}
    return {one.word: replace(one, name=given.get(one.word, one.name)) for one in (OLD, *NEW)}
