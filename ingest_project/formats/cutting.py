"""Cutter: a stream of bytes -> cuts of whole records, in order, up to the stream's end or its fault.

A state machine over documents, arrays of items and what stands around them. Each state returns the state that
follows; those that meet records are generators and yield cuts.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from enum import Enum

from ingest_project.core.model import Fault
from ingest_project.formats.cursor import ARRAY, CLOSE_ARRAY, CLOSE_OBJECT, COMMA, END, OBJECT
from ingest_project.formats.elements import SEPARATOR, Elements
from ingest_project.formats.grammar import VALUE, Broken
from ingest_project.formats.groups import Cut, Grouper
from ingest_project.formats.shapes import (
    LOOK,
    PAGE_START,
    RESPONSE_KEYS,
    WRAPPER_KEYS,
    Header,
    find_items,
    holds_items,
    is_export,
    remember,
)
from ingest_project.formats.window import Window

GROUP = 32 << 10
RECORD_LIMIT = 512 << 20
PAGE_LIMIT = 8 << 20
"""In a file of several documents, a larger one is a page by the keys before its array alone."""

_BOM = b"\xef\xbb\xbf"

State = Callable[[], "Steps | State"] | None
Steps = Generator[Cut, None, State]


class Entry(Enum):
    """What stands at the first byte of the window."""

    START = "the file's first byte"
    RECORD = "a record"
    AFTER = "what follows a record"


class Frame(Enum):
    """What the array of items stands in. In the middle of a file, what follows the array tells."""

    FILE = "nothing"
    WRAPPER = "an object"
    UNKNOWN = "not yet seen"


class Ambiguous(Exception):
    """What looked like the wrapper of a whole file is the first of several documents: an item."""


class Cutter(Elements):
    """Cuts one stream, once.

    Args:
        window: The bytes.
        alone: The first document is the only one: its wrapper may hold any other keys.
        whole: The window holds the file to its end; False for a range that ends at a record border.
        group: Bytes of a group on the hot path.
        limit: Bytes of the largest record; a larger one is a fault.

    Attributes:
        fault: Where the stream is broken; known once ``cuts`` is exhausted.
        metadata: Top-level keys beside the items, values as JSON text.
        first: What the first document is: ``array``, ``wrapper:<key>``, ``object``, ``export`` or ``lines``.
        alone: Still true at the end: there was no second document.
    """

    def __init__(
        self,
        window: Window,
        *,
        alone: bool,
        whole: bool = True,
        group: int = GROUP,
        limit: int = RECORD_LIMIT,
    ) -> None:
        super().__init__(window, whole=whole, group=group, limit=limit)
        self.alone = alone
        self.first = ""
        self.fault: Fault | None = None
        self.metadata: dict[str, str] = {}
        self._frame = Frame.FILE
        self._others = False
        self._documents = Grouper(self.grouper.size)

    def cuts(self, entry: Entry = Entry.START) -> Iterator[Cut]:
        """Every record in order. Never raises for bad content: see ``fault``.

        Raises:
            Ambiguous: ``alone`` was wrong; cut the file again without it.
        """
        state: State = self._start
        if entry is not Entry.START:
            state = self._record if entry is Entry.RECORD else self._after
        try:
            while state:
                outcome = state()
                state = (yield from outcome) if isinstance(outcome, Generator) else outcome
        except Broken as broken:
            self._settle(broken)
        else:
            if self.window.damage:
                self.fault = Fault(offset=self.window.end, expected=self.window.damage)

    def _settle(self, broken: Broken) -> None:
        if broken.cut and not self.whole and not self.inside:
            return
        expected = self.window.damage if broken.cut and self.window.damage else broken.expected
        self.fault = Fault(offset=self.window.base + broken.offset, expected=expected)

    def _start(self) -> State:
        self.fill(len(_BOM))
        if self.window.data.startswith(_BOM):
            self.at = len(_BOM)
        if self.peek() == END:
            raise Broken(self.at, VALUE, cut=True)
        return self._top

    def _record(self) -> Steps:
        while (byte := self.peek()) == COMMA:
            self.at += 1
        if byte not in (END, CLOSE_ARRAY, CLOSE_OBJECT):
            place = self.offset
            yield _single_cut(self.value(sure=True), place)
        return self._after

    def _after(self) -> State:
        byte = self.peek()
        self._frame = Frame.UNKNOWN
        if byte == END:
            return None
        if byte == COMMA:
            self.at += 1
            return None if self.peek() == END else self._elements
        if byte == CLOSE_ARRAY:
            self.at += 1
            return self._close
        if self.alone:
            raise Broken(self.at, SEPARATOR)
        return self._top

    # -- top-level values

    def _top(self) -> State:
        byte = self.peek()
        if byte == END:
            return None
        header = self._header(byte)
        if header:
            return self._enter(header)
        if self.alone:
            return self._lone_record
        self.first = self.first or "lines"
        return self._values

    def _lone_record(self) -> Steps:
        """The first document is itself a record; if another one follows, they are lines."""
        byte, place = self.peek(), self.offset
        value = self.value(sure=not self.window.damage)
        self.first = "export" if is_export(value) else "object" if byte == OBJECT else "lines"
        yield _single_cut(value, place)
        self.alone = self.peek() == END
        return self._top

    def _values(self) -> Steps:
        while self.peek() != END:
            cut = self._fast_lines()
            if cut:
                yield cut
            else:
                header = yield from self.slow(self._collect_values)
                if header:
                    return self._enter(header)
        return None

    def _fast_lines(self) -> Cut | None:
        if not self._documents.ready():
            return None
        self.fill(self._documents.size)
        window = self.window
        found = self._documents.lines(window.data, self.at, window.base, window.final and not window.damage)
        if found:
            self.at = found[1]
        return found[0] if found else None

    def _collect_values(self, raws: list[bytes], places: list[int]) -> Header | None:
        end = self.offset
        stop = end + self._documents.patience
        while self.offset < stop:
            byte = self.peek()
            if byte == END:
                return None
            header = self._header(byte)
            if header:
                return header
            place = self.offset
            raws.append(self.value(sure=not self.window.damage))
            places.append(place)
            end = self.offset
        if self.peek() != END:
            self.learn(self._documents, end)
        return None

    def _header(self, byte: int) -> Header | None:
        """Whether the document here holds items, and where."""
        if byte == ARRAY:
            return Header(key="", array=self.at, metadata=())
        if byte != OBJECT or not (self.alone or self._starts_like_page()):
            return None
        limit = self._limit if self.alone else PAGE_LIMIT
        while True:
            window = self.window
            known, header = find_items(window.data, self.at, window.final, limit, alone=self.alone)
            if known or len(window.data) - self.at > limit:
                return header
            self.move()

    def _starts_like_page(self) -> bool:
        self.fill(LOOK)
        return PAGE_START.match(self.window.data, self.at) is not None

    def _enter(self, header: Header) -> State:
        for key, value in header.metadata:
            self._remember(key.encode(), value)
        self.first = self.first or (f"wrapper:{header.key}" if header.key else "array")
        self._frame = Frame.WRAPPER if header.key else Frame.FILE
        self.at = header.array
        return self._open

    # -- arrays of items

    def _open(self) -> Steps:
        self.fill(self.grouper.size)
        found = self.grouper.whole(self.window.data, self.at, self.window.base)
        if found:
            cut, self.at = found
            yield cut
        self.at += 1
        if found:
            return self._close
        byte = self.peek()
        if byte == END:
            raise Broken(self.at, "a JSON value or ']'", cut=True)
        if byte != CLOSE_ARRAY:
            return self._elements
        self.at += 1
        return self._close

    def _elements(self) -> Steps:
        yield from self.elements()
        return self._close

    # -- what stands behind an array of items

    def _close(self) -> State:
        if self._frame is Frame.UNKNOWN and self.peek() in (COMMA, CLOSE_OBJECT):
            self._frame = Frame.WRAPPER
        return self._tail if self._frame is Frame.WRAPPER else self._next

    def _tail(self) -> State:
        while self.peek() == COMMA:
            self.at += 1
            self.peek()
            place = self.offset
            key = self.key()
            if key in WRAPPER_KEYS and self._holds_items():
                return self._open
            if not self.alone and key not in RESPONSE_KEYS:
                raise Broken(place - self.window.base, "a key of a response beside its items")
            self._remember(key, self.value(sure=False))
        self.expect(CLOSE_OBJECT, "',' or '}'")
        return self._next

    def _holds_items(self) -> bool:
        while self.at < len(self.window.data):
            holds = holds_items(self.window.data, self.at, self.window.final)
            if holds is not None:
                return holds
            self.move()
        return False

    def _next(self) -> State:
        """Behind a document that held items."""
        byte = self.peek()
        if byte == END:
            return None
        if byte not in (OBJECT, ARRAY):
            raise Broken(self.at, "the end of the file")
        if self._others and self.alone:
            raise Ambiguous
        self.alone = False
        return self._top

    def _remember(self, key: bytes, value: bytes) -> None:
        self._others = self._others or key not in RESPONSE_KEYS
        remember(self.metadata, key, value)


def _single_cut(value: bytes, place: int) -> Cut:
    return Cut(raws=[value], start=place, end=place + len(value), places=[place])
