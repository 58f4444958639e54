"""The hot path of cutting: some 32 KiB of records at a time, cut at a learned separator, decoded in C.

From a known record start a successful decode of ``[`` + slice + ``]`` proves the cut: the slice is whole
values with commas between them, whatever the separator looked like. A refusal proves nothing; the caller then
goes value by value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add

import msgspec

from ingest_project.formats.grammar import WHITE
from ingest_project.formats.shapes import PAGE_START

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_LINES = msgspec.json.Decoder(msgspec.Raw)
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*+"[^"\\]{0,200}"')
_REFUSED = (msgspec.DecodeError, RecursionError)
_MOST_SKIPPED = 16


@dataclass(slots=True, kw_only=True)
class Cut:
    """Consecutive records as they stand in the stream.

    Attributes:
        raws: One JSON value each.
        start: Offset of the first one's first byte.
        end: Offset behind the last one's last byte.
        text: What was decoded: ``lead`` bytes, then [start, end). Empty when ``places`` are known.
        gap: What probably stands between two of them.
        places: Offset of each record, when cut one by one.
    """

    raws: Sequence[bytes]
    start: int
    end: int
    text: bytes = b""
    lead: int = 0
    gap: bytes = b","
    places: Sequence[int] = ()

    def offsets(self) -> Sequence[int]:
        """Offset of each record, exact."""
        if self.places:
            return self.places
        raws, gap = self.raws, self.gap
        lengths = list(map(len, raws))
        between = len(gap) * (len(raws) - 1)
        if sum(lengths) + between == self.end - self.start and (gap == b"," or self._glued(gap)):
            return list(
                map(add, accumulate(lengths[:-1], initial=self.start), range(0, between + 1, len(gap)))
            )
        places, at = [], self.lead
        for raw in raws:
            found = _BETWEEN.match(self.text, at)
            at = found.end() if found else at
            places.append(self.start + at - self.lead)
            at += len(raw)
        return places

    def _glued(self, gap: bytes) -> bool:
        """Whether each gap is this one. A comma alone needs no proof: a comma at least stands in each."""
        return self.text.startswith(gap.join(self.raws), self.lead)


class Grouper:
    """Remembers what separates records, and how often that guess was wrong.

    Args:
        size: Bytes of a group. Bigger ones leave the processor's cache and are slower.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._exact = b""
        self._loose = b""
        self._gap = b","
        self._skip = 0
        self._penalty = 1

    def learn(self, gap: bytes, following: bytes) -> None:
        """Note the bytes between an object's ``}`` and the next one, and how that one begins."""
        first = _FIRST_KEY.match(following)
        self._gap = gap
        self._loose = b"}" + gap + b"{"
        self._exact = b"}" + gap + (first[0] if first else b"{")

    def ready(self) -> bool:
        """Whether a fast try is worth its cost just now: after each failure the next ones are rarer."""
        if self._skip:
            self._skip -= 1
            return False
        return True

    def _refused(self) -> None:
        self._skip = self._penalty
        self._penalty = min(self._penalty * 2, _MOST_SKIPPED)

    def elements(self, data: bytes, at: int, base: int) -> tuple[Cut, int] | None:
        """Whole array elements from the record start ``at`` on, and the index of the one after them."""
        if not self._exact:
            return None
        stop = at + self.size
        place = data.rfind(self._exact, at, stop)
        if place < 0:
            place = data.rfind(self._loose, at, stop)
        if place < 0:
            return None
        text = b"".join((b"[", memoryview(data)[at : place + 1], b"]"))
        try:
            raws = _ARRAY.decode(text)
        except _REFUSED:
            self._refused()
            return None
        self._penalty = 1
        cut = Cut(raws=raws, start=base + at, end=base + place + 1, text=text, lead=1, gap=self._gap)
        return cut, place + 1 + len(self._gap)

    def lines(self, data: bytes, at: int, base: int, final: bool) -> tuple[Cut, int] | None:
        """Whole top-level values from ``at`` on that hold no items themselves, and the index behind them."""
        stop = at + self.size
        if final and len(data) <= stop:
            place = len(data)
        else:
            place = data.rfind(b"\n", at, stop)
            if place <= at:
                return None
        text = data[at:place].rstrip(WHITE)
        try:
            raws = _LINES.decode_lines(text)
        except _REFUSED:
            self._refused()
            return None
        gap = b"\r\n" if data[place - 1] == 0x0D else b"\n"
        if not raws or any(map(PAGE_START.match, raws)):
            return None
        self._penalty = 1
        return Cut(raws=raws, start=base + at, end=base + at + len(text), text=text, gap=gap), place
