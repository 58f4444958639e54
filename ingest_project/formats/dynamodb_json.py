"""Records -> part lines ``{"Item":{...}}``: the exact way, value by value, with every check and every reason.

Strings and numbers are copied from the source's text. The template (formats.template) is the fast way to the
same bytes; what this module says is the rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ingest_project.core.model import KeySchema
from ingest_project.formats.json_tree import Node, Refused, decode_text, parse
from ingest_project.formats.keys import PARTITION_KEY_BYTES, SORT_KEY_BYTES, KeyPart, number_part
from ingest_project.formats.numbers import fault, stored_bytes
from ingest_project.formats.typed_values import (
    KINDS,
    MAX_LEVELS,
    TYPES,
    binary,
    check_name,
    first_untyped,
    is_typed,
    item_size,
    name_text,
    typed_members,
)

ITEM_BYTES = 400 * 1024
SURELY_SMALL = 256 * 1024
"""A record of this size is no item beyond ``ITEM_BYTES``: the dearest text, ``1,``, counts 3 for its 2."""

RECORD_BYTES = 16 * 1024 * 1024
"""Longer records are refused unread: only blanks and escapes can make an item that fits so long."""

_EMPTY_STRING = b'""'


class Line(NamedTuple):
    """An admitted record: its part line and its key."""

    text: bytes
    key: tuple[KeyPart, ...]


def encode_record(raw: bytes, keys: KeySchema, *, drop_empty_strings: bool = False) -> Line:
    """One record, plain or DynamoDB-typed or an export line, as a part line.

    Args:
        raw: One JSON value.
        keys: The target's key.
        drop_empty_strings: Leave out attributes and map members whose value is an empty string.

    Raises:
        Refused: The record cannot become an item; the message names the attribute and what is wrong.
    """
    large = len(raw) > SURELY_SMALL
    if large:
        _check_text(raw)
    record = unwrap(parse(raw), keys)
    typed = is_typed(record)
    key = key_of(record, keys, typed)
    if drop_empty_strings:
        record = without_empty_strings(record, typed)
    members = list(typed_members(record) if typed else plain_members(record))
    if large:
        size = item_size(record) if typed else plain_item_size(record)
        if size > ITEM_BYTES:
            raise Refused(f"the item has {size} bytes, at most {ITEM_BYTES} are allowed")
    return Line(b'{"Item":{%b}}' % b",".join(members), key)


def unwrap(record: Node, keys: KeySchema) -> dict[str, Node]:
    """The record's attributes, taken out of an export line's ``Item``."""
    if not isinstance(record, dict):
        what = (
            "an array"
            if isinstance(record, list)
            else "no object but " + record[:20].decode("utf-8", "replace")
        )
        raise Refused(f"the record is {what}")
    if len(record) == 1 and keys.parts[0][0] != "Item":
        item = record.get("Item")
        if isinstance(item, dict):
            return item
    return record


def key_of(record: dict[str, Node], keys: KeySchema, typed: bool) -> tuple[KeyPart, ...]:
    """The record's key. Raises Refused, naming the attribute, when it is missing, empty, too long or of
    another type."""
    parts = []
    for (name, kind), limit in zip(keys.parts, (PARTITION_KEY_BYTES, SORT_KEY_BYTES), strict=False):
        if name not in record:
            raise Refused("the key attribute is missing", name)
        try:
            part = _key_part(record, name, kind, typed)
            if not part.value:
                raise Refused("the key attribute is empty")
            if len(part.value) > limit:
                raise Refused(f"the key attribute has {len(part.value)} bytes, at most {limit} are allowed")
        except Refused as refused:
            raise refused.under(name) from None
        parts.append(part)
    return tuple(parts)


def plain_members(attributes: dict[str, Node], level: int = 1) -> Iterable[bytes]:
    """``"name":{"S":...}`` for each attribute of a plain object."""
    for name, value in attributes.items():
        try:
            check_name(name)
            yield name_text(name) + b":" + plain_text(value, level)
        except Refused as refused:
            raise refused.under(name) from None


def plain_text(value: Node, level: int = 1) -> bytes:
    """The typed text of one plain value. Raises Refused."""
    if level > MAX_LEVELS:
        raise Refused(f"nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, dict):
        return b'{"M":{%b}}' % b",".join(plain_members(value, level + 1))
    if isinstance(value, list):
        return b'{"L":[%b]}' % b",".join(_elements(value, level + 1))
    kind = scalar_kind(value)
    if kind == "S":
        return b'{"S":%b}' % value
    if kind == "N":
        if reason := fault(value):
            raise Refused(reason)
        return b'{"N":"%b"}' % value
    return b'{"NULL":true}' if kind == "NULL" else b'{"BOOL":%b}' % value


def plain_item_size(item: dict[str, Node]) -> int:
    """``item_size`` of a plain object."""
    return sum(len(name.encode()) + _plain_size(value) for name, value in item.items())


def _plain_size(value: Node) -> int:
    if isinstance(value, dict):
        return 3 + len(value) + plain_item_size(value)
    if isinstance(value, list):
        return 3 + len(value) + sum(map(_plain_size, value))
    kind = scalar_kind(value)
    if kind == "S":
        return len(decode_text(value).encode())
    return stored_bytes(value) if kind == "N" else 1


def scalar_kind(text: bytes) -> str:
    """The DynamoDB type of a plain scalar's text."""
    first = text[:1]
    if first == b'"':
        return "S"
    if first in b"tf":
        return "BOOL"
    return "NULL" if first == b"n" else "N"


