"""Survey: one streaming pass over a file's content -> all that planning needs to cut it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ingest_project.core.model import Fault, Mark
from ingest_project.formats.cutting import GROUP, RECORD_LIMIT, Ambiguous, Cutter
from ingest_project.formats.window import Window

GAP = 1 << 20
"""Bytes between marks, to begin with."""
MOST_MARKS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one pass learned; the fields are FileIndex's."""

    shape: str
    length: int
    records: int
    marks: tuple[Mark, ...]
    end: int
    metadata: Mapping[str, str]
    fault: Fault | None


class Marks:
    """Record starts, about ``gap`` bytes apart; a longer file gets wider gaps, never more than ``most``."""

    def __init__(self, gap: int = GAP, most: int = MOST_MARKS) -> None:
        self.kept: list[Mark] = []
        self._gap = gap
        self._most = most
        self._next = 0

    def offer(self, offset: int, records: int) -> None:
        if offset < self._next:
            return
        if len(self.kept) == self._most:
            self._gap *= 2
            del self.kept[1::2]
        self.kept.append(Mark(offset=offset, records=records))
        self._next = offset + self._gap


def survey(
    content: Callable[[], Iterable[bytes]],
    *,
    group: int = GROUP,
    limit: int = RECORD_LIMIT,
    gap: int = GAP,
    most_marks: int = MOST_MARKS,
) -> Survey:
    """Read the content once; twice when what looked like a wrapper is the first of several documents.

    Args:
        content: Opens the decompressed stream from its start; may raise Damaged while it is read.
        limit: Bytes of the largest record; a larger one is a fault.
    """
    try:
        return _pass(content(), True, group, limit, Marks(gap, most_marks))
    except Ambiguous:
        return _pass(content(), False, group, limit, Marks(gap, most_marks))


def _pass(blocks: Iterable[bytes], alone: bool, group: int, limit: int, marks: Marks) -> Survey:
    window = Window(blocks)
    cutter = Cutter(window, alone=alone, group=group, limit=limit)
    records = end = 0
    for cut in cutter.cuts():
        marks.offer(cut.start, records)
        records += len(cut.raws)
        end = cut.end
    shape = cutter.first or "lines"
    if not cutter.alone and shape != "export":
        shape = "lines"
    return Survey(
        shape=shape,
        length=cutter.fault.offset if cutter.fault else window.end,
        records=records,
        marks=tuple(marks.kept),
        end=end,
        metadata=cutter.metadata,
        fault=cutter.fault,
    )


def reads_alone(shape: str) -> bool:
    """Whether a file of this shape holds a single document."""
    return shape in ("array", "object") or shape.startswith("wrapper:")
