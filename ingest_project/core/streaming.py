"""PartStream: a validated chunk's lines on their way to one sink, losers left out.

Reads through the PartStore port; knows no format (the encoder is handed in) and no vendor.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingest_project.core.errors import BadInput, CountLost
from ingest_project.core.model import Chunk, ItemBlock, PartInfo, Position, Rejection
from ingest_project.core.ports import PartStore

Encoded = tuple[Sequence[bytes], Mapping[int, str]]
EncodeLines = Callable[[Sequence[bytes]], Encoded]
"""Part lines -> sink bodies, one each and in order, and the reasons of those lines (by index) that can have
none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStream:
    """ItemStream over the published parts of one chunk.

    Attributes:
        losers: Ascending ordinals of records that a later one supersedes; they become ``None`` entries (law
            11).
        encode: Makes sink bodies of lines; ``None`` hands the lines on as they are.
        key_of: Line -> readable key, for dead letters.
    """

    parts: PartStore
    chunk: Chunk
    key_of: Callable[[bytes], str]
    losers: array[int] = field(default_factory=lambda: array("Q"))
    encode: EncodeLines | None = None

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        """Items from ordinal ``after.ordinal`` on.

        Raises:
            BadInput: Behind the last item, when the chunk's file is broken there.
            CountLost: A part does not hold the number of lines that its manifest says.
        """
        for info in self.parts.parts(self.chunk):
            if info.first + info.records > after.ordinal:
                yield from self._part(info, after.ordinal)
        fault = self.chunk.fault
        if fault is not None:
            raise BadInput(uri=self.chunk.range.uri, offset=fault.offset, expected=fault.expected)

    def _part(self, info: PartInfo, start: int) -> Iterator[ItemBlock]:
        first = info.first
        for lines in self.parts.lines(self.chunk, info):
            skip = min(max(start - first, 0), len(lines))
            if skip < len(lines):
                yield self._block(first + skip, lines[skip:] if skip else lines)
            first += len(lines)
        if first != info.first + info.records:
            raise CountLost(
                f"{self.chunk.id}: part {info.number} holds {first - info.first} lines, "
                f"its manifest says {info.records}"
            )

    def _block(self, first: int, lines: Sequence[bytes]) -> ItemBlock:
        low, high = bisect_left(self.losers, first), bisect_right(self.losers, first + len(lines) - 1)
        bodies, refused = (lines, {}) if self.encode is None else self.encode(lines)
        if low == high and not refused:
            return ItemBlock(first=first, entries=bodies, plain=True)
        entries: list[bytes | Rejection | None] = list(bodies)
        for index, reason in refused.items():
            entries[index] = self.rejection(first + index, lines[index], reason)
        for ordinal in self.losers[low:high]:
            entries[ordinal - first] = None
        return ItemBlock(first=first, entries=entries)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        """The dead letter of one item: its source offset is looked up in the part's side data, its line read
        again."""
        info = next(i for i in self.parts.parts(self.chunk) if i.first <= ordinal < i.first + i.records)
        offset = self.parts.offset(self.chunk, info, ordinal)
        line = self._line(info, ordinal)
        return Rejection(ordinal=ordinal, offset=offset, reason=reason, raw=line, key=self.key_of(line))

    def _line(self, info: PartInfo, ordinal: int) -> bytes:
        first = info.first
        for lines in self.parts.lines(self.chunk, info):
            if ordinal < first + len(lines):
                return bytes(lines[ordinal - first])
            first += len(lines)
        raise CountLost(f"{self.chunk.id}: no line {ordinal} in part {info.number}")
