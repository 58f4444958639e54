"""RowCutter: a stream of bytes -> cuts of whole rows, as Python's csv module would see them. Knows no header.

Where quotes are regular, whole blocks are cut at their line ends; elsewhere it goes row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from ingest_project.core.model import Fault
from ingest_project.formats.csv_fields import borders
from ingest_project.formats.cutting import Entry
from ingest_project.formats.groups import Cut
from ingest_project.formats.window import Window

ROW_GROUP = 64 << 10
ROW_LIMIT = 4 << 20

_LINE_END = re.compile(rb"\r\n|\r|\n")
_QUOTE = 0x22
_FEW, _LONGEST_RUN = 8, 256
"""A block of fewer rows is no gain; after it, so many are taken the exact way, at most, before the next."""


class RowCutter:
    """Cuts one stream, once. Blank lines are no rows.

    A quote that is not closed within ``limit`` bytes, or up to the end, spoils one row and not the rest of
    the file: that row ends at its first line end. Range by range this gives the same rows as in one pass.

    Args:
        window: The bytes, from the start of a row on.
        whole: The window holds the file to its end; False for a range that ends at a row's end.
        group: Bytes of a cut, about.
        limit: Bytes of the largest row; a larger one that no quote explains is a fault.

    Attributes:
        fault: Where the stream is broken; known once ``cuts`` is exhausted.
    """

    def __init__(
        self,
        window: Window,
        delimiter: str,
        *,
        whole: bool = True,
        group: int = ROW_GROUP,
        limit: int = ROW_LIMIT,
    ) -> None:
        self.window = window
        self.at = 0
        self.fault: Fault | None = None
        self._borders = borders(delimiter)
        self._whole, self._group, self._limit = whole, group, limit
        self._open: int | None = None
        self._run = 1

    @property
    def offset(self) -> int:
        """Place in the stream."""
        return self.window.base + self.at

    def cuts(self, entry: Entry = Entry.RECORD) -> Iterator[Cut]:
        """Every row in order. Never raises for bad content: see ``fault``.

        Args:
            entry: As for other formats; here a row begins at the first byte in any case.
        """
        while True:
            raws: list[bytes] = []
            places: list[int] = []
            stop, more = self.offset + self._group, True
            while more and self.offset < stop:
                more = self._lines(raws, places) or self._exactly(raws, places)
            if raws:
                yield Cut(raws=raws, start=places[0], end=self.offset, places=places)
            if not more:
                self._settle()
                return

    def first(self) -> bytes | None:
        """Pass one row, and blank lines before it; None when there is none."""
        raws: list[bytes] = []
        places: list[int] = []
        while not raws:
            if not self._row(raws, places):
                return None
        return raws[0]

    def _settle(self) -> None:
        window = self.window
        if window.damage:
            self.fault = Fault(offset=window.end, expected=window.damage)
        elif self._open is not None and self.fault is None:
            quote = f"the closing quote of the field that begins at byte {self._open}"
            self.fault = Fault(offset=window.end, expected=quote)

    @property
    def _ended(self) -> bool:
        """Nothing follows what is at hand, and its last row is complete."""
        return self.window.final and not self.window.damage

    def _move(self) -> None:
        self.window.move(self.at)
        self.at = 0

    def _lines(self, raws: list[bytes], places: list[int]) -> bool:
        """Take the rows at hand up to the first irregular quote. False when that is none."""
        while len(self.window.data) - self.at < self._group and not self.window.final:
            self._move()
        data, at = self.window.data, self.at
        end = len(data) if self._ended else self._last_end(len(data) - 1, len(data))
        if at < end and data.find(b'"', at, end) >= 0:
            found = self._borders.regular.match(data, at, end)
            regular = found.end() if found else at
            end = end if regular == end else self._last_end(regular, regular)
        if end <= at or end - at > self._limit:
            return False
        lines = data[at:end].splitlines(keepends=True)
        if len(lines) >= _FEW:
            self._run = 1
        starts = accumulate(map(len, lines), initial=self.offset)
        found_rows = data[at:end].splitlines()
        self.at = end
        if b"" in found_rows:
            kept = [(row, start) for row, start in zip(found_rows, starts, strict=False) if row]
            raws += [row for row, _ in kept]
            places += [start for _, start in kept]
        else:
            raws += found_rows
            places += list(starts)[:-1]
        return True

    def _last_end(self, returns: int, feeds: int) -> int:
        """Behind the last line end at hand; a carriage return at the border may have its line feed behind
        it."""
        data, at = self.window.data, self.at
        return 1 + max(data.rfind(b"\n", at, feeds), data.rfind(b"\r", at, returns))

    def _exactly(self, raws: list[bytes], places: list[int]) -> bool:
        """Take one row the exact way, and more of them where blocks gave little. False at the end."""
        if not self._row(raws, places):
            return False
        data, at, base, limit = self.window.data, self.at, self.window.base, self._limit
        match, run = self._borders.row.match, 1
        while run < self._run and (found := match(data, at)) and found.end() < len(data):
            if found.end() - at > limit:
                break
            if raw := found[1]:
                raws.append(raw)
                places.append(base + at)
            at = found.end()
            run += 1
        self.at = at
        self._run = min(2 * self._run, _LONGEST_RUN)
        return True

    def _row(self, raws: list[bytes], places: list[int]) -> bool:
        """Take one row the exact way, or pass a blank line. False at the end."""
        while True:
            data, at = self.window.data, self.at
            if at == len(data) and self.window.final:
                return False
            found = self._borders.row.match(data, at) if at < len(data) else None
            certain = self._ended or (found and found.end() < len(data)) or data.endswith(b"\n")
            if found and certain and found.end() - at <= self._limit:
                self._take(found[1], found.end(), raws, places)
                return True
            if len(data) - at > self._limit + 1 or self._ended:
                return self._cut_short(raws, places)
            if self.window.final:
                return False
            self._move()

    def _take(self, raw: bytes, end: int, raws: list[bytes], places: list[int]) -> None:
        if raw:
            raws.append(raw)
            places.append(self.offset)
        self.at = end

    def _cut_short(self, raws: list[bytes], places: list[int]) -> bool:
        """Take a row without a proper end as far as its first line end behind the quote that hides it."""
        data, at = self.window.data, self.at
        most = at + self._limit
        complete = self._borders.fields.match(data, at, most)
        quote = complete.end() if complete else at
        quoted = quote < min(most, len(data)) and data[quote] == _QUOTE
        found = _LINE_END.search(data, quote) if quoted else None
        if found is None or found.start() >= most:
            place = quote if quoted else at
            expected = "a closing quote" if quoted else f"a row of at most {self._limit} bytes"
            self.fault = Fault(offset=self.window.base + place, expected=expected)
            return False
        if self._whole and len(data) <= most and self._open is None:
            self._open = self.window.base + quote
        self._take(data[at : found.start()], found.end(), raws, places)
        return True
