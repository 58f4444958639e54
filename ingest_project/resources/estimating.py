"""Estimates: what dump files would bring, from one pass over each and a sample of its records.

Reads files and asks tables for their keys; writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import BadInput, IngestError, SourceChanged
from ingest_project.core.forecasting import Interval
from ingest_project.core.model import Chunk, ChunkPlan, FileIndex, KeySchema, Position, SourceFile
from ingest_project.formats.json_tree import parse
from ingest_project.formats.packing import packer
from ingest_project.formats.typed_values import item_size
from ingest_project.resources.lanes import Volume
from ingest_project.resources.planner import Planner
from ingest_project.resources.sampling import SampledSource

WRITE_UNIT = 1024
SAMPLE_CHUNKS, SAMPLE_RECORDS = 8, 250
"""Of a file: so many places, so many records from each; of a compressed one its beginning."""

_CHUNK_BYTES = 1 << 20
NONE = Interval.exactly(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEstimate:
    """What one file would bring. ``volume`` is scaled up from ``sampled`` good records of it.

    Attributes:
        records: Counted, or estimated where ``rows`` is wide: a large file is known from its beginning and
            from spots.
        bytes: Stored.
        rejected_share: Of the sample.
        error: Why nothing can be said of it.
    """

    uri: str
    table: str
    records: int
    volume: Volume
    rows: Interval = NONE
    bytes: int = 0
    compression: str = ""
    sampled: int = 0
    rejected_share: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What all files would bring. Records with the same key are counted each."""

    files: tuple[FileEstimate, ...]
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> Interval:
        """Records of all files; files err together, as they may be of one kind."""
        return sum((file.rows for file in self.files), start=NONE)

    @property
    def volume(self) -> Volume:
        """Sum over the files."""
        volumes = [file.volume for file in self.files]
        return Volume(
            items=sum(one.items for one in volumes),
            write_units=sum(one.write_units for one in volumes),
            text_bytes=sum(one.text_bytes for one in volumes),
            stored_bytes=sum(one.stored_bytes for one in volumes),
        )


_NOTHING = Volume(items=0, write_units=0, text_bytes=0, stored_bytes=0)


@dataclass(slots=True, kw_only=True)
class Estimator:
    """Makes an Estimate.

    Attributes:
        ask: Table -> its key; raises IngestError when it cannot be had.
        key: Key of all tables, in place of what they say.
        compression: Of the objects.
    """

    spec: EntitySpec
    source: SampledSource
    ask: Callable[[str], KeySchema]
    key: KeySchema | None = None
    table: str = ""
    compression: str = "zstd"
    notes: list[str] = field(default_factory=list)
    _keys: dict[str, KeySchema] = field(default_factory=dict)

    def estimate(self, files: Sequence[SourceFile]) -> Estimate:
        """Read each file, a large one in part, and a sample of it once more.

        Raises:
            TransientFailure: A store did not answer.
        """
        planner = Planner(
            spec=self.spec,
            source=self.source,
            keys_of=self._keys_of,
            table_keys={},
            min_chunk_bytes=_CHUNK_BYTES,
            target=self.table,
        )
        made = planner.plan(None, "estimate", files, lambda text: None)
        found = [self._file(made.plan, index) for index in made.plan.files]
        found += [
            FileEstimate(uri=uri, table="", records=0, volume=_NOTHING, error=why)
            for uri, why in made.refused.items()
        ]
        return Estimate(files=tuple(sorted(found, key=lambda one: one.uri)), notes=tuple(self.notes))

    def _keys_of(self, table: str, likely: KeySchema | None) -> KeySchema:
        if self.key is not None:
            return self.key
        if table not in self._keys:
            try:
                self._keys[table] = self.ask(table)
            except IngestError as error:
                assumed = self._keys[table] = likely or self.spec.default_keys
                self.notes.append(f"The key of {table} was taken to be {assumed}: {error}")
        return self._keys[table]

    def _file(self, plan: ChunkPlan, index: FileIndex) -> FileEstimate:
        uri, size = index.file.uri, index.file.size
        chunks = [chunk for chunk in plan.chunks if chunk.range.uri == uri]
        rows = self.source.rows[uri]
        records = round(rows.likely)
        if not records:
            return FileEstimate(uri=uri, table=self.table, records=0, volume=_NOTHING, bytes=size)
        sample = _Sample()
        for chunk in _spread(chunks):
            self._add(sample, chunk)
        share = sample.refused / max(1, sample.refused + len(sample.lines))
        larger = self.source.record_bytes(index) / sample.record_bytes if self.source.is_part(uri) else 1.0
        return FileEstimate(
            uri=uri,
            table=chunks[0].target,
            records=records,
            volume=self._scaled(sample.lines, round(records * (1 - share)), larger),
            rows=rows,
            bytes=size,
            compression=index.compression,
            sampled=len(sample.lines),
            rejected_share=share,
        )

    def _add(self, sample: _Sample, chunk: Chunk) -> None:
        """The first records of a chunk."""
        admission, seen = self.spec.admission(chunk), 0
        batches = self.source.read(replace(chunk, fault=None), Position())
        try:
            for batch in batches:
                raws = batch.raws[: SAMPLE_RECORDS - seen]
                admitted = admission(batch)
                sample.lines += map(bytes, admitted.lines[: len(raws)])
                sample.refused += len(admitted.rejections)
                sample.bytes += sum(map(len, map(bytes, raws)))
                sample.records += len(raws)
                seen += len(raws)
                if seen >= SAMPLE_RECORDS:
                    break
        except (BadInput, SourceChanged):
            pass

    def _scaled(self, lines: Sequence[bytes], items: int, larger: float) -> Volume:
        """``larger``: how much larger records are in the whole file than where the sample is from."""
        if not lines:
            return _NOTHING
        factor = items / len(lines)
        text = b"\n".join((*lines, b""))
        # A record below a write unit takes one, whatever its size.
        heavier = larger if len(text) * larger > len(lines) * WRITE_UNIT else 1.0
        stream = packer(self.compression)
        stored = len(stream.compress(text)) + len(stream.flush())
        return Volume(
            items=items,
            write_units=round(sum(map(write_units, lines)) * factor * heavier),
            text_bytes=round(len(text) * factor * larger),
            stored_bytes=round(stored * factor * larger),
        )


@dataclass(slots=True)
class _Sample:
    """Records of a file: lines of good ones, how many were refused, and what all take in the file."""

    lines: list[bytes] = field(default_factory=list)
    refused: int = 0
    records: int = 0
    bytes: int = 0

    @property
    def record_bytes(self) -> float:
        """What a record and what stands between two take."""
        return self.bytes / max(1, self.records) + 1


def write_units(line: bytes) -> int:
    """Write units that a part line's item takes: its size by DynamoDB's rules in KiB, rounded up."""
    tree = parse(line)
    item = tree["Item"] if isinstance(tree, dict) else None
    if not isinstance(item, dict):
        raise ValueError("not a part line")
    return max(1, ceil(item_size(item) / WRITE_UNIT))


def _spread(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """Some chunks, evenly over the file; each of an uncompressed one is reached at once."""
    step = max(1, ceil(len(chunks) / SAMPLE_CHUNKS))
    return iter(chunks[::step])