def without_empty_strings(attributes: dict[str, Node], typed: bool) -> dict[str, Node]:
    """The attributes without those whose value is an empty string, also in nested maps (not in lists)."""
    kept: dict[str, Node] = {}
    for name, value in attributes.items():
        if value == _EMPTY_STRING or (typed and value == {"S": _EMPTY_STRING}):
            continue
        kept[name] = _without_empty_strings(value, typed)
    return kept


def _without_empty_strings(value: Node, typed: bool) -> Node:
    if not isinstance(value, dict):
        return value
    if not typed:
        return without_empty_strings(value, typed)
    inner = value.get("M")
    return {"M": without_empty_strings(inner, typed)} if isinstance(inner, dict) else value


def _elements(values: list[Node], level: int) -> Iterable[bytes]:
    for index, value in enumerate(values):
        try:
            yield plain_text(value, level)
        except Refused as refused:
            raise refused.under(index) from None


def _key_part(record: dict[str, Node], name: str, kind: str, typed: bool) -> KeyPart:
    value = record[name]
    found, text = _typed_scalar(value) if typed else _plain_scalar(value)
    if found != kind:
        untyped = None if typed or found != "M" else first_untyped(record)
        hint = "" if untyped is None or not _looks_typed(value) else f" (attribute {untyped!r} is not typed)"
        raise Refused(f"the key attribute is {KINDS[found]}, the table wants {KINDS[kind]}{hint}")
    if kind == "S":
        return KeyPart("S", decode_text(text).encode())
    if kind == "B":
        return KeyPart("B", binary(text))
    number = decode_text(text).encode() if typed else text
    if reason := fault(number):
        raise Refused(reason)
    return number_part(number)


def _plain_scalar(value: Node) -> tuple[str, bytes]:
    if isinstance(value, bytes):
        return scalar_kind(value), value
    return ("M" if isinstance(value, dict) else "L"), b""


def _typed_scalar(value: Node) -> tuple[str, bytes]:
    [(kind, inner)] = value.items() if isinstance(value, dict) else [("NULL", b"")]
    if kind in ("S", "N", "B") and not (isinstance(inner, bytes) and inner.startswith(b'"')):
        raise Refused(f"type {kind} does not hold a string")
    return kind, inner if isinstance(inner, bytes) else b""


def _looks_typed(value: Node) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in TYPES


def _check_text(raw: bytes) -> None:
    """Keeps what cannot be an item from being taken apart, which costs some 100 bytes a value."""
    if len(raw) > RECORD_BYTES:
        raise Refused(f"the record is {len(raw)} bytes long, at most {RECORD_BYTES} are read")
    # A typed element takes a comma and a bracket and counts 1 byte at least, as does either in a string.
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > 2 * ITEM_BYTES + 100:
        raise Refused(f"the item has more than {ITEM_BYTES} bytes")
