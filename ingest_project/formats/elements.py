"""Elements: the items of one array, from the first one's first byte to the closing bracket.

In groups where the hot path can prove itself right (groups.py), value by value elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from ingest_project.formats.cursor import CLOSE_ARRAY, COMMA, END, Cursor
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
        self.grouper = Grouper(min(group, limit))

    def elements(self) -> Iterator[Cut]:
        """From the start of an element on to behind the array's bracket."""
        while True:
            found = self._fast_elements()
            if found:
                cut, self.at = found
                yield cut
                if self._behind_element():
                    return
            elif (yield from self.slow(self._collect_elements)):
                return

    def _fast_elements(self) -> tuple[Cut, int] | None:
        if not self.grouper.ready():
            return None
        self.fill(self.grouper.size)
        return self.grouper.elements(self.window.data, self.at, self.window.base)

    def _collect_elements(self, raws: list[bytes], places: list[int]) -> bool:
        """Elements one by one, about a group of them. True when the array is closed."""
        stop = self.offset + self.grouper.patience
        while True:
            place = self.offset
            raws.append(self.value(sure=not self.whole))
            places.append(place)
            end = self.offset
            if self._behind_element():
                return True
            if self.offset >= stop:
                self.learn(self.grouper, end)
                return False

    def _behind_element(self) -> bool:
        """Pass the comma before the next element, or the array's bracket. True when the array is closed."""
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
        return False

    def learn(self, grouper: Grouper, end: int) -> None:
        """Take the border between the record that ends at offset ``end`` and the one here as the pattern."""
        before = end - self.window.base
        if before > 0:
            grouper.learn(self.window.data, before, self.at)

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
