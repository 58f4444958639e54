"""Segments of the old table as streams of items for the Loader: one block a row, its place the row's key.

Reads page by page in whatever thread asks, through the event loop that the reader belongs to.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ingest_project.core.access_patterns import Typed
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.entities.conversations.items import Item
from ingest_project.entities.conversations.migration.items import (
    Message,
    Rows,
    Vectors,
    line_of,
    new_key_of,
    old_key_of,
)
from ingest_project.entities.conversations.queries import SCAN_OLD
from ingest_project.entities.conversations.tables import OLD
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.vectors import BrokenVector
from ingest_project.sinks.table_reading import Found, TableReader

Made = bytes | str
"""A line, or why there is none."""
Make = Callable[[Sequence[Message]], Sequence[Made]]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def history_lines(messages: Sequence[Message]) -> Sequence[Made]:
    """Lines of the history."""
    return [line_of(message.history) for message in messages]


class EmbeddingLines:
    """Lines of the embeddings."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def __call__(self, messages: Sequence[Message]) -> Sequence[Made]:
        made = self._vectors.embeddings(messages)
        return [f"content: {one}" if isinstance(one, BrokenVector) else line_of(one) for one in made]


class SegmentStream:
    """core.ports.ItemStream over one segment.

    A block's token is its row's key, and a scan goes on behind that very key: rows that come into the table
    or go between two attempts shift nobody else's place.

    Args:
        page: Rows a page at most.
    """

    def __init__(
        self,
        reader: TableReader,
        loop: asyncio.AbstractEventLoop,
        rows: Rows,
        make: Make,
        *,
        segment: int,
        segments: int,
        page: int,
    ) -> None:
        self._reader, self._loop, self._rows, self._make = reader, loop, rows, make
        self._segment, self._segments, self._size = segment, segments, page

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        """See core.ports.ItemStream. Never called in the event loop's own thread."""
        start: Typed | None = json.loads(after.token) if after.token else None
        ordinal, more = after.ordinal, True
        while more:
            found = self._page(start)
            entries = self._entries(found.items, ordinal)
            for row, entry in zip(found.items, entries, strict=True):
                token = _encode({name: row[name] for name, _ in OLD.keys.parts}).decode()
                yield ItemBlock(first=ordinal, entries=(entry,), token=token, plain=isinstance(entry, bytes))
                ordinal += 1
            start, more = found.following, found.following is not None

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        """The dead letter of an item that the table refused: its key is the new one."""
        item: Item = _decode(body)["Item"]
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=bytes(body), key=new_key_of(item))

    def _page(self, start: Typed | None) -> Found:
        asked = self._reader.page(
            SCAN_OLD, segment=self._segment, segments=self._segments, start=start, limit=self._size
        )
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    def _entries(self, rows: Sequence[Item], first: int) -> list[bytes | Rejection]:
        messages, reasons = messages_of(self._rows, rows)
        made = dict(zip(messages, self._make([*messages.values()]), strict=True))
        return [_entry(made.get(at, reasons.get(at, "")), first + at, row) for at, row in enumerate(rows)]


def messages_of(rows: Rows, found: Sequence[Item]) -> tuple[dict[int, Message], dict[int, str]]:
    """Messages by the place of their row, and why the others are none."""
    messages: dict[int, Message] = {}
    reasons: dict[int, str] = {}
    for at, row in enumerate(found):
        try:
            messages[at] = rows.message(row)
        except Refused as refused:
            reasons[at] = str(refused)
    return messages, reasons


def _entry(made: Made, ordinal: int, row: dict[str, Any]) -> bytes | Rejection:
    if isinstance(made, bytes):
        return made
    return Rejection(ordinal=ordinal, offset=-1, reason=made, raw=_encode(row), key=old_key_of(row))
