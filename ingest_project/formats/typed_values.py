"""DynamoDB-typed values: is the structure right, and how large is the item as DynamoDB counts it.

Rules: DynamoDB developer guide, "Supported data types and naming rules" and "Item sizes and formats".
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable

import msgspec

from ingest_project.formats.json_tree import Node, Refused, decode_text
from ingest_project.formats.numbers import canonical, fault, shown, stored_bytes

TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL"})
MAX_LEVELS = 32
"""Values nest at most this deep, the attribute's own value counted: 31 maps around a number are the limit."""

NAME_BYTES = 65_535

KINDS = {"S": "a string", "N": "a number", "B": "a binary", "M": "a map", "L": "a list"}
KINDS |= {
    "BOOL": "a boolean",
    "NULL": "null",
    "SS": "a string set",
    "NS": "a number set",
    "BS": "a binary set",
}

name_text: Callable[[str], bytes] = msgspec.json.Encoder().encode


def is_typed(node: Node) -> bool:
    """Whether every attribute value is an object with exactly one key that is a type's name."""
    return isinstance(node, dict) and bool(node) and first_untyped(node) is None


def first_untyped(attributes: dict[str, Node]) -> str | None:
    """The first attribute whose value does not look DynamoDB-typed."""
    for name, value in attributes.items():
        if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)) in TYPES):
            return name
    return None


def check_name(name: str) -> None:
    """Raises Refused for a name that DynamoDB does not take."""
    if not name:
        raise Refused("an attribute name is empty")
    if len(name) > NAME_BYTES // 4 and len(name.encode()) > NAME_BYTES:
        raise Refused(f"an attribute name is longer than {NAME_BYTES} bytes")


def typed_text(value: Node, level: int = 1) -> bytes:
    """The compact text of one typed value, its structure checked to the leaves.

    Raises:
        Refused: The value is not what its type says, or what DynamoDB does not take.
    """
    if level > MAX_LEVELS:
        raise Refused(f"nested deeper than {MAX_LEVELS} levels")
    if not isinstance(value, dict) or len(value) != 1:
        raise Refused("not a DynamoDB-typed value: expected an object with one type name")
    [(kind, inner)] = value.items()
    if kind == "L":
        return b'{"L":[%b]}' % b",".join(_elements(inner, level))
    if kind == "M":
        return b'{"M":{%b}}' % b",".join(typed_members(_map(inner), level + 1))
    if kind in ("SS", "NS", "BS"):
        return b'{"%b":[%b]}' % (kind.encode(), b",".join(_set(kind, inner)))
    if kind not in TYPES:
        raise Refused(f"not a DynamoDB-typed value: {kind[:20]!r} is no type name")
    return b'{"%b":%b}' % (kind.encode(), _scalar(kind, inner))


def typed_members(attributes: dict[str, Node], level: int = 1) -> Iterable[bytes]:
    """``"name":{"S":...}`` for each attribute."""
    for name, value in attributes.items():
        try:
            check_name(name)
            yield name_text(name) + b":" + typed_text(value, level)
        except Refused as refused:
            raise refused.under(name) from None


def binary(literal: bytes) -> bytes:
    """The bytes of a base64 string literal. Raises Refused when it is none."""
    try:
        return binascii.a2b_base64(decode_text(literal), strict_mode=True)
    except ValueError:
        raise Refused(f"not base64: {shown(literal)}") from None


def item_size(item: dict[str, Node]) -> int:
    """Bytes of a checked typed item: names and values in UTF-8, binaries decoded, 3 for a list or map and 1
    for each of its elements, half a byte a digit and 1 for a number (which AWS calls approximate)."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Node) -> int:
    if not isinstance(value, dict):
        return 0
    [(kind, inner)] = value.items()
    if isinstance(inner, bytes):
        return _scalar_size(kind, inner)
    if isinstance(inner, dict):
        return 3 + len(inner) + item_size(inner)
    if kind == "L":
        return 3 + len(inner) + sum(map(_value_size, inner))
    return sum(_scalar_size(kind[0], member) for member in inner if isinstance(member, bytes))


def _scalar_size(kind: str, literal: bytes) -> int:
    if kind == "S":
        return len(decode_text(literal).encode())
    if kind == "N":
        return stored_bytes(decode_text(literal).encode())
    return len(binary(literal)) if kind == "B" else 1


def _scalar(kind: str, inner: Node) -> bytes:
    if not isinstance(inner, bytes):
        raise Refused(f"type {kind} holds an array or an object")
    if kind == "BOOL":
        if inner not in (b"true", b"false"):
            raise Refused(f"type BOOL holds {shown(inner)}, not true or false")
        return inner
    if kind == "NULL":
        if inner != b"true":
            raise Refused(f"type NULL holds {shown(inner)}, not true")
        return inner
    return _literal(kind, inner)


def _literal(kind: str, inner: Node) -> bytes:
    """A string literal that is a legal S, N or B; a number's escapes are resolved."""
    if not isinstance(inner, bytes) or not inner.startswith(b'"'):
        what = shown(inner) if isinstance(inner, bytes) else "an array or an object"
        raise Refused(f"type {kind} holds {what}, not a string")
    if kind == "N":
        text = decode_text(inner).encode()
        if reason := fault(text):
            raise Refused(reason)
        return b'"%b"' % text
    if kind == "B":
        binary(inner)
    return inner


def _map(inner: Node) -> dict[str, Node]:
    if not isinstance(inner, dict):
        raise Refused("type M does not hold an object")
    return inner


def _elements(inner: Node, level: int) -> Iterable[bytes]:
    if not isinstance(inner, list):
        raise Refused("type L does not hold an array")
    for index, element in enumerate(inner):
        try:
            yield typed_text(element, level + 1)
        except Refused as refused:
            raise refused.under(index) from None


def _set(kind: str, inner: Node) -> list[bytes]:
    if not isinstance(inner, list):
        raise Refused(f"type {kind} does not hold an array")
    if not inner:
        raise Refused(f"{KINDS[kind]} is empty")
    literals, seen = [], set()
    for index, member in enumerate(inner):
        try:
            literals.append(_literal(kind[0], member))
            seen.add(_identity(kind[0], literals[-1]))
            if len(seen) <= index:
                raise Refused(f"{KINDS[kind]} holds {shown(literals[-1])} twice")
        except Refused as refused:
            raise refused.under(index) from None
    return literals


def _identity(kind: str, literal: bytes) -> bytes:
    if kind == "N":
        return canonical(literal[1:-1])
    return binary(literal) if kind == "B" else decode_text(literal).encode()
