"""Hypothesis strategies of the reading tests: JSON values as text in every style, files in every shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from ingest_project.formats.shapes import WRAPPER_KEYS

WHITE = st.text(alphabet=" \t\r\n", max_size=3)
WORDS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ['},{"id":', '"', "\\", '\\"', "]}", "[{", "},\n{", "é\U0001f600", "\u2028", "\x00\x1f\x7f", "Items"]
    ),
)
NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:E}"),
    st.sampled_from(
        ["0", "-0", "1.0", "1e5", "1E+30", "-1.50e-7", "0.10", "123456789012345678901234567890.123"]
    ),
)


@dataclass(frozen=True)
class Text:
    """One JSON value: how it is written, and what json makes of it."""

    written: str

    @property
    def value(self) -> Any:
        return json.loads(self.written, parse_float=Decimal)


@st.composite
def strings(draw: st.DrawFn) -> str:
    return json.dumps(draw(WORDS), ensure_ascii=draw(st.booleans()))


SCALARS = st.one_of(NUMBERS, strings(), st.sampled_from(["true", "false", "null"]))


def _array(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda items, white: "[" + white + f"{white},{white}".join(items) + white + "]",
        st.lists(children, max_size=4),
        WHITE,
    )


def _object(children: st.SearchStrategy[str], names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda members, white: (
            "{"
            + white
            + f"{white},{white}".join(f"{k}{white}:{white}{v}" for k, v in members.items())
            + white
            + "}"
        ),
        st.dictionaries(names, children, max_size=4),
        WHITE,
    )


VALUES = st.recursive(SCALARS, lambda inner: _array(inner) | _object(inner, strings()), max_leaves=8)
NAMES = st.one_of(st.sampled_from(['"id"', '"data"', '"Items"', '"Count"', '"n"']), strings())
ITEMS = st.one_of(_object(VALUES, NAMES), st.builds(lambda n: f'{{"id":"{n}","n":{n}}}', st.integers(0, 999)))
"""Objects, many of them alike, so that the hot path finds its separators."""

RECORDS = st.lists(st.one_of(ITEMS, ITEMS, ITEMS, VALUES), max_size=12)


@st.composite
def separators(draw: st.DrawFn) -> str:
    return draw(st.sampled_from([",", ",\n", ", ", " ,\r\n  ", "\n,"]))


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, list[str]]:
    """An array in one style or with white space anywhere, and its elements."""
    records = draw(RECORDS)
    separator, white = draw(separators()), draw(WHITE)
    return "[" + white + separator.join(records) + white + "]", records


@st.composite
def wrappers(draw: st.DrawFn) -> tuple[str, list[str]]:
    """An object with its items under a wrapper key, other keys before and behind."""
    records = draw(st.lists(ITEMS, max_size=12))
    separator, white = draw(separators()), draw(WHITE)
    key = draw(st.sampled_from(sorted(key.decode() for key in WRAPPER_KEYS)))
    others = st.dictionaries(st.sampled_from(["Count", "ScannedCount", "page", "x y"]), VALUES, max_size=2)
    before = "".join(f'"{name}"{white}:{value},' for name, value in draw(others).items())
    behind = "".join(f',{white}"{name}":{value}' for name, value in draw(others).items())
    items = f'"{key}"{white}:{white}[{white}{separator.join(records)}{white}]{white}'
    return f"{{{white}{before}{items}{behind}}}", records


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """JSON lines of plain records, with blank ones, either line end, a BOM or not, a last line end or not."""
    records = draw(
        st.lists(st.builds(lambda n, v: f'{{"id":"{n}","v":{_flat(v)}}}', st.integers(0, 999), VALUES))
    )
    records = records or ['{"id":"only"}']
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n", ""]))
    text = draw(st.sampled_from(["", "\ufeff", "\n"])) + end.join(records) + draw(st.sampled_from(["", end]))
    return text, records


def _flat(value: str) -> str:
    return value.replace("\n", " ").replace("\r", " ")


FILES = st.one_of(arrays(), wrappers(), lines())
"""Text of a file and its records."""
