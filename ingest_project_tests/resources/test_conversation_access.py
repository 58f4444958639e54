"""The settings of the chat memory: what is left out has its default, what is wrong names its variable."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.conversation_access import ConversationAccess, read_conversations
from ingest_project.resources.variables import Reader


def read(**given: str) -> ConversationAccess:
    return read_conversations(
        Reader({f"INGEST_CONVERSATIONS_{name}": value for name, value in given.items()})
    )


def test_what_is_left_out_has_the_defaults_of_the_values() -> None:
    assert ConversationAccess() == read()


def test_everything_can_be_given() -> None:
    found = read(
        TABLES="old=chat, history=chat-v2",
        CODEC="float16",
        KEEP_DAYS="90",
        CACHE_MB="1",
        CACHE_URL="redis://:secret@cache/0",
    )
    assert {"old": "chat", "history": "chat-v2"} == dict(found.tables)
    assert ("float16", timedelta(days=90), 1 << 20) == (found.codec, found.keep, found.cache.bytes)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TABLES", "new=x"),
        ("TABLES", "old=a b"),
        ("TABLES", "old=one,old=two"),
        ("CODEC", "float8"),
        ("VECTORS", "redis"),
        ("INDEX", "Not An Index"),
        ("KEEP_DAYS", "0"),
        ("SEGMENTS", "1.5"),
        ("CACHE_URL", "http://cache"),
        ("READ_UNITS", "none"),
    ],
)
def test_what_is_wrong_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"INGEST_CONVERSATIONS_{name}"):
        read(**{name: value})
