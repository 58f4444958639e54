"""Where rows and fields of CSV end: patterns that agree with Python's csv module, and the exact way to split.

A quote opens a field only at its start; what stands behind a closing quote belongs to the field as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

_QUOTED = '"[^"]*+(?:""[^"]*+)*+"'
_FLAT = r'"[^"\r\n]*+(?:""[^"\r\n]*+)*+"'


class OpenQuote(ValueError):
    """A quoted field is not closed; ``field`` is its place in the row, 0-based."""

    def __init__(self, field: int) -> None:
        super().__init__("a quote is never closed")
        self.field = field


@dataclass(frozen=True, slots=True)
class Borders:
    """Patterns over bytes; each is matched from the start of a row on.

    Attributes:
        row: A row and its line end; group 1 is the row without it.
        fields: Fields and the delimiters behind them, as far as they are complete.
        regular: Any number of rows, as far as each quote opens at a field's start, closes at its end and has
            no line end inside: up to there, every line end is the end of a row.
    """

    row: re.Pattern[bytes]
    fields: re.Pattern[bytes]
    regular: re.Pattern[bytes]


@cache
def borders(delimiter: str) -> Borders:
    """The patterns for a delimiter of one byte."""
    border, plain = re.escape(delimiter), rf"[^{re.escape(delimiter)}\r\n]*+"
    field = rf'(?:{_QUOTED}{plain}|(?!"){plain})'
    alone = rf"{_FLAT}(?=[{border}\r\n]|\Z)"
    texts = (
        rf"((?:{field}{border})*+{field})(?:\r\n|\r|\n|\Z)",
        rf"(?:{field}{border})*+",
        rf'(?:{alone})?+[^"]*+(?:(?<=[{border}\r\n]){alone}[^"]*+)*+',
    )
    return Borders(*(re.compile(text.encode()) for text in texts))


@cache
def splitter(delimiter: str) -> Callable[[str], list[str]]:
    """A function that splits one row, given without its line end, into fields of any length.

    It raises OpenQuote when the last field is quoted and not closed.
    """
    border = re.escape(delimiter)
    plain = rf"[^{border}\r\n]*+"
    text = rf'(?:"([^"]*+(?:""[^"]*+)*+)"({plain})|(?!")({plain}))({border}|\Z)'
    match = re.compile(text).match

    def split(row: str) -> list[str]:
        fields: list[str] = []
        at = 0
        while found := match(row, at):
            quoted, rest, bare, behind = found.groups("")
            fields.append(quoted.replace('""', '"') + rest + bare)
            if not behind:
                return fields
            at = found.end()
        raise OpenQuote(len(fields))

    return split
