"""Cursor: a place in a moving window, and the small steps of a JSON reader from there. Knows no shapes."""

from __future__ import annotations

from ingest_project.formats.grammar import CLOSED, MORE, Broken, skip_white, string_end, value_end
from ingest_project.formats.window import Window

END = -1
"""Stands for the byte behind the last one."""

OBJECT, ARRAY, CLOSE_OBJECT, CLOSE_ARRAY, COMMA, COLON = 0x7B, 0x5B, 0x7D, 0x5D, 0x2C, 0x3A


class Cursor:
    """Index ``at`` into the window's data; every step moves the window where it has to.

    Args:
        limit: Bytes of the largest value that is collected.

    Attributes:
        inside: A value was begun and not completed.
    """

    def __init__(self, window: Window, *, limit: int) -> None:
        self.window = window
        self.at = 0
        self.inside = False
        self._limit = limit

    @property
    def offset(self) -> int:
        """Place in the stream."""
        return self.window.base + self.at

    def move(self) -> None:
        """Take in more bytes behind the ones from here on."""
        self.window.move(self.at)
        self.at = 0

    def fill(self, size: int) -> None:
        """Have ``size`` bytes at hand, or all that are left."""
        while len(self.window.data) - self.at < size and not self.window.final:
            self.move()

    def peek(self) -> int:
        """Go to the next byte that is not white space, and tell it."""
        while True:
            data, at = self.window.data, self.at
            if at < len(data) and data[at] > 0x20:
                return data[at]
            self.at = skip_white(data, at)
            if self.at < len(data):
                return data[self.at]
            if self.window.final:
                return END
            self.move()

    def expect(self, byte: int, expected: str) -> None:
        """Pass one byte that must stand here, white space before it."""
        found = self.peek()
        if found != byte:
            raise Broken(self.at, expected, cut=found == END)
        self.at += 1

    def value(self, *, sure: bool) -> bytes:
        """Pass the value that starts here and return it.

        Args:
            sure: A number that touches the end of the stream is whole.
        """
        self.inside = True
        while (end := value_end(self.window.data, self.at, self.window.final)) == MORE:
            if len(self.window.data) - self.at > self._limit:
                raise self._too_large()
            self.move()
        if end - self.at > self._limit:
            raise self._too_large()
        data = self.window.data
        if not sure and end == len(data) and self.window.final and data[end - 1] not in CLOSED:
            raise Broken(end, "the rest of a number", cut=True)
        value = data[self.at : end]
        self.at = end
        self.inside = False
        return value

    def _too_large(self) -> Broken:
        return Broken(self.at, f"a record of at most {self._limit} bytes")

    def key(self) -> bytes:
        """Pass a key, its colon and the white space around them; return the key between its quotes."""
        found = self.peek()
        if found != 0x22:
            raise Broken(self.at, "a key", cut=found == END)
        while (end := string_end(self.window.data, self.at, self.window.final)) == MORE:
            self.move()
        key = self.window.data[self.at + 1 : end - 1]
        self.at = end
        self.expect(COLON, "':'")
        self.peek()
        return key
