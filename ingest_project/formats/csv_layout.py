"""What a row means: the delimiter, encoding and columns of one CSV file, found from its header. No I/O.

Travels as the ``shape`` of the file's index and chunks, so that a chunk is read without the file's header.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ingest_project.core.layouts import Layout, heading
from ingest_project.core.model import Chunk

DELIMITERS = (",", ";", "\t")
PREFIX = "csv:"

_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}

ROW_COLUMN = "sheet_row"
"""First column of rows that come from a sheet: their number there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShape:
    """How the rows of one file are read.

    Attributes:
        layout: Name of the header's layout.
        columns: Canonical names in the file's order; empty for a column of no meaning here.
    """

    delimiter: str
    encoding: str
    layout: str
    columns: tuple[str, ...]

    def __str__(self) -> str:
        words = {
            "delimiter": self.delimiter,
            "encoding": self.encoding,
            "layout": self.layout,
            "columns": self.columns,
        }
        return PREFIX + json.dumps(words, separators=(",", ":"))


class UnknownHeader(ValueError):
    """No layout fits; says what is missing."""


def row_shape(chunk: Chunk) -> RowShape:
    """The shape that a chunk of a CSV file carries. Raises ValueError when it is none."""
    if not chunk.shape.startswith(PREFIX):
        raise ValueError(f"{chunk.range.uri}: {chunk.shape} is no CSV file")
    return _parsed(chunk.shape)


def described(shape: str) -> str:
    """A file's shape for people: ``csv: layout lines, 12 columns, semicolons, utf-8``; others as they are."""
    if not shape.startswith(PREFIX):
        return shape
    found = _parsed(shape)
    if not found.layout:
        return "csv of no known layout"
    columns, between = sum(map(bool, found.columns)), _NAMES[found.delimiter]
    return f"csv: layout {found.layout}, {columns} columns, {between}, {found.encoding}"


def _parsed(shape: str) -> RowShape:
    words = json.loads(shape.removeprefix(PREFIX))
    return RowShape(
        delimiter=words["delimiter"],
        encoding=words["encoding"],
        layout=words["layout"],
        columns=tuple(words["columns"]),
    )


def layout_of(chunk: Chunk) -> str:
    """Name of the layout that the chunk's file has."""
    return row_shape(chunk).layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A header, split at one delimiter, in the eyes of one layout.

    Attributes:
        columns: Canonical names in the header's order; empty for a heading that the layout does not know.
        ignored: Those headings.
    """

    layout: Layout
    delimiter: str
    columns: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.layout.required if name not in self.columns)

    @property
    def doubled(self) -> tuple[str, ...]:
        return tuple(name for name in self.layout.columns if self.columns.count(name) > 1)

    @property
    def found(self) -> int:
        return len({*self.columns} - {""})


def fit(header: Sequence[str], delimiter: str, layout: Layout) -> Fit:
    """Look up each heading of a header."""
    known = layout.headings()
    columns = tuple(known.get(heading(text), "") for text in header)
    ignored = tuple(text for text, name in zip(header, columns, strict=True) if text.strip() and not name)
    return Fit(layout=layout, delimiter=delimiter, columns=columns, ignored=ignored)


def best(candidates: Sequence[Fit]) -> Fit:
    """The fit that lacks nothing and has the most columns; the earlier one of equals.

    Raises:
        UnknownHeader: Each lacks a column, or the best one has a column twice.
    """
    whole = [candidate for candidate in candidates if not candidate.missing]
    if not whole:
        raise UnknownHeader(_lacking(candidates))
    chosen = max(whole, key=lambda candidate: candidate.found)
    if chosen.doubled:
        twice = ", ".join(chosen.doubled)
        raise UnknownHeader(f"a header of layout {chosen.layout.name} with each column once; twice: {twice}")
    return chosen


def _lacking(candidates: Sequence[Fit]) -> str:
    nearest = max(candidates, key=lambda candidate: candidate.found / len(candidate.layout.columns))
    names = list(dict.fromkeys(candidate.layout.name for candidate in candidates))
    wanted = f"a header of layout {names[0]}"
    if len(names) > 1:
        wanted = f"a header of one of the layouts {', '.join(names)} (nearest: {nearest.layout.name})"
    return f"{wanted}; missing columns: {', '.join(nearest.missing)}"
