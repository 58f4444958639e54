"""Python values -> DynamoDB-typed values and keys, exactly: for records that are made here, not copied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.keys import PARTITION_KEY_BYTES, SORT_KEY_BYTES, KeyPart, number_part
from ingest_project.formats.numbers import fault
from ingest_project.formats.typed_values import KINDS, MAX_LEVELS, check_name

Value: TypeAlias = "str | Decimal | int | bool | list[Value] | dict[str, Value] | None"
Typed: TypeAlias = "dict[str, str | bool | list[Typed] | dict[str, Typed]]"

_SCALARS: Mapping[type, str] = {str: "S", Decimal: "N", int: "N"}
_MOST_TEMPLATES = 64
_CONTROLS = bytes(range(0x20))
_PLAIN = re.compile(r"(?:-?[0-9]{1,19}(?:\.[0-9]{1,19})?,)*+")
"""Numbers, a comma behind each, of so few digits without an exponent that they are within every limit."""

_LIMITS = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)
_encode = msgspec.json.Encoder().encode


class ItemLines:
    """Makes part lines of attributes. Items of the same names and types share a template; not for threads."""

    def __init__(self) -> None:
        self._templates: dict[tuple[object, ...], _Template | None] = {}

    def line(self, attributes: Mapping[str, Value]) -> bytes:
        """``{"Item":{...}}``. Raises as ``typed_attributes``, and Refused for an empty name."""
        form = (*attributes, *map(type, attributes.values()))
        if form not in self._templates and len(self._templates) < _MOST_TEMPLATES:
            self._templates[form] = _template(attributes)
        template = self._templates.get(form)
        if template and (line := template.filled([*attributes.values()])):
            return line
        for name in attributes:
            check_name(name)
        return _encode({"Item": typed_attributes(attributes)})


class _Template(NamedTuple):
    """A line with a place for each value's text; the values are strings and numbers.

    Attributes:
        quotes: In the line, when none is in a value.
        numbers: Which of the values are numbers.
    """

    text: str
    quotes: int
    numbers: Sequence[int]

    def filled(self, values: list[Value]) -> bytes:
        """The line; empty when a text would need an escape, or a number is not surely one for DynamoDB."""
        for at in self.numbers:
            values[at] = str(values[at])
        line = (self.text % tuple(values)).encode()
        if (
            line.count(b'"') != self.quotes
            or b"\\" in line
            or len(line.translate(None, _CONTROLS)) < len(line)
        ):
            return b""
        numbers = "".join([f"{values[at]}," for at in self.numbers])
        return line if _PLAIN.fullmatch(numbers) else b""


def _template(attributes: Mapping[str, Value]) -> _Template | None:
    """None where a value is neither string nor number, or a name is not plain text."""
    kinds = [_SCALARS.get(type(value), "") for value in attributes.values()]
    names = "".join(attributes)
    if not all(kinds) or not all(attributes) or not names.isprintable() or set(names) & set('"\\%'):
        return None
    places = [f'"{name}":{{"{kind}":"%s"}}' for name, kind in zip(attributes, kinds, strict=True)]
    text = '{"Item":{' + ",".join(places) + "}}"
    return _Template(text, text.count('"'), [at for at, kind in enumerate(kinds) if kind == "N"])


def typed_attributes(attributes: Mapping[str, Value], level: int = 1) -> dict[str, Typed]:
    """The typed value of each attribute.

    Raises:
        Refused: A number is none that DynamoDB takes, or values nest too deep; names the attribute.
        TypeError: A value has a type that cannot be exact here, such as float.
    """
    made: dict[str, Typed] = {}
    for name, value in attributes.items():
        try:
            made[name] = {"S": value} if type(value) is str else typed_value(value, level)
        except Refused as refused:
            raise refused.under(name) from None
    return made


def typed_value(value: Value, level: int = 1) -> Typed:
    """One value; ``level`` is how deep it lies. Raises as ``typed_attributes``."""
    if level > MAX_LEVELS:
        raise Refused(f"nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": number_text(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [typed_value(one, level + 1) for one in value]}
    if isinstance(value, dict):
        for name in value:
            check_name(name)
        return {"M": typed_attributes(value, level + 1)}
    raise TypeError(f"{type(value).__name__} is no exact value: give a str, Decimal, int, bool, list or dict")


def number_text(value: int | Decimal) -> str:
    """The number as DynamoDB's N, digit for digit. Raises Refused."""
    text = str(value)
    if not _PLAIN.fullmatch(f"{text},") and (reason := fault(text.encode())):
        raise Refused(reason)
    return text


def key_parts(attributes: Mapping[str, Value], keys: KeySchema) -> tuple[KeyPart, ...]:
    """The record's key. Raises Refused, naming the attribute that is missing, empty, too long or of another
    type."""
    return tuple(
        _key_part(attributes, name, kind, limit)
        for (name, kind), limit in zip(keys.parts, _LIMITS, strict=False)
    )


def _key_part(attributes: Mapping[str, Value], name: str, kind: str, limit: int) -> KeyPart:
    if name not in attributes:
        raise Refused("the key attribute is missing", name)
    value = attributes[name]
    if kind == "S" and isinstance(value, str):
        part = KeyPart("S", value.encode())
    elif kind == "N" and isinstance(value, int | Decimal) and not isinstance(value, bool):
        part = number_part(number_text(value).encode())
    else:
        raise Refused(f"the key attribute is not {KINDS[kind]}", name)
    if not part.value:
        raise Refused("the key attribute is empty", name)
    if len(part.value) > limit:
        raise Refused(f"the key attribute has {len(part.value)} bytes, at most {limit} are allowed", name)
    return part
