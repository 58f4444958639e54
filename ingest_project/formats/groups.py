"""The hot path of cutting: some 32 KiB of records at a time, cut at a learned border, decoded in C.

From a known record start a successful decode of ``[`` + slice + ``]`` proves the cut: the slice is whole
values with commas between them, whatever the border looked like. A refusal proves nothing, unless the decoder
met the array's end; the caller then goes value by value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import add
from typing import overload

import msgspec

from ingest_project.formats.grammar import WHITE, behind
from ingest_project.formats.shapes import PAGE_START, is_page

_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_LINES = msgspec.json.Decoder(msgspec.Raw)
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*+"[^"\\]{0,200}"')
_REFUSED = (msgspec.DecodeError, RecursionError)
_HALVES = rb"\ud", rb"\uD"
"""How escapes of half a character begin. Alone they are legal JSON that no decoder in C takes."""

_NO_HALF = rb"\u0"
_MOST_SKIPPED = 16
_LOOK_BACK, _LOOK_AHEAD = 16, 300
"""Bytes on both sides of a border from which it is learned."""


@dataclass(slots=True, kw_only=True)
class Cut:
    """Consecutive records as they stand in the stream.

    Attributes:
        raws: One JSON value each.
        start: Offset of the first one's first byte.
        end: Offset behind the last one's last byte.
        text: What was decoded: ``lead`` bytes, then the records. Empty when ``places`` are known.
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
        starts = accumulate(lengths[:-1], initial=self.start)
        between = self.end - self.start - sum(lengths)
        if not between:
            return list(starts)
        if between == len(gap) * (len(raws) - 1) and (gap == b"," or self._glued(gap)):
            return list(map(add, starts, range(0, between + 1, len(gap))))
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


class Places(Sequence[int]):
    """Offsets of a cut's records from the one at ``skip`` on; worked out when they are first asked for."""

    __slots__ = ("_cut", "_known", "_skip")

    def __init__(self, cut: Cut, skip: int = 0) -> None:
        self._cut, self._skip = cut, skip
        self._known: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self._cut.raws) - self._skip

    def __iter__(self) -> Iterator[int]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._all()[index]

    def _all(self) -> Sequence[int]:
        self._known = self._known or self._cut.offsets()[self._skip :]
        return self._known


