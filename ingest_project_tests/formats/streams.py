"""Helpers of the reading tests: blocks of any size, and an oracle that reads whole texts with json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from ingest_project.formats.cutting import Cutter, Entry
from ingest_project.formats.shapes import RESPONSE_KEYS, WRAPPER_KEYS
from ingest_project.formats.survey import Survey, reads_alone, survey
from ingest_project.formats.window import Window

Record = tuple[int, bytes]
"""Offset and bytes."""


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def surveyed(
    data: bytes, *, block: int = 1 << 20, group: int = 1 << 15, gap: int = 1, most: int = 4096
) -> Survey:
    return survey(lambda: blocks_of(data, block), group=group, gap=gap, most_marks=most)


def records_of(
    data: bytes,
    found: Survey,
    *,
    start: int = 0,
    end: int | None = None,
    entry: Entry | None = None,
    block: int = 1 << 20,
    group: int = 1 << 15,
) -> list[Record]:
    """Records of a range, read as a DumpSource would read it; a fault in it fails the test."""
    end = found.end if end is None else end
    window = Window(blocks_of(data[start:end], block), start)
    cutter = Cutter(window, alone=reads_alone(found.shape), whole=False, group=group)
    records: list[Record] = []
    for cut in cutter.cuts(entry or (Entry.RECORD if start else Entry.START)):
        assert len(cut.raws) == len(cut.offsets())
        assert (cut.offsets()[0], cut.offsets()[-1] + len(cut.raws[-1])) == (cut.start, cut.end)
        records += zip(cut.offsets(), map(bytes, cut.raws), strict=True)
    assert cutter.fault is None
    return records


class Stop(Exception):
    """The oracle met what is not JSON."""


@dataclass
class Oracle:
    """Reads a whole text the plain way: Python's json for each value, the rules of shapes around it.

    Bytes are taken as Latin-1, so that places in the text are byte offsets.
    """

    text: str
    alone: bool = True
    records: list[tuple[int, int]] = field(default_factory=list)
    broken: bool = False

    @classmethod
    def read(cls, data: bytes) -> tuple[list[Record], bool]:
        """Records before the first fault, and whether there is one."""
        text = data.decode("latin-1")
        oracle = cls(text)
        try:
            if not oracle.documents(alone=True):
                oracle = cls(text)
                oracle.documents(alone=False)
        except Stop:
            oracle.broken = True
        return [(start, data[start:end]) for start, end in oracle.records], oracle.broken

    def documents(self, *, alone: bool) -> bool:
        """Read on to the end; False when the file holds more than the one wrapper it seemed to be."""
        at = self.white(3 if self.text.startswith("\xef\xbb\xbf") else 0)
        if at == len(self.text):
            raise Stop
        while at < len(self.text):
            header = self.header(at, alone)
            if header is None:
                end = self.value(at, inside=False)
                self.records.append((at, end))
                at = self.white(end)
                alone = False
                continue
            at, others = self.container(*header, wrapped=self.text[at] == "{", alone=alone)
            if at < len(self.text):
                if self.text[at] not in "[{":
                    raise Stop
                if others and alone:
                    return False
                alone = False
        return True

    def header(self, at: int, alone: bool) -> tuple[int, bool] | None:
        """Place of the items' bracket and whether other keys stand before it; None for a record."""
        if self.text[at] == "[":
            return at, False
        if self.text[at] != "{":
            return None
        found, others = None, False
        try:
            at += 1
            while True:
                key, at = self.key(self.white(at))
                at = self.white(at)
                if key in WRAPPERS and self.items(at):
                    if alone:
                        return at, others
                    found = found or at
                elif key not in RESPONSES:
                    if not alone:
                        return None
                    others = True
                at = self.white(self.value(at))
                if self.text[at : at + 1] != ",":
                    break
                at += 1
        except Stop:
            pass
        return (found, False) if found else None

    def container(self, at: int, others: bool, *, wrapped: bool, alone: bool) -> tuple[int, bool]:
        at = self.array(at)
        while wrapped:
            at = self.white(at)
            mark = self.text[at : at + 1]
            at += 1
            if mark == "}":
                break
            if mark != ",":
                raise Stop
            key, at = self.key(self.white(at))
            at = self.white(at)
            if key in WRAPPERS and self.items(at):
                at = self.array(at)
            else:
                others = others or key not in RESPONSES
                at = self.value(at)
        return self.white(at), others

    def array(self, at: int) -> int:
        at = self.white(at + 1)
        if self.text[at : at + 1] == "]":
            return at + 1
        while True:
            end = self.value(at)
            self.records.append((at, end))
            at = self.white(end)
            mark = self.text[at : at + 1]
            at = self.white(at + 1)
            if mark == "]":
                return end + self.text[end:].index("]") + 1
            if mark != ",":
                raise Stop

    def items(self, at: int) -> bool:
        inner = self.white(at + 1)
        return self.text[at : at + 1] == "[" and self.text[inner : inner + 1] in ("{", "]", "")

    def key(self, at: int) -> tuple[str, int]:
        if self.text[at : at + 1] != '"':
            raise Stop
        end = self.value(at)
        colon = self.white(end)
        if self.text[colon : colon + 1] != ":":
            raise Stop
        return self.text[at + 1 : end - 1], colon + 1

    def value(self, at: int, *, inside: bool = True) -> int:
        """End of a value. A number must not run into what cannot follow one, or into the end of an array."""
        try:
            value, end = DECODER.raw_decode(self.text, at)
        except (json.JSONDecodeError, StopIteration):
            raise Stop from None
        number = isinstance(value, Number)
        if number and (
            self.text[end : end + 1] in tuple(".eE0123456789") or (inside and end == len(self.text))
        ):
            raise Stop
        return end

    def white(self, at: int) -> int:
        while at < len(self.text) and self.text[at] in " \t\r\n":
            at += 1
        return at


class Number(str):
    """A number's text."""


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number)
WRAPPERS = {key.decode() for key in WRAPPER_KEYS}
RESPONSES = {key.decode() for key in RESPONSE_KEYS}
