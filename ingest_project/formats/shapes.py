"""What a document holds: items in an array, items under a wrapper key, export lines, or itself an item.

Decides from bytes at hand and consumes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ingest_project.formats.grammar import MORE, Broken, skip_white, string_end, value_end

WRAPPER_KEYS = frozenset(
    b"Items items Records records data Data MessageGroup messages Messages Rows rows results".split()
)
"""Top-level keys whose array of objects are the items of a document."""

RESPONSE_KEYS = frozenset(
    b"Count ScannedCount LastEvaluatedKey ConsumedCapacity ResponseMetadata $metadata NextToken nextToken"
    b" NextMarker IsTruncated UnprocessedKeys"
    b" result_count page_count page_nbr next_page previous_page".split()
)
"""Top-level keys of a response that stand beside its items and are none of an item's own."""

TYPES = frozenset(("S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"))
"""Type names of DynamoDB JSON."""

LOOK = 1024
"""Bytes that PAGE_START needs to see to decide."""

PAGE_START = re.compile(
    rb"\[|\{[ \t\r\n]{0,256}+\"(?:"
    + b"|".join(re.escape(key) for key in sorted(WRAPPER_KEYS | RESPONSE_KEYS))
    + rb")\"[ \t\r\n]{0,256}+:"
)
"""Matches where a top-level value may hold items instead of being one: an array, or an object that starts
like a response. Objects that start otherwise are never looked into."""

METADATA_LIMIT = 64 << 10
"""Bytes of all keys and values that are kept beside the items of a file."""

_TYPED_LINE = msgspec.json.Decoder(dict[str, dict[str, dict[str, msgspec.Raw]]])
_OBJECT, _ARRAY, _CLOSE_ARRAY, _COMMA, _COLON = 0x7B, 0x5B, 0x5D, 0x2C, 0x3A


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A document that holds items: under which key, and the index of the array's opening bracket."""

    key: str
    array: int
    metadata: tuple[tuple[str, bytes], ...]


def is_export(line: bytes) -> bool:
    """Whether a value is a line of an AWS export: ``{"Item": {...}}``, every attribute typed."""
    try:
        decoded = _TYPED_LINE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return list(decoded) == ["Item"] and all(
        len(value) == 1 and TYPES.issuperset(value) for value in decoded["Item"].values()
    )


def remember(metadata: dict[str, str], key: bytes, value: bytes) -> None:
    """Keep one key beside the items, unless that would pass METADATA_LIMIT."""
    name, text = key.decode(errors="replace"), value.decode(errors="replace")
    others = sum(len(known) + len(kept) for known, kept in metadata.items() if known != name)
    if others + len(name) + len(text) <= METADATA_LIMIT:
        metadata[name] = text


def holds_items(data: bytes, at: int, final: bool) -> bool | None:
    """Whether the value at ``at`` is an array of objects or empty; None when more bytes must tell.

    An array behind whose bracket the data ends for good counts: nothing in it says otherwise.
    """
    if data[at] != _ARRAY:
        return False
    inner = skip_white(data, at + 1)
    if inner == len(data):
        return True if final else None
    return data[inner] in (_OBJECT, _CLOSE_ARRAY)


class _More(Exception):
    """The document goes on behind the bytes at hand."""


def find_items(data: bytes, at: int, final: bool, limit: int, *, alone: bool) -> tuple[bool, Header | None]:
    """Look for the items of the object that starts at ``at``.

    Args:
        limit: Bytes of the object that are looked at.
        alone: It is the only document of its file: the first wrapper key decides, whatever stands beside it.
            Otherwise every other key must be one of a response.

    Returns:
        Whether the object was seen as far as needed, and the header. A broken document answers with what
        stood before the fault, so that its items are delivered; whoever reads on meets the fault again.
    """
    finder = _Finder(data, at, final, limit, alone)
    try:
        finder.run()
    except _More:
        return False, finder.header
    except Broken:
        pass
    return True, finder.header


def is_page(value: bytes) -> bool:
    """Whether a whole value among the documents of a file holds items instead of being one."""
    if PAGE_START.match(value) is None:
        return False
    return value[0] == _ARRAY or find_items(value, 0, True, len(value), alone=False)[1] is not None


class _Finder:
    def __init__(self, data: bytes, at: int, final: bool, limit: int, alone: bool) -> None:
        self.data, self.at, self.final, self.alone = data, at, final, alone
        self.stop = at + limit
        self.header: Header | None = None
        self.metadata: list[tuple[str, bytes]] = []

    def run(self) -> None:
        self.at += 1
        while True:
            self._skip()
            start = self.at
            self._pass(string_end)
            key = self.data[start + 1 : self.at - 1]
            if self._skip() != _COLON:
                raise Broken(self.at, "':'")
            self.at += 1
            self._skip()
            if not self._member(key) or self._skip() != _COMMA:
                return
            self.at += 1

    def _member(self, key: bytes) -> bool:
        """Look at one value; False when the answer is known."""
        items = key in WRAPPER_KEYS and holds_items(self.data, self.at, self.final)
        if items is None:
            raise _More
        if items and self.header is None:
            self.header = Header(key=key.decode(), array=self.at, metadata=tuple(self.metadata))
        if items and self.alone:
            return False
        if not items and not self.alone and key not in RESPONSE_KEYS:
            self.header = None
            return False
        start = self.at
        self._pass(value_end)
        if not items:
            self.metadata.append((key.decode(errors="replace"), self.data[start : self.at]))
        return True

    def _pass(self, ends: Callable[[bytes, int, bool], int]) -> None:
        end = ends(self.data, self.at, self.final)
        if end == MORE:
            raise _More
        if end > self.stop:
            raise _More
        self.at = end

    def _skip(self) -> int:
        """Next byte that is not white space."""
        self.at = skip_white(self.data, self.at)
        if self.at < len(self.data):
            return self.data[self.at]
        if self.final:
            raise Broken(self.at, "the rest of an object", cut=True)
        raise _More