class Grouper:
    """Remembers what stands between records, and how often that guess was wrong.

    Args:
        size: Bytes of a group. Bigger ones leave the processor's cache and are slower.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._borders: tuple[tuple[bytes, int], ...] = ()
        self._gap = b""
        self._skip = 0
        self._penalty = 1

    def learn(self, data: bytes, end: int, start: int) -> None:
        """Note the border between the record that ends at index ``end`` and the one that begins at ``start``.

        First its most telling form, with all the brackets that close there and the first key behind them, so
        that lists inside of records are seldom taken for lists of records.
        """
        before, gap = data[max(0, end - _LOOK_BACK) : end], data[end:start]
        head = before[-1:] if before[-1] in b'}]"' else b""
        tail = data[start : start + 1] if data[start] in b'{["' else b""
        heads = (before[len(before.rstrip(b"}]")) :] or head, head, head)
        key = _FIRST_KEY.match(data, start, start + _LOOK_AHEAD)
        tails = (key[0], key[0], tail) if key else (tail,) * 3
        pairs = [(one + gap + other, len(one)) for one, other in zip(heads, tails, strict=True)]
        self._borders = tuple(dict.fromkeys(pair for pair in pairs if pair[0]))
        self._gap = gap

    @property
    def patience(self) -> int:
        """Bytes to go value by value before the next try: until something is learned, a record or two."""
        return self.size if self._borders else 1

    def ready(self) -> bool:
        """Whether a fast try is worth its cost just now: after each failure the next ones are rarer."""
        if self._skip:
            self._skip -= 1
            return False
        return True

    def elements(self, data: bytes, at: int, base: int) -> tuple[Cut, int] | None:
        """Whole array elements from the record start ``at`` on, and the index behind the last one."""
        end = at
        for end in self._ends(data, at):
            text = b"".join((b"[", memoryview(data)[at:end], b"]"))
            try:
                raws = _ARRAY.decode(text)
            except _REFUSED as refusal:
                closed = behind(refusal)
                if closed:
                    return self._closed(text[:closed], base + at, at)
                mended = self._mended(_ARRAY.decode, text, base + at, base + end, lead=1)
                if mended:
                    return mended, end
            else:
                self._penalty = 1
                cut = Cut(raws=raws, start=base + at, end=base + end, text=text, lead=1, gap=self._gap)
                return cut, end
        self._refuse(end > at)
        return None

    def whole(self, data: bytes, at: int, base: int) -> tuple[Cut, int] | None:
        """All elements of the array that opens at ``at``, if it holds any and ends within a group, and the
        index of its closing bracket."""
        view = memoryview(data)[at : at + self.size]
        closed: int | None = len(view)
        try:
            _ARRAY.decode(view)
        except _REFUSED as refusal:
            closed = behind(refusal)
        return self._closed(bytes(view[:closed]), base + at + 1, at + 1) if closed else None

    def _closed(self, text: bytes, start: int, at: int) -> tuple[Cut, int] | None:
        """Elements of a whole array, whose inside begins at offset ``start`` and index ``at``."""
        text = text.rstrip(WHITE)
        raws = _ARRAY.decode(text)
        if not raws:
            return None
        self._penalty = 1
        inside = text[1:-1].rstrip(WHITE)
        lead = len(inside) - len(inside.lstrip(WHITE))
        cut = Cut(
            raws=raws, start=start + lead, end=start + len(inside), text=text, lead=1 + lead, gap=self._gap
        )
        return cut, at + len(text) - 2

    def lines(self, data: bytes, at: int, base: int, final: bool) -> tuple[Cut, int] | None:
        """Whole top-level values from ``at`` on that hold no items themselves, and the index behind them."""
        end = at
        rest = final and len(data) <= at + self.size
        for end in (len(data),) if rest else self._ends(data, at, b"\n"):
            text = data[at:end].rstrip(WHITE)
            start, stop = base + at, base + at + len(text)
            try:
                raws = _LINES.decode_lines(text)
            except _REFUSED:
                found = self._mended(_LINES.decode_lines, text, start, stop)
                if not found:
                    continue
            else:
                gap = self._gap or (b"\r\n" if data[end - 1] == 0x0D else b"\n")
                found = Cut(raws=raws, start=start, end=stop, text=text, gap=gap)
            self._penalty = 1
            cut = _before_pages(found)
            return (cut, cut.end - base) if cut else None
        self._refuse(end > at)
        return None

    def _mended(
        self, decode: Callable[[bytes], list[msgspec.Raw]], text: bytes, start: int, end: int, lead: int = 0
    ) -> Cut | None:
        """The records of a text that was refused, if half characters were its only fault: the decoder sees
        other escapes of the same length in their place, and records are cut out of the text as it is."""
        shown = text
        for half in _HALVES:
            shown = shown.replace(half, _NO_HALF)
        if shown == text:
            return None
        try:
            raws = decode(shown)
        except _REFUSED:
            return None
        self._penalty = 1
        places = Cut(raws=raws, start=start, end=end, text=shown, lead=lead, gap=self._gap).offsets()
        first = start - lead
        own = [text[at - first : at - first + len(raw)] for at, raw in zip(places, raws, strict=True)]
        return Cut(raws=own, start=start, end=end, places=places)

    def _ends(self, data: bytes, at: int, last: bytes = b"") -> Iterator[int]:
        """Where a record probably ends: by the most telling border that gives more than half a group, then by
        the others; at last at any ``last``."""
        stop, half = at + self.size, at + self.size // 2
        tried, early = at, []
        for border, head in self._borders:
            place = data.rfind(border, at, stop)
            if place < 0:
                continue
            end = place + head
            while end > at and data[end - 1] in WHITE:
                end -= 1
            if end < half:
                early.append(end)
            elif end != tried:
                tried = end
                yield end
        if last:
            early.insert(0, data.rfind(last, at, stop))
        yield from (end for end in dict.fromkeys(early) if end > at and end != tried)

    def _refuse(self, tried: bool) -> None:
        if tried:
            self._skip = self._penalty
            self._penalty = min(self._penalty * 2, _MOST_SKIPPED)


def _before_pages(cut: Cut) -> Cut | None:
    """What stands before the first value that holds items itself."""
    if not any(map(PAGE_START.match, cut.raws)):
        return cut if cut.raws else None
    count = next((at for at, raw in enumerate(cut.raws) if is_page(bytes(raw))), len(cut.raws))
    if not count:
        return None
    last = cut.offsets()[count - 1]
    return replace(cut, raws=cut.raws[:count], end=last + len(cut.raws[count - 1]))
