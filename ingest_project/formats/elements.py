"""Elements: the items of one array, from the first one's first byte to the closing bracket.

In groups where the hot path can prove itself right (groups.py), value by value elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from ingest_project.formats.cursor import CLOSE_ARRAY, CLOSE_OBJECT, COMMA, END, OBJECT, Cursor
from ingest_project.formats.grammar import VALUE, Broken
from ingest_project.formats.groups import Cut, Grouper
from ingest_project.formats.window import Window

SEPARATOR = "',' or ']'"
_T = TypeVar("_T")


class Elements(Cursor):
    """Cursor that cuts array elements.

    Args:
        whole: The window holds the file to its end; False for a range that ends at a record border.
        group: Bytes of a group on the hot path.
    """

    def __init__(self, window: Window, *, whole: bool, group: int, limit: int) -> None:
        super().__init__(window, limit=limit)
        self.whole = whole
        self.grouper = Grouper(group)

    def elements(self) -> Iterator[Cut]:
        """From the start of an element on to behind the array's bracket."""
        while True:
            cut = self._fast_elements()
            if cut:
                yield cut
            elif (yield from self.slow(self._collect_elements)):
                return

    def _fast_elements(self) -> Cut | None:
        if not self.grouper.ready():
            return None
        self.fill(self.grouper.size)
        found = self.grouper.elements(self.window.data, self.at, self.window.base)
        if found:
            self.at = found[1]
        return found[0] if found else None

    def _collect_elements(self, raws: list[bytes], places: list[int]) -> bool:
        """Elements one by one, about a group of them. True when the array is closed."""
        stop = self.offset + self.grouper.size
        while True:
            place = self.offset
            raws.append(self.value(sure=not self.whole))
            places.append(place)
            end = self.offset
            byte = self.peek()
            if byte == CLOSE_ARRAY:
                self.at += 1
                return True
            if byte != COMMA:
                raise Broken(self.at, SEPARATOR, cut=byte == END)
            self.at += 1
            byte = self.peek()
            if byte in (END, CLOSE_ARRAY):
                raise Broken(self.at, VALUE, cut=byte == END)
            if self.offset >= stop:
                self._learn(end)
                return False

    def _learn(self, end: int) -> None:
        """Take the border between the record that ends at offset ``end`` and the one here as the pattern."""
        data, before = self.window.data, end - self.window.base
        if before > 0 and data[before - 1] == CLOSE_OBJECT and data[self.at] == OBJECT:
            self.grouper.learn(data[before : self.at], data[self.at : self.at + 300])

    def slow(self, collect: Callable[[list[bytes], list[int]], _T]) -> Generator[Cut, None, _T]:
        """Yield what ``collect`` found, also when it then met a fault."""
        raws: list[bytes] = []
        places: list[int] = []
        broken: Broken | None = None
        try:
            found = collect(raws, places)
        except Broken as error:
            broken = error
        if raws:
            yield Cut(raws=raws, start=places[0], end=places[-1] + len(raws[-1]), places=places)
        if broken:
            raise broken
        return found
