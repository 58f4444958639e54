"""Templates: one pattern over the source's text, and the formats that make results of what it found.

A match proves the whole text: order and spelling of names, syntax of every value, numbers well inside of
DynamoDB's limits. A text that does not match goes the exact way; a template refuses nothing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import add, truth
from typing import NamedTuple

FORMAT_BYTES = 4 << 20
"""Of the formats that a template keeps, one for each set of optional things that occurred together. That of a
record with a hundred options has 4 KB, and almost every record has its own."""

Convert = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Makes results of the texts of one group in many matches; empty ones (it took no part) stay empty."""

Row = tuple[bytes, ...]
"""The texts of a match's groups; those of groups that took no part are empty, others never are."""


class Slot(NamedTuple):
    """A group of the pattern and what is made of its text.

    Attributes:
        convert: None for the text as it stands.
        silent: Nothing is made of it.
    """

    convert: Convert | None = None
    silent: bool = False


class Option(NamedTuple):
    """Nodes that count when the group of the first slot directly among them took part in the match."""

    nodes: tuple[Node, ...]


Node = bytes | Slot | Option
"""A literal text, a group, or what may be missing; slots stand in the order of the pattern's groups."""


class Piece(NamedTuple):
    """A part of a template: pattern and what becomes of a match."""

    pattern: bytes
    nodes: tuple[Node, ...] = ()


class Template:
    """A compiled piece: texts in the source form -> texts in the target form."""

    def __init__(self, piece: Piece) -> None:
        self._pattern = re.compile(piece.pattern)
        self.match = self._pattern.fullmatch
        self._slow = [(at, slot.convert) for at, slot in enumerate(slots(piece.nodes)) if slot.convert]
        self._formats = Formats(piece.nodes)
        varied = any(isinstance(node, Option) for node in piece.nodes)
        self._format = None if varied else self._formats[b""]

    def fill(self, rows: Sequence[Row]) -> list[bytes]:
        """The texts in the target form, of the groups of matches."""
        rows = self._converted(rows)
        if self._format is not None:
            return list(map(self._format.__mod__, rows))
        formats = self._formats
        return [formats[bytes(map(truth, row))] % row for row in rows]

    def fill_behind(self, heads: Sequence[bytes], rows: Sequence[Row]) -> list[bytes]:
        """``fill``, each text behind its head."""
        if self._format is None:
            return list(map(add, heads, self.fill(rows)))
        form = b"%b" + self._format
        return [form % (head, *row) for head, row in zip(heads, self._converted(rows), strict=True)]

    def _converted(self, rows: Sequence[Row]) -> Sequence[Row]:
        if not self._slow or not rows:
            return rows
        columns: list[Sequence[bytes]] = list(zip(*rows, strict=True))
        for at, convert in self._slow:
            columns[at] = convert(columns[at])
        return list(zip(*columns, strict=True))

    def rows(self, lines: Sequence[bytes]) -> list[Row] | None:
        """The groups of all lines, when each matches, found in one go; else None.

        Args:
            lines: Without line breaks, and such that nothing within one can match but the whole.
        """
        found = _rows(self._pattern, b"\n".join(lines))
        return found if len(found) == len(lines) else None

    def each(self, texts: Sequence[bytes]) -> Iterator[list[bytes]]:
        """For each text, which is known to be matches with something between them, their results."""
        found = [_rows(self._pattern, text) for text in texts]
        results = self.fill(list(chain.from_iterable(found)))
        start = 0
        for matches in found:
            yield results[start : start + len(matches)]
            start += len(matches)


def slots(nodes: Sequence[Node]) -> Iterator[Slot]:
    """All slots, one for each group."""
    for node in nodes:
        if isinstance(node, Slot):
            yield node
        elif isinstance(node, Option):
            yield from slots(node.nodes)


def _rows(pattern: re.Pattern[bytes], text: bytes) -> list[Row]:
    found, groups = pattern.findall(text), pattern.groups
    # A pattern with less than two groups is answered with texts.
    return found if groups > 1 else [(one,)[:groups] for one in found]


class Formats(dict[bytes, bytes]):
    """For each group one byte, 1 where it took part in the match -> the format of the result.

    Args:
        most: Bytes that are kept.

    Attributes:
        held: Bytes that are.
    """

    def __init__(self, nodes: tuple[Node, ...], most: int = FORMAT_BYTES) -> None:
        super().__init__()
        self._whole, _ = _branched(nodes, 0)
        self._most, self.held = most, 0

    def __missing__(self, there: bytes) -> bytes:
        made = b"".join(_format(self._whole, there))
        size = len(there) + len(made)
        if self.held + size > self._most:
            self.clear()
            self.held = 0
        self[there] = made
        self.held += size
        return made


class _Branch(NamedTuple):
    """An option, as pieces of a format.

    Attributes:
        marker: Number of the group that tells whether it took part.
        there, absent: What it is when it did, and when it did not.
    """

    marker: int
    there: tuple[bytes | _Branch, ...]
    absent: bytes


def _branched(nodes: Sequence[Node], at: int) -> tuple[tuple[bytes | _Branch, ...], int]:
    """Pieces of a format, joined as far as they go together, and the number of the first group behind them;
    wide records have a hundred options, and each its own of them: a format is made in microseconds."""
    made: list[bytes | _Branch] = []
    for node in nodes:
        if isinstance(node, Option):
            inner, end = _branched(node.nodes, at)
            made.append(_Branch(at + _marker(node), inner, b"%.0b" * (end - at)))
            at = end
            continue
        text = node.replace(b"%", b"%%") if isinstance(node, bytes) else b"%.0b" if node.silent else b"%b"
        at += isinstance(node, Slot)
        last = made[-1] if made else None
        if isinstance(last, bytes):
            made[-1] = last + text
        else:
            made.append(text)
    return tuple(made), at


def _format(pieces: Sequence[bytes | _Branch], there: bytes) -> Iterator[bytes]:
    for one in pieces:
        if isinstance(one, bytes):
            yield one
        elif not there[one.marker]:
            yield one.absent
        elif len(one.there) == 1 and isinstance(one.there[0], bytes):
            yield one.there[0]
        else:
            yield from _format(one.there, there)


def _marker(option: Option) -> int:
    """How many groups stand before the one that tells whether the option took part."""
    before = 0
    for node in option.nodes:
        if isinstance(node, Slot):
            return before
        before += sum(1 for _ in slots((node,)))
    raise ValueError("an option without a group of its own")
