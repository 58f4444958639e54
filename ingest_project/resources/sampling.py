"""SampledSource: knows large files from their beginning and from spots all over; reads small ones whole.

Estimates only. A load reads every byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt
from random import Random

from ingest_project.core.forecasting import Interval
from ingest_project.core.model import Chunk, FileIndex, Position, RecordBatch, SourceFile
from ingest_project.sources.dumps import DumpSource, Stores
from ingest_project.sources.exports import export_root

WHOLE = 64 << 20
"""Files up to this size are read whole."""

HEAD, SPOTS, SPOT = 16 << 20, 24, 64 << 10
PACKED_DOUBT = 1.35
"""The rest of a compressed file may be packed so much better or worse than its beginning."""

LEAST_DOUBT = 0.01
T80 = 1.32
"""80 % of Student's distribution with SPOTS - 1 degrees of freedom."""

_FIRST_KEY = re.compile(rb'\{\s*("(?:[^"\\]|\\.)*")\s*:')


class SampledSource:
    """A source whose ``index`` of a large file is that of its beginning, and which says what that stands for.

    Attributes:
        rows: URI -> records of the whole file.
        scale: URI -> stored bytes of the file for each byte that was indexed.

    Args:
        whole: Bytes up to which a file is read whole; None reads every file.
    """

    def __init__(self, inner: DumpSource, stores: Stores, *, whole: int | None = WHOLE) -> None:
        self._inner, self._stores, self._whole = inner, stores, whole
        self.rows: dict[str, Interval] = {}
        self.scale: dict[str, float] = {}

    def index(self, file: SourceFile) -> FileIndex:
        """See core.ports.Source. Data files of exports are read whole: their manifests count them."""
        head = min(HEAD, self._whole or HEAD)
        if self._whole is None or file.size <= max(self._whole, head) or export_root(file.uri):
            index = self._inner.index(file)
            self.rows[file.uri], self.scale[file.uri] = Interval.exactly(index.records), 1.0
            return index
        index = self._inner.index(replace(file, size=head))
        self.scale[file.uri] = file.size / head
        self.rows[file.uri] = self._rows(file, index, head)
        return replace(index, file=file, fault=None if index.records else index.fault)

    def is_part(self, uri: str) -> bool:
        """Whether a file is known in part."""
        return self.scale[uri] != 1.0

    def record_bytes(self, index: FileIndex) -> float:
        """Bytes a record of the whole file, decompressed."""
        uri = index.file.uri
        return index.length * self.scale[uri] / max(1.0, self.rows[uri].likely)

    def read(self, chunk: Chunk, after: Position) -> Iterator[RecordBatch]:
        """See core.ports.Source."""
        return self._inner.read(chunk, after)

    def text(self, uri: str) -> bytes:
        return self._inner.text(uri)

    def stat(self, uri: str) -> SourceFile:
        return self._inner.stat(uri)

    def md5(self, file: SourceFile) -> bytes:
        return self._inner.md5(file)

    def _rows(self, file: SourceFile, index: FileIndex, head: int) -> Interval:
        if not index.records:
            return Interval.exactly(0)
        known = index.records * file.size / (head if index.compression else max(1, index.end))
        if index.compression:
            return Interval(low=known / PACKED_DOUBT, likely=known, high=known * PACKED_DOUBT)
        return self._by_spots(file, index, known)

    def _by_spots(self, file: SourceFile, index: FileIndex, known: float) -> Interval:
        """Counts what stands in each record, in spots all over the file as in its beginning."""
        start = index.marks[0].offset
        beginning = self._bytes(file, start, min(index.end, start + 4 * (1 << 20)))
        first = _FIRST_KEY.match(beginning)
        mark = first[1] if first else b"\n"
        whole = [one for one in index.marks if one.offset <= start + len(beginning)]
        records = whole[-1].records if len(whole) > 1 else index.records
        stretch = beginning[: whole[-1].offset - start] if len(whole) > 1 else beginning
        a_record = stretch.count(mark) / records
        if a_record <= 0:
            return Interval(low=known / 2, likely=known, high=known * 2)
        rng, step = Random(file.etag), (file.size - start - SPOT) / SPOTS
        densities = []
        for number in range(SPOTS):
            at = start + int((number + rng.random()) * step)
            spot = self._bytes(file, at, at + SPOT)
            densities.append(spot.count(mark) / a_record / len(spot))
        return _mean(densities).scaled(file.size - start)

    def _bytes(self, file: SourceFile, start: int, end: int) -> bytes:
        return b"".join(self._stores.blocks(file.uri, file.etag, start, min(end, file.size)))


def _mean(values: Sequence[float]) -> Interval:
    middle = sum(values) / len(values)
    spread = sqrt(sum((value - middle) ** 2 for value in values) / (len(values) - 1) / len(values))
    doubt = max(T80 * spread, LEAST_DOUBT * middle)
    return Interval(low=max(0.0, middle - doubt), likely=middle, high=middle + doubt)
