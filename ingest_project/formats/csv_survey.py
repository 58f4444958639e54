"""Survey of CSV files: header, delimiter, encoding, row borders and count in one streaming pass."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from ingest_project.core.layouts import Layout
from ingest_project.core.model import Fault
from ingest_project.formats.csv_fields import OpenQuote, splitter
from ingest_project.formats.csv_layout import DELIMITERS, Fit, RowShape, UnknownHeader, best, fit
from ingest_project.formats.csv_rows import ROW_GROUP, ROW_LIMIT, RowCutter
from ingest_project.formats.survey import GAP, MOST_MARKS, Marks, Survey
from ingest_project.formats.window import Damaged, Window

HEADER_LIMIT = 64 << 10
"""Bytes of a header, at most."""

UTF_8, LATIN_1, WINDOWS = "utf-8", "latin-1", "cp1252"

_BOM = b"\xef\xbb\xbf"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_CONTROLS = bytes(range(0x80, 0xA0))


class Evidence:
    """Which encoding the rows have that went through ``look``.

    UTF-8 as long as more rows beyond ASCII are UTF-8 than are not; a row that is not is then a bad row.
    Otherwise Latin-1, or Windows-1252 where bytes occur that are control characters in Latin-1.
    """

    def __init__(self, certain: bool) -> None:
        self._certain = certain
        self._good = self._bad = 0
        self._controls = False

    def look(self, raws: Sequence[bytes]) -> None:
        text = b"\n".join(raws)
        if self._certain or text.isascii():
            return
        for raw in raws:
            if raw.isascii():
                continue
            if _is_utf_8(raw):
                self._good += 1
            else:
                self._bad += 1
                self._controls = self._controls or len(raw.translate(None, _CONTROLS)) < len(raw)

    @property
    def encoding(self) -> str:
        if self._certain or self._good > self._bad or not self._bad:
            return UTF_8
        return WINDOWS if self._controls else LATIN_1


def survey_rows(
    blocks: Iterable[bytes],
    layouts: Sequence[Layout],
    *,
    group: int = ROW_GROUP,
    limit: int = ROW_LIMIT,
    gap: int = GAP,
    most_marks: int = MOST_MARKS,
) -> Survey:
    """Read the content once. A header that no layout knows is a fault, and nothing behind it is read.

    Args:
        blocks: The decompressed stream from its start; may raise Damaged while it is read.
        limit: Bytes of the largest row.
    """
    stream = iter(blocks)
    head, damage = _head(stream)
    start = len(_BOM) if head.startswith(_BOM) else 0
    try:
        header = _header(head, start, layouts)
    except UnknownHeader as unknown:
        fault = Fault(offset=start, expected=str(unknown))
        return _unreadable(Fault(offset=len(head), expected=damage.expected) if damage else fault)
    window = Window(_resumed(head, damage, stream))
    window.move(0)
    cutter = RowCutter(window, header.delimiter, group=group, limit=limit)
    cutter.at = start
    cutter.first()
    marks, evidence = Marks(gap, most_marks), Evidence(certain=start > 0)
    records, end = 0, cutter.offset
    for cut in cutter.cuts():
        marks.offer(cut.start, records)
        evidence.look(cut.raws)
        records += len(cut.raws)
        end = cut.end
    shape = RowShape(
        delimiter=header.delimiter,
        encoding=evidence.encoding,
        layout=header.layout.name,
        columns=header.columns,
    )
    return Survey(
        shape=str(shape),
        length=cutter.fault.offset if cutter.fault else window.end,
        records=records,
        marks=tuple(marks.kept),
        end=end,
        metadata={"ignored_columns": json.dumps(header.ignored)} if header.ignored else {},
        fault=cutter.fault,
    )


def _head(stream: Iterator[bytes]) -> tuple[bytes, Damaged | None]:
    """The first bytes, at least a header's; and what broke the stream there."""
    blocks: list[bytes] = []
    try:
        while sum(map(len, blocks)) < HEADER_LIMIT and (block := next(stream, None)) is not None:
            blocks.append(block)
    except Damaged as damage:
        return b"".join(blocks), damage
    return b"".join(blocks), None


def _resumed(head: bytes, damage: Damaged | None, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    if damage:
        raise damage
    yield from rest


def _header(head: bytes, start: int, layouts: Sequence[Layout]) -> Fit:
    """The first row in the eyes of the delimiter and the layout that know it best. Raises UnknownHeader."""
    if head.startswith(_WIDE):
        raise UnknownHeader("UTF-8 or Latin-1 text, not UTF-16")
    candidates = [
        fit(header, delimiter, layout)
        for delimiter in DELIMITERS
        if (header := _first_row(head, start, delimiter)) is not None
        for layout in layouts
    ]
    if not candidates:
        raise UnknownHeader("a header; the file is empty")
    return best(candidates)


def _first_row(head: bytes, start: int, delimiter: str) -> list[str] | None:
    cutter = RowCutter(Window((head[start:],)), delimiter, limit=HEADER_LIMIT)
    raw = cutter.first()
    if raw is None:
        return None
    try:
        return splitter(delimiter)(raw.decode(UTF_8 if _is_utf_8(raw) else LATIN_1))
    except OpenQuote:
        return None


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unreadable(fault: Fault) -> Survey:
    shape = RowShape(delimiter=DELIMITERS[0], encoding=UTF_8, layout="", columns=())
    return Survey(shape=str(shape), length=fault.offset, records=0, marks=(), end=0, metadata={}, fault=fault)
