"""RowSource: CSV files, local or in S3, as rows. Files are found, read and inflated as DumpSource does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ingest_project.core.layouts import Layout
from ingest_project.core.model import Chunk
from ingest_project.formats.csv_layout import row_shape
from ingest_project.formats.csv_rows import ROW_GROUP, ROW_LIMIT, RowCutter
from ingest_project.formats.csv_survey import survey_rows
from ingest_project.formats.survey import Survey
from ingest_project.formats.window import Window
from ingest_project.sources.dumps import DumpSource, S3Factory
from ingest_project.sources.stores import BLOCK


class RowSource(DumpSource):
    """Source of CSV files with a known header. A record's raw bytes are a row without its line end.

    Args:
        layouts: The headers that are known.
        s3, block, watch: As for DumpSource.
        group: Bytes of a batch of rows.
        limit: Bytes of the largest row.
    """

    def __init__(
        self,
        layouts: Sequence[Layout],
        s3: S3Factory | None = None,
        *,
        block: int = BLOCK,
        group: int = ROW_GROUP,
        limit: int = ROW_LIMIT,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(s3, block=block, group=group, limit=limit, watch=watch)
        self._layouts = tuple(layouts)

    def _surveyed(self, content: Callable[[], Iterable[bytes]]) -> Survey:
        return survey_rows(content(), self._layouts, group=self._group, limit=self._limit)

    def _cutter(self, window: Window, chunk: Chunk) -> RowCutter:
        delimiter = row_shape(chunk).delimiter
        return RowCutter(window, delimiter, whole=False, group=self._group, limit=self._limit)
