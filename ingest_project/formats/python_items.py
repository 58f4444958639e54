"""Records as Python dicts -> part lines ``{"Item":{...}}`` and key hashes: exact, each refusal with its path.

A record is made in one sweep by its values' types; one that the sweep does not know whole is made again value
by value, which is the rule and finds the place. The sweep itself never tries twice.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.attribute_values import number_text
from ingest_project.formats.dynamodb_json import ITEM_BYTES, key_of
from ingest_project.formats.json_tree import Node, Refused, parse
from ingest_project.formats.keys import PARTITION_KEY_BYTES, key_hash, key_text, string_key_hash
from ingest_project.formats.numbers import MAX_DIGITS, MAX_EXPONENT
from ingest_project.formats.typed_values import KINDS, MAX_LEVELS, check_name, item_size

Typed: TypeAlias = dict[str, Any]
Maker: TypeAlias = Callable[[Any, int], Typed]

_MOST_SHAPES = 256
_SURELY_EXACT = 10**MAX_DIGITS
_BEYOND = 10 ** (MAX_EXPONENT + 1)
_BOOLEANS: Mapping[bool, Typed] = {True: {"BOOL": True}, False: {"BOOL": False}}
_NULL: Typed = {"NULL": True}
_BOTO_BINARY = ("boto3.dynamodb.types", "Binary")
_SET_KINDS = {"S": "SS", "N": "NS", "B": "BS"}
_encode = msgspec.json.Encoder().encode


class Encoded(NamedTuple):
    """A record that may be sent: its part line, and the hash of its key."""

    line: bytes
    hash: bytes


class DictEncoder:
    """Makes part lines of dicts for one table; not for threads.

    Args:
        keys: Key of the table.
    """

    def __init__(self, keys: KeySchema) -> None:
        self._keys = keys
        self._simple = keys.parts[0][0] if len(keys.parts) == 1 and keys.parts[0][1] == "S" else None

    def encode(self, record: object) -> Encoded:
        """One record.

        Raises:
            Refused: It cannot become an item of the table exactly; says where and why.
        """
        if not isinstance(record, dict):
            raise Refused(f"the record is a {type(record).__name__}, not a dict")
        try:
            item = _fast_members(record, 1)
            line = _encode({"Item": item})
        except (Refused, KeyError, TypeError, UnicodeEncodeError):
            item = typed_dict(record, 1)
            line = _encode({"Item": item})
        key = self._hash(item)
        if len(line) > ITEM_BYTES:
            self._check_size(line)
        return Encoded(line, key)

    def readable_key(self, record: object) -> str:
        """The key's text of a record that may be bad in another place; empty when it has none."""
        if not isinstance(record, dict):
            return ""
        try:
            return key_text(self._parts(typed_dict(self._key_attributes(record), 1)))
        except Refused:
            return ""

    def key_of_line(self, line: bytes) -> str:
        """The key's text of a line that was made here."""
        return key_text(key_of(item_of(line), self._keys, typed=True))

    def _hash(self, item: Typed) -> bytes:
        if self._simple is not None:
            text = item.get(self._simple, _NULL).get("S")
            if text and len(text) <= PARTITION_KEY_BYTES // 4:
                return string_key_hash(text.encode())
        return key_hash(self._parts(self._key_attributes(item)))

    def _parts(self, item: Typed) -> tuple[Any, ...]:
        """The key of typed attributes, by the rule that holds for every record. Raises Refused."""
        return key_of(item_of(_encode({"Item": item})), self._keys, typed=True)

    def _key_attributes(self, item: Mapping[Any, Any]) -> Typed:
        return {name: item[name] for name, _ in self._keys.parts if name in item}

    def _check_size(self, line: bytes) -> None:
        """A line is never shorter than its item as DynamoDB counts it, so that few have to be counted."""
        size = item_size(item_of(line))
        if size > ITEM_BYTES:
            raise Refused(f"the item has {size} bytes, at most {ITEM_BYTES} are allowed")


def item_of(line: bytes) -> dict[str, Node]:
    """The attributes in a line that was made here."""
    node = parse(line)
    item = node["Item"] if isinstance(node, dict) else None
    if not isinstance(item, dict):
        raise TypeError(f"no item: {line[:60]!r}")
    return item


def typed_dict(attributes: Mapping[Any, Any], level: int) -> Typed:
    """The typed value of each attribute. Raises Refused, naming the attribute."""
    made: Typed = {}
    for name, value in attributes.items():
        text = _checked_name(name)
        try:
            made[text] = typed(value, level)
        except Refused as refused:
            raise refused.under(text) from None
    return made


