"""RowAdmission: rows of a CSV file -> part lines with key hashes, or rejections with row, column and reason.

What a good row is and what becomes of it, the entity's rule says; here the books are kept.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence

from ingest_project.core.model import Admitted, Chunk, RecordBatch, Rejection
from ingest_project.formats.attribute_values import ItemLines, Value, key_parts
from ingest_project.formats.csv_fields import OpenQuote, splitter
from ingest_project.formats.csv_layout import ROW_COLUMN, row_shape
from ingest_project.formats.dynamodb_json import ITEM_BYTES, SURELY_SMALL
from ingest_project.formats.json_tree import Refused, parse
from ingest_project.formats.keys import key_hash
from ingest_project.formats.typed_values import item_size

Rule = Callable[[Mapping[str, str]], Mapping[str, Value]]
"""Canonical column -> text of a row, as it stands in the file; gives the item's attributes.

It raises BadValue for a row that is not good. Columns of the layout that the file lacks are not there.
"""


class BadValue(ValueError):
    """A row must not go on.

    Args:
        column: The column at fault, canonical; empty when the row as a whole is.
        reason: What is wrong with it.
    """

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"column {column}: {reason}" if column else reason)
        self.column = column
        self.reason = reason


class RowAdmission:
    """core.ports.Admission for CSV rows; one for each chunk, not shared by threads."""

    def __init__(self, chunk: Chunk, rule: Rule) -> None:
        shape = row_shape(chunk)
        self._keys, self._rule = chunk.keys, rule
        self._number = chunk.before + 2
        self._delimiter, self._encoding = shape.delimiter, shape.encoding
        self._columns, self._split = shape.columns, splitter(shape.delimiter)
        self._lines = ItemLines()
        self._numbered = bool(shape.columns) and shape.columns[0] == ROW_COLUMN

    def __call__(self, batch: RecordBatch) -> Admitted:
        raws = [bytes(raw) for raw in batch.raws]
        rows = self._rows(raws)
        lines: list[bytes] = []
        hashes: list[bytes] = []
        good: list[int] = []
        rejections: list[Rejection] = []
        for at, raw in enumerate(raws):
            try:
                line, digest = self._admit(rows[at] if rows else self._fields(raw))
            except (BadValue, Refused) as refused:
                rejections.append(self._rejection(batch, at, raw, refused))
                continue
            lines.append(line)
            hashes.append(digest)
            good.append(at)
        offsets = batch.offsets if not rejections else [batch.offsets[at] for at in good]
        return Admitted(lines=lines, hashes=hashes, offsets=offsets, rejections=rejections)

    def _rows(self, raws: Sequence[bytes]) -> list[list[str]]:
        """All rows at once; none when one of them needs to be looked at alone."""
        try:
            text = b"\n".join(raws).decode(self._encoding)
            texts = text.split("\n")
            if len(texts) != len(raws):
                texts = [raw.decode(self._encoding) for raw in raws]
            # The empty text behind the last row shows whether that row was closed.
            rows = list(csv.reader([*texts, ""], delimiter=self._delimiter))
        except (UnicodeDecodeError, csv.Error):
            return []
        return rows[:-1] if len(rows) == len(raws) + 1 and not rows[-1] else []

    def _fields(self, raw: bytes) -> list[str]:
        """One row the exact way. Raises BadValue."""
        try:
            return self._split(raw.decode(self._encoding))
        except OpenQuote as quote:
            raise BadValue(self._column(quote.field), str(quote)) from None
        except UnicodeDecodeError as error:
            column = self._column(self._place(raw[: error.start].decode(self._encoding)))
            reason = f"byte 0x{raw[error.start]:02X} is not {self._encoding.upper()}"
            raise BadValue(column, reason) from None

    def _place(self, text: str) -> int:
        """The field in which a row's text breaks off."""
        try:
            return len(self._split(text)) - 1
        except OpenQuote as quote:
            return quote.field

    def _admit(self, fields: list[str]) -> tuple[bytes, bytes]:
        columns = self._columns
        if len(fields) != len(columns):
            found, wanted = len(fields) - self._numbered, len(columns) - self._numbered
            reason = f"the row has {found} fields, the header {wanted}"
            raise BadValue(self._column(min(len(fields), len(columns))), reason)
        row = dict(zip(columns, fields, strict=True))
        row.pop("", None)
        attributes = self._rule(row)
        line = self._lines.line(attributes)
        if len(line) > SURELY_SMALL:
            _check_size(line)
        return line, key_hash(key_parts(attributes, self._keys))

    def _column(self, place: int) -> str:
        """The canonical name of a field, or its number, from 1, where it has none."""
        name = self._columns[place] if place < len(self._columns) else ""
        return name or str(place + 1 - self._numbered)

    def _rejection(self, batch: RecordBatch, at: int, raw: bytes, refused: ValueError) -> Rejection:
        ordinal = batch.first + at
        number = raw.partition(b",")[0].decode() if self._numbered else self._number + ordinal
        reason = f"row {number}, {refused}"
        return Rejection(ordinal=ordinal, offset=batch.offsets[at], reason=reason, raw=raw)


def _check_size(line: bytes) -> None:
    tree = parse(line)
    item = tree["Item"] if isinstance(tree, dict) else None
    size = item_size(item) if isinstance(item, dict) else 0
    if size > ITEM_BYTES:
        raise Refused(f"the item has {size} bytes, at most {ITEM_BYTES} are allowed")
