"""A message that was just said, written to both new tables; what was kept of its user's contexts ends then.

Its items are made as those of an old row are: to the tables it makes no difference where a message is from.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ingest_project.core.caching import AnswerCache
from ingest_project.core.encoding import Encoder, text_key
from ingest_project.entities.conversations.keys import KEEP, timestamp_of
from ingest_project.entities.conversations.migration.items import Rows, Vectors
from ingest_project.entities.conversations.similarity import Similarity
from ingest_project.entities.conversations.vectors_in_table import VectorStore
from ingest_project.formats.attribute_values import Value, typed_attributes
from ingest_project.formats.vectors import BrokenVector

WRITE = "remember"


class Writer(Protocol):
    """sinks.table_writing.TableWriter has it."""

    async def put(self, name: str, items: Mapping[str, Sequence[dict[str, Any]]]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation.

    Attributes:
        moment: When it was said, with a zone; None: now.
        tokens: None: nobody counted them.
        name: A word that no other message of the user has; without it, moment, role and text are that. Equal
            messages are one: to remember one twice changes nothing.
    """

    user_id: str
    session_id: str
    role: str
    content: str
    moment: datetime | None = None
    tokens: int | None = None
    metadata: Mapping[str, Value] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if self.moment is not None and self.moment.tzinfo is None:
            raise ValueError("the moment of a message has a zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Where it went.

    Attributes:
        forgotten: What was kept of the user's contexts is known to be void; else it may live for its time.
    """

    user_date: str
    timestamp_type: str
    message_id: str
    forgotten: bool


@dataclass(slots=True, kw_only=True)
class Memory:
    """Writes messages; any number at a time in one event loop. The caller has asked whether it may write.

    Attributes:
        vectors: Where they are searched.
    """

    writer: Writer
    encoder: Encoder
    similarity: Similarity
    vectors: VectorStore
    cache: AnswerCache
    wall: Callable[[], float]
    keep: timedelta = KEEP

    async def remember(self, message: Message) -> Remembered:
        """Write the message and its embedding, both in one request, tell the store of vectors, and end what
        was kept of its user.

        Raises:
            Refused: It is no message; names the attribute.
            BrokenVector: The encoder makes no vector of its text; nothing was written.
            TransientFailure: Not all was taken; to call it again is safe.
            PermanentFailure: The service refuses it.
        """
        now = datetime.fromtimestamp(self.wall(), UTC)
        made = Rows(moment=now, keep=self.keep).message(row_of(message, now))
        vectors = Vectors(encoder=self.encoder, similarity=self.similarity)
        (embedding,) = await asyncio.to_thread(vectors.embeddings, [made])
        if isinstance(embedding, BrokenVector):
            raise embedding
        try:
            await self.writer.put(WRITE, {"history": [made.history], "embeddings": [embedding]})
            await self.vectors.put([embedding])
        finally:
            # Also behind a failure: one of the two may stand.
            forgotten = await self.cache.forget(message.user_id)
        self.vectors.follow(message.user_id, forgotten)
        return Remembered(
            user_date=made.history["user_date"]["S"],
            timestamp_type=made.history["timestamp_type"]["S"],
            message_id=made.history["message_id"]["S"],
            forgotten=forgotten is not None,
        )


def row_of(message: Message, now: datetime) -> dict[str, Any]:
    """The message as a typed row of the old table."""
    timestamp = timestamp_of(message.moment or now)
    name = message.name or f"{timestamp}#{message.role}#{text_key(message.content)}"
    given: dict[str, Value] = {
        "user_id": message.user_id,
        "sort_key": name,
        "timestamp": timestamp,
        "session_id": message.session_id,
        "role": message.role,
        "content": message.content,
        **({} if message.tokens is None else {"tokens": message.tokens}),
        **({"metadata": dict(message.metadata)} if message.metadata else {}),
    }
    return dict(typed_attributes(given))
