"""The chat memory of a deployment: names of its tables, how old rows are read, what is kept.

Read from the variables and checked; connects to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ingest_project.core.caching import CacheSettings
from ingest_project.core.codecs import CODECS, Codec
from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.variables import Reader

WORDS = ("old", "history", "embeddings")
STORES = ("dynamodb", "opensearch")
_INDEX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,199}", re.ASCII)
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationAccess:
    """One memory; see docs/configuration.md for each.

    Attributes:
        tables: Word of a definition -> the table's name, for those that have another one.
        zone: Of old timestamps without one.
        vectors: Where they are searched, one of STORES; ``index``: its name in OpenSearch.
        keep, stable: How long a message lives, and how long the old table after the cut-over.
        cache_url: Empty: contexts are kept in the process.
        read_budget: Read units a second that the memory may use.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    codec: Codec = "int8"
    encoder: str = "use-multilingual"
    vectors: str = "dynamodb"
    index: str = "conversation-embeddings"
    keep: timedelta = timedelta(days=30)
    stable: timedelta = timedelta(days=7)
    segments: int = 8
    cache: CacheSettings = field(default_factory=CacheSettings)
    cache_url: str = field(default="", repr=False)
    read_budget: float = 3000.0


def read_conversations(read: Reader) -> ConversationAccess:
    """Raises ConfigurationError: names the variable."""
    codec = read.choice("INGEST_CONVERSATIONS_CODEC", *CODECS)
    return ConversationAccess(
        tables=_tables(read.text("INGEST_CONVERSATIONS_TABLES")),
        zone=read.text("INGEST_CONVERSATIONS_ZONE"),
        codec=next(one for one in CODECS if one == codec),
        encoder=read.text("INGEST_CONVERSATIONS_ENCODER"),
        vectors=read.choice("INGEST_CONVERSATIONS_VECTORS", *STORES),
        index=_index(read.text("INGEST_CONVERSATIONS_INDEX")),
        keep=timedelta(days=read.number("INGEST_CONVERSATIONS_KEEP_DAYS", 1, 3650)),
        stable=timedelta(days=read.number("INGEST_CONVERSATIONS_STABLE_DAYS", 0, 3650)),
        segments=read.count("INGEST_CONVERSATIONS_SEGMENTS", 1, 256),
        cache=CacheSettings(
            ttl=read.number("INGEST_CONVERSATIONS_CACHE_SECONDS", 0.001, 86_400),
            settle=read.number("INGEST_CONVERSATIONS_SETTLE_SECONDS", 0.001, 60),
            count=read.count("INGEST_CONVERSATIONS_CACHE_COUNT", 0, 10_000_000),
            bytes=read.count("INGEST_CONVERSATIONS_CACHE_MB", 0, 1024 * 1024) << 20,
        ),
        cache_url=_cache_url(read.text("INGEST_CONVERSATIONS_CACHE_URL")),
        read_budget=read.number("INGEST_CONVERSATIONS_READ_UNITS", 1, 1e9),
    )


def _tables(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        word, _, name = (part.strip() for part in entry.partition("="))
        if word not in WORDS or word in found or not _TABLE.fullmatch(name):
            raise ConfigurationError(
                f"INGEST_CONVERSATIONS_TABLES: {entry!r} must be WORD=TABLE, once each of {', '.join(WORDS)}"
            )
        found[word] = name
    return found


def _index(text: str) -> str:
    if not _INDEX.fullmatch(text):
        raise ConfigurationError("INGEST_CONVERSATIONS_INDEX must be the name of an index")
    return text


def _cache_url(text: str) -> str:
    if text and not text.startswith(("redis://", "rediss://")):
        raise ConfigurationError("INGEST_CONVERSATIONS_CACHE_URL must be redis:// or rediss://HOST[:PORT]/DB")
    return text
