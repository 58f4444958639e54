"""CSV for tests: hostile text, Python's csv module as the judge, and files cut in blocks of any size."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from ingest_project.core.layouts import Layout
from ingest_project.core.model import Chunk, Fault, FileRange, KeySchema
from ingest_project.formats.csv_rows import RowCutter
from ingest_project.formats.csv_survey import survey_rows
from ingest_project.formats.survey import Survey
from ingest_project.formats.window import Window

LAYOUT = Layout(name="prices", required=("id", "price"), optional=("note",))
KEYS = KeySchema(parts=(("id", "S"),))

DELIMITERS = st.sampled_from([",", ";", "\t"])
SIZES = st.integers(1, 40)


@st.composite
def hostile(draw: st.DrawFn, delimiter: str) -> bytes:
    """Text in which quotes, delimiters and line ends of every kind meet in any order."""
    words = ["a", "é", "\0", " ", delimiter, '"', '""', delimiter + '"', '"' + delimiter, "\n", "\r", "\r\n"]
    return "".join(draw(st.lists(st.sampled_from(words), max_size=40))).encode()


def judged(data: bytes, delimiter: str = ",", encoding: str = "utf-8") -> list[list[str]]:
    """The rows that Python's csv module sees, without blank lines."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="")
    return [row for row in csv.reader(text, delimiter=delimiter) if row]


def in_blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@dataclass(frozen=True)
class Rows:
    """What a cutter made of a text, or of a range of it."""

    raws: list[bytes]
    places: list[int]
    end: int
    fault: Fault | None

    @property
    def borders(self) -> list[int]:
        return [*self.places, self.end]


def rows_in(
    data: bytes,
    delimiter: str = ",",
    *,
    block: int = 7,
    group: int = 20,
    limit: int = 1 << 20,
    span: tuple[int, int] | None = None,
) -> Rows:
    """Cut a whole text, or only what stands in ``span``."""
    start, stop = span or (0, len(data))
    window = Window(in_blocks(data[start:stop], block), start)
    cutter = RowCutter(window, delimiter, whole=span is None, group=group, limit=limit)
    cuts = list(cutter.cuts())
    return Rows(
        raws=[raw for cut in cuts for raw in cut.raws],
        places=[place for cut in cuts for place in cut.offsets()],
        end=cuts[-1].end if cuts else start,
        fault=cutter.fault,
    )


def surveyed(data: bytes, *layouts: Layout, block: int = 1 << 16) -> Survey:
    return survey_rows(in_blocks(data, block), layouts or (LAYOUT,))


def chunk_of(survey: Survey, *, keys: KeySchema = KEYS, before: int = 0) -> Chunk:
    """The whole file as one chunk."""
    start = survey.marks[0].offset if survey.marks else survey.end
    return Chunk(
        entity="e",
        date="2026-01-01",
        slot=0,
        target="t",
        keys=keys,
        range=FileRange(uri="file:///a.csv", etag="1", start=start, end=survey.end),
        shape=survey.shape,
        compression="",
        records=survey.records,
        before=before,
        fault=survey.fault,
    )
