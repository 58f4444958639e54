"""What becomes of a value: DynamoDB-typed members, flattened, digit for digit; and a row's version.

The exact way, value by value; entities.wms.templates makes the same bytes faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from ingest_project.entities.wms.kinds import (
    BOOLEAN,
    DECIMAL,
    INTEGER,
    NULL,
    OBJECT,
    RELATION,
    SET,
    is_whole,
    members,
    number_of,
)
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.numbers import fault

VERSION, DELETED, DELETED_AT = "version", "deleted", "deleted_ts"
RESERVED = frozenset({VERSION, DELETED, DELETED_AT})
"""Attributes that are made here; a field of the API with such a name has ``wms_`` before it."""

NOTHING = b'{"NULL":true}'
_COUNTS = ("result_count", "count")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_quoted = msgspec.json.Encoder().encode

Member = tuple[str, bytes]
"""Attribute and its typed value."""


def attribute(name: str) -> str:
    """The attribute in which a field is kept."""
    return f"wms_{name}" if name in RESERVED else name


def key_attribute(name: str) -> str:
    """The attribute for a relation's key: ``wave_id`` -> ``wave_key``."""
    return f"{name.removesuffix('_id')}_key"


def count_attribute(name: str) -> str:
    """The attribute for the number of what is in a set."""
    return f"{name}_count"


def aside_attribute(name: str) -> str:
    """The attribute for values of a kind that a person set aside."""
    return f"{name}__aside"


def flattened(name: str, kind: str, text: bytes) -> Iterator[Member]:
    """The members that a value of its kind makes. Raises Refused: DynamoDB keeps no such number."""
    own = attribute(name)
    if kind == RELATION:
        yield from _relation(name, text)
    elif kind == SET:
        yield own, json_text(text)
        yield count_attribute(name), _number(count_of(text))
    elif text == NULL:
        yield own, NOTHING
    elif kind in (INTEGER, DECIMAL):
        yield own, _number(number_of(text))
    elif kind == BOOLEAN:
        yield own, b'{"BOOL":%b}' % text
    elif kind == OBJECT:
        yield own, json_text(text)
    else:
        yield own, b'{"S":%b}' % text


def _relation(name: str, text: bytes) -> Iterator[Member]:
    row, key = text, NULL
    if text.startswith(b"{"):
        found = members(text)
        row, key = bytes(found["id"]), bytes(found.get("key", msgspec.Raw(NULL)))
    yield attribute(name), _number(row) if row == NULL or is_whole(row) else b'{"S":%b}' % row
    yield key_attribute(name), NOTHING if key == NULL else b'{"S":%b}' % key


def json_text(text: bytes) -> bytes:
    """A value as JSON text in a string."""
    return NOTHING if text == NULL else b'{"S":%b}' % _quoted(text.decode())


def count_of(text: bytes) -> bytes:
    """How many are in a set, as far as it says so: the elements of an array, the count of an object."""
    if text.startswith(b"["):
        return b"%d" % len(_elements(text))
    if text.startswith(b"{"):
        found = members(text)
        counts = (bytes(found[name]) for name in _COUNTS if name in found)
        return next((count for count in counts if is_whole(count)), NULL)
    return NULL


def _number(digits: bytes) -> bytes:
    if digits == NULL:
        return NOTHING
    if reason := fault(digits):
        raise Refused(reason)
    return b'{"N":"%b"}' % digits


def version_of(moment: str) -> int:
    """A row's version: two for each microsecond of its mod_ts since 1970 UTC, so that a tombstone has a place
    behind its row and before the row's next change. Below 2 for moments before 1970."""
    return (datetime.fromisoformat(moment) - _EPOCH) // _MICROSECOND * 2