def typed(value: object, level: int = 1) -> Typed:
    """One value as DynamoDB types it; ``level`` is how deep it lies. Raises Refused."""
    if level > MAX_LEVELS:
        raise Refused(f"nested deeper than {MAX_LEVELS} levels")
    make = _MAKERS.get(type(value)) or _maker(type(value))
    return make(value, level)


@lru_cache(_MOST_SHAPES)
def _names_are_good(names: tuple[object, ...]) -> bool:
    """Looks at names once for all maps that have them."""
    return all(type(name) is str and _checked_name(name) for name in names)


def _fast_members(attributes: Mapping[str, Any], level: int) -> Typed:
    """``typed_dict``, or any exception where that has to look."""
    if not _names_are_good((*attributes,)):
        raise TypeError("a name is no plain str")
    return {
        name: {"S": value} if type(value) is str else _FAST[type(value)](value, level)
        for name, value in attributes.items()
    }


def _fast_map(value: Mapping[str, Any], level: int) -> Typed:
    if level >= MAX_LEVELS:
        raise TypeError("a map at the last level")
    return {"M": _fast_members(value, level + 1)}


def _fast_list(values: Iterable[Any], level: int) -> Typed:
    if level >= MAX_LEVELS:
        raise TypeError("a list at the last level")
    made = [{"S": value} if type(value) is str else _FAST[type(value)](value, level + 1) for value in values]
    return {"L": made}


def _maker(kind: type) -> Maker:
    """For types that are not in the table themselves: subclasses, and what boto3 reads a binary as."""
    for base in kind.__mro__:
        if base in _MAKERS:
            return _MAKERS[base]
    if (kind.__module__, kind.__qualname__) == _BOTO_BINARY:
        return _binary
    if issubclass(kind, float):
        raise Refused("a float is not exact: give a Decimal or an int (boto3 refuses floats as well)")
    raise Refused(f"{kind.__name__} is no type that DynamoDB has a value for")


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise Refused(f"an attribute name is a {type(name).__name__}, not a str")
    check_name(name)
    text = str.__str__(name)
    _check_text(text)
    return text


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("the text has an unpaired surrogate, which is no UTF-8") from None


def _text(value: str, level: int) -> Typed:
    # A subclass may say something else of itself than the text it is.
    text = str.__str__(value)
    _check_text(text)
    return {"S": text}


def _integer(value: int, level: int) -> Typed:
    if -_SURELY_EXACT < value < _SURELY_EXACT:
        return {"N": int.__repr__(value)}
    if -_BEYOND < value < _BEYOND:
        return {"N": number_text(int(value))}
    raise Refused(f"an integer is too large, its magnitude may be at most 9.99E+{MAX_EXPONENT}")


def _decimal(value: Decimal, level: int) -> Typed:
    text = Decimal.__str__(value)
    if len(text) > MAX_DIGITS or "E" in text or not value.is_finite():
        text = number_text(Decimal(value))
    return {"N": text}


def _boolean(value: bool, level: int) -> Typed:
    return _BOOLEANS[value]


def _null(value: None, level: int) -> Typed:
    return _NULL


def _binary(value: Any, level: int) -> Typed:
    return {"B": b64encode(bytes(value)).decode()}


def _list(values: Iterable[object], level: int) -> Typed:
    made: list[Typed] = []
    for index, value in enumerate(values):
        try:
            made.append(typed(value, level + 1))
        except Refused as refused:
            raise refused.under(index) from None
    return {"L": made}


def _map(value: Mapping[Any, Any], level: int) -> Typed:
    return {"M": typed_dict(value, level + 1)}


def _set(values: Iterable[object], level: int) -> Typed:
    """A set of one kind; it has no order, so that what stands in it is told by its type alone."""
    kinds: dict[str, list[Any]] = {}
    for value in values:
        [(kind, inner)] = typed(value, level).items()
        kinds.setdefault(kind, []).append(inner)
    if not kinds:
        raise Refused("a set is empty, which DynamoDB does not take")
    if len(kinds) > 1:
        raise Refused(f"a set holds values of several kinds: {', '.join(sorted(kinds))}")
    [(kind, inners)] = kinds.items()
    if kind not in _SET_KINDS:
        raise Refused(f"a set holds {KINDS[kind]}; DynamoDB has sets of strings, numbers and binaries")
    return {_SET_KINDS[kind]: inners}


_MAKERS: dict[type, Maker] = {
    str: _text,
    int: _integer,
    Decimal: _decimal,
    bool: _boolean,
    type(None): _null,
    bytes: _binary,
    bytearray: _binary,
    memoryview: _binary,
    list: _list,
    tuple: _list,
    dict: _map,
    set: _set,
    frozenset: _set,
}
_FAST: Mapping[type, Maker] = {**_MAKERS, list: _fast_list, tuple: _fast_list, dict: _fast_map}
