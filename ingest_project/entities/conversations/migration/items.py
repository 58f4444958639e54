"""One old row as the items that it must become: exactly these stand in the new tables, or something is wrong.

A function of the row and the plan alone; copying writes what this gives, and verifying expects it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from ingest_project.core.encoding import Encoder
from ingest_project.entities.conversations.items import Item, message_items
from ingest_project.entities.conversations.keys import KEEP, expiry, message_id, moment_of
from ingest_project.entities.conversations.similarity import Similarity
from ingest_project.entities.conversations.tables import (
    EMBEDDINGS,
    HISTORY,
    OLD,
)
from ingest_project.formats.json_tree import Refused, parse
from ingest_project.formats.typed_values import KINDS, item_size
from ingest_project.formats.vectors import BrokenVector

ROLES = frozenset({"user", "assistant", "system", "tool"})
MOST_BYTES = 400 * 1024
"""Of an item, as the service counts."""
_PERHAPS_TOO_LARGE = 120_000

_TAKEN_APART = ("sort_key", "timestamp")
_NEW_NAMES = HISTORY.attributes.keys() - OLD.attributes.keys()
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What an old row must become.

    Attributes:
        history: Its item of the history, typed.
        embedding: Its item of the embeddings, but for what is made of its vector.
        content: What the vector is made of.
    """

    history: Item
    embedding: Item
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of the old table -> messages.

    Attributes:
        moment: The plan's: rows that are older than ``keep`` then expire ``keep`` after it.
        naive: Zone of timestamps without one.
    """

    moment: datetime
    naive: timezone = UTC
    keep: timedelta = KEEP

    def message(self, row: Mapping[str, Any]) -> Message:
        """One row, typed as the service gives it.

        Raises:
            Refused: It cannot become a message; names the attribute.
        """
        for name in row.keys() & _NEW_NAMES:
            raise Refused("an old row has it, and the new table means something else by it", name)
        user, old_key = _text(row, "user_id"), _text(row, "sort_key")
        role, content = _text(row, "role"), _text(row, "content", empty=True)
        if role not in ROLES:
            raise Refused(f"{role[:40]!r} is none of {', '.join(sorted(ROLES))}", "role")
        moment = self.moment_of(row, old_key)
        history, embedding = message_items(
            user_id=user,
            session_id=_text(row, "session_id") if "session_id" in row else None,
            role=role,
            content=content,
            moment=moment,
            message=message_id(user, old_key),
            expires=expiry(moment, self.moment, self.keep),
        )
        as_it_was = {name: value for name, value in row.items() if name not in _TAKEN_APART}
        told = {"old_timestamp": row["timestamp"]} if "timestamp" in row else {}
        history = as_it_was | history | told | {"old_sort_key": {"S": old_key}}
        _refuse_too_large(history)
        return Message(history=history, embedding=embedding, content=content)

    def moment_of(self, row: Mapping[str, Any], old_key: str) -> datetime:
        """When the message was written.

        Where the timestamp tells whole seconds and the sort key tells more of that very second, the sort key
        is it: the order of messages within one second is nowhere else.
        """
        if "timestamp" not in row:
            return moment_of(old_key, self.naive)
        told = moment_of(_text(row, "timestamp"), self.naive)
        if told.microsecond:
            return told
        try:
            finer = moment_of(old_key, self.naive)
        except Refused:
            return told
        return finer if finer.replace(microsecond=0) == told else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """The part of embeddings that is made of vectors."""

    encoder: Encoder
    similarity: Similarity

    def embeddings(self, messages: Sequence[Message]) -> list[Item | BrokenVector]:
        """The whole item of each message; where its text has no vector, why. Takes CPU time."""
        if not messages:
            return []
        vectors = self.encoder.encode([message.content for message in messages])
        try:
            made = self.similarity.attributes(vectors)
        except BrokenVector:
            return [self._one(message, vector) for message, vector in zip(messages, vectors, strict=True)]
        return [message.embedding | each for message, each in zip(messages, made, strict=True)]

    def _one(self, message: Message, vector: Sequence[float]) -> Item | BrokenVector:
        try:
            return message.embedding | self.similarity.attributes([vector])[0]
        except BrokenVector as error:
            return error


def line_of(item: Item) -> bytes:
    """The item as a part line."""
    return _encode({"Item": item})


def old_key_of(row: Mapping[str, Any]) -> str:
    """A row's key for people: ``user | sort key``."""
    parts = (row.get(name, {}) for name, _ in OLD.keys.parts)
    return " | ".join(str(next(iter(part.values()), "")) for part in parts)


def new_key_of(item: Mapping[str, Any]) -> str:
    """A new item's key for people, of either table."""
    keys = EMBEDDINGS.keys if "embedding_id" in item else HISTORY.keys
    return " | ".join(str(item[name]["S"]) for name, _ in keys.parts)


def _text(row: Mapping[str, Any], name: str, *, empty: bool = False) -> str:
    if name not in row:
        raise Refused("the attribute is missing", name)
    kind, value = next(iter(row[name].items()))
    if kind != "S":
        raise Refused(f"is {KINDS.get(kind, kind)} and not a string", name)
    if not value and not empty:
        raise Refused("is empty", name)
    return str(value)


def _refuse_too_large(item: Item) -> None:
    body = _encode(item)
    if len(body) < _PERHAPS_TOO_LARGE:
        return
    tree = parse(body)
    assert isinstance(tree, dict)
    if (size := item_size(tree)) > MOST_BYTES:
        raise Refused(f"the new item would have {size} bytes, at most {MOST_BYTES} are allowed")
