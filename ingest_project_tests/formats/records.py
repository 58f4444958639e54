"""Hypothesis strategies for records, and independent readers of part lines to compare with."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
STRINGS = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37).map(str),
    st.decimals(-(10**6), 10**6, allow_nan=False, places=3).map(str),
    st.builds("{}e{}".format, st.integers(-999, 999), st.integers(-120, 120)),
)


class Number(str):
    """The text of a number in a record that is to be written as JSON."""


SCALARS: st.SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), NUMBERS.map(Number), STRINGS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
RECORDS = st.builds(
    lambda key, rest: {"id": key, **{name: value for name, value in rest.items() if name != "id"}},
    STRINGS.filter(bool),
    st.dictionaries(NAMES, VALUES, max_size=6),
)


def json_text(value: Any, *, ascii_only: bool, spaced: bool) -> str:
    """JSON of a value with exact number texts, in two spellings of strings and of space."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + (", " if spaced else ",").join(json_texts(value, ascii_only, spaced)) + "]"
    if isinstance(value, dict):
        names = (json.dumps(name, ensure_ascii=ascii_only) for name in value)
        pairs = zip(names, json_texts(value.values(), ascii_only, spaced), strict=True)
        return "{" + (", " if spaced else ",").join((": " if spaced else ":").join(p) for p in pairs) + "}"
    return json.dumps(value, ensure_ascii=ascii_only)


def json_texts(values: Any, ascii_only: bool, spaced: bool) -> list[str]:
    return [json_text(value, ascii_only=ascii_only, spaced=spaced) for value in values]


def exact(value: Any) -> Any:
    """The value with Decimals for number texts, True told from 1."""
    if isinstance(value, Number):
        return Decimal(value)
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    if isinstance(value, dict):
        return {name: exact(inner) for name, inner in value.items()}
    return ("bool", value) if isinstance(value, bool) else value


def read_json(text: bytes) -> Any:
    """Plain JSON with Decimals, by the standard library."""
    return _marked(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def read_line(line: bytes) -> Any:
    """The values of a part line, by the standard library."""
    return {name: _untyped(value) for name, value in json.loads(line)["Item"].items()}


def _marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_marked(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _marked(inner) for name, inner in value.items()}
    return ("bool", value) if isinstance(value, bool) else value


def _untyped(value: dict[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    if kind == "M":
        return {name: _untyped(child) for name, child in inner.items()}
    if kind == "L":
        return [_untyped(child) for child in inner]
    if kind == "NS":
        return {Decimal(member) for member in inner}
    if kind in ("SS", "BS"):
        return set(inner)
    plain = {"N": Decimal, "B": base64.b64decode, "NULL": lambda _: None}
    return ("bool", inner) if kind == "BOOL" else plain.get(kind, str)(inner)
