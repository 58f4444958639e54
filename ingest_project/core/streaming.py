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


@dataclass(slots=True)
class _Recent:
    """What the last dead letter needed: the manifest, and a block with the ordinal of its first line."""

    infos: Sequence[PartInfo] = ()
    block: tuple[int, Sequence[bytes]] = (0, ())


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
    _recent: _Recent = field(default_factory=_Recent, init=False, repr=False)

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
        """The dead letter of one item: its line and its source offset are looked up in the parts.

        Safe to call from several threads; refused items come in runs, so the last block is kept.
        """
        recent = self._recent
        infos = recent.infos = recent.infos or self.parts.parts(self.chunk)
        info = next(i for i in infos if i.first <= ordinal < i.first + i.records)
        line = self._line(info, ordinal)
        offset = self.parts.offset(self.chunk, info, ordinal)
        return Rejection(ordinal=ordinal, offset=offset, reason=reason, raw=line, key=self.key_of(line))

    def _line(self, info: PartInfo, ordinal: int) -> bytes:
        first, lines = self._recent.block
        if not first <= ordinal < first + len(lines):
            first, lines = self._block_with(info, ordinal)
            self._recent.block = (first, lines)
        return bytes(lines[ordinal - first])

    def _block_with(self, info: PartInfo, ordinal: int) -> tuple[int, Sequence[bytes]]:
        first = info.first
        for lines in self.parts.lines(self.chunk, info):
            if ordinal < first + len(lines):
                return first, lines
            first += len(lines)
        raise CountLost(f"{self.chunk.id}: no line {ordinal} in part {info.number}")
