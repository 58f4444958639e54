"""SheetSource: one sheet of XLSX workbooks, local or in S3, as rows of CSV text. Knows files; what stands in
them, formats know."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ingest_project.core.layouts import Layout, Sheet
from ingest_project.core.model import SourceFile
from ingest_project.formats.csv_layout import ROW_COLUMN
from ingest_project.formats.csv_rows import ROW_GROUP, ROW_LIMIT
from ingest_project.formats.survey import Survey
from ingest_project.formats.xlsx_rows import sheet_text
from ingest_project.sources.dumps import Blocks, S3Factory
from ingest_project.sources.rows import RowSource
from ingest_project.sources.stores import BLOCK

KIND = "xlsx"
IN_MEMORY = 8 << 20
"""Larger workbooks lie on disk while they are read: a workbook is read from its end."""


class SheetSource(RowSource):
    """Source of workbooks that have the sheet. Each is one chunk; offsets are places in its text as CSV.

    Memory: 8 MiB of the workbook, its texts and styles (64 MiB at most), and some blocks of rows.

    Args:
        layouts, s3, block, group, limit, watch: As for RowSource.
    """

    def __init__(
        self,
        sheet: Sheet,
        layouts: Sequence[Layout],
        s3: S3Factory | None = None,
        *,
        block: int = BLOCK,
        group: int = ROW_GROUP,
        limit: int = ROW_LIMIT,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        numbered = [replace(one, required=(ROW_COLUMN, *one.required)) for one in layouts]
        super().__init__(numbered, s3, block=block, group=group, limit=limit, watch=watch)
        self._sheet = sheet

    def _survey(self, file: SourceFile, first: Iterator[bytes]) -> tuple[str, Survey]:
        return KIND, super()._survey(file, first)[1]

    def _decoded(self, kind: str, blocks: Iterable[bytes], again: Callable[[], Iterable[bytes]]) -> Blocks:
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as held:
            held.writelines(blocks)
            held.seek(0)
            yield from sheet_text(held, self._sheet)
