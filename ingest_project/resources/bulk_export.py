"""BulkExport: validated parts of one table -> objects of a chosen size in S3, shuffled by key hash, that
DynamoDB itself imports.

What is exported is what the ``table`` stage would write. A call that was killed goes on behind the last
object that is whole.
"""

from __future__ import annotations

import fcntl
import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from random import Random

from ingest_project.core.entity import in_order_of_dates
from ingest_project.core.errors import ConfigurationError, CountLost, PermanentFailure, TransientFailure
from ingest_project.core.model import Chunk
from ingest_project.core.ranking import Ranked, ranked
from ingest_project.core.retrying import RetryPolicy
from ingest_project.formats.packing import ENDINGS, packer
from ingest_project.resources.assembly import Assembly
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.resources.engine import Engine
from ingest_project.resources.standings import Standing
from ingest_project.sinks.bulk_objects import BulkChunk, BulkManifest, BulkObject, BulkStore
from ingest_project.sinks.spills import BUCKET_BYTES, Bucket, Spills, bucket_count

FOLDER = "bulk"
OBJECT_BYTES = 400 * 10**6
"""Stored bytes that an object is aimed at. A sample's compression is a few percent off, so the objects of a
table that takes more than this lie between 190 and 420 MB: within the 100 MB to 1 GB that are advised."""
MOST_OBJECTS = 50_000
_SAMPLE_BYTES = 16 << 20

Watch = Callable[[str, int, int], None]
"""(``spilled`` or ``stored``, records done, records in all)"""


def unwatched(stage: str, done: int, total: int) -> None:
    """A Watch that tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOptions:
    """How objects are made.

    Attributes:
        bucket, root: Where to; the deployment's own bucket and prefix when ``bucket`` is empty.
        compression: ``zstd``, ``gzip`` or ``none``.
        object_bytes: Stored bytes of an object, about.
    """

    bucket: str = ""
    root: str = ""
    compression: str = "zstd"
    object_bytes: int = OBJECT_BYTES

    def placed(self, settings: Settings) -> BulkOptions:
        """With a bucket. Raises ConfigurationError when the compression or the size is none."""
        if self.compression not in ENDINGS or self.object_bytes < 1:
            raise ConfigurationError(f"no compression {self.compression!r} or size {self.object_bytes}")
        if self.bucket:
            return self
        return replace(self, bucket=settings.bucket, root=settings.prefix)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What is to be exported, named before any of it is read.

    Attributes:
        id: Of these parts, their losers and the options: the same ones give the same objects.
        bytes: Of part lines, superseded ones among them.
    """

    id: str
    chunks: tuple[Chunk, ...]
    standings: dict[str, Standing]
    counts: tuple[BulkChunk, ...]
    bytes: int

    @property
    def items(self) -> int:
        """Records that go into the objects."""
        return sum(one.records - one.superseded for one in self.counts)

    @property
    def superseded(self) -> int:
        return sum(one.superseded for one in self.counts)

    @property
    def horizon(self) -> int:
        return min(standing.horizon for standing in self.standings.values())


class BulkExport:
    """One table's objects.

    Memory: sinks.spills.HOLD_BYTES while lines are spilled or sorted, two pieces of an upload, 8 bytes for
    each record of one part and for each superseded one. Disk below INGEST_HOME: all lines, compressed, until
    the objects are published.

    Args:
        assembly: Of the deployment whose validated parts are meant.
        chunks: Validated chunks of the table.
        sleep: Waits before an object is sent again.
    """

    def __init__(
        self,
        assembly: Assembly,
        table: str,
        chunks: Sequence[Chunk],
        options: BulkOptions,
        *,
        sleep: Callable[[float], None],
        rng: Random,
        watch: Watch = unwatched,
    ) -> None:
        self._settings, self._table = assembly.settings, table
        self._options = options.placed(assembly.settings)
        # An import knows no order, so of all dates only the last record of a key may be in it.
        spec = in_order_of_dates(assembly.spec)
        self._assembly = replace(assembly, spec=spec)
        self._chunks = tuple(sorted(chunks, key=lambda chunk: chunk.order))
        self._sleep, self._rng, self._watch = sleep, rng, watch

    def select(self) -> Selected:
        """Name the losers and the export. Raises PermanentFailure when there is nothing to export."""
        with self._assembly.engine() as engine:
            return self._selected(engine)

    def store(self, selected: Selected) -> BulkStore:
        """Where the objects are or will be."""
        return BulkStore(
            s3_client(self._settings),
            self._options.bucket,
            self._options.root,
            entity=self._assembly.spec.name,
            table=self._table,
            name=selected.id,
            compression=self._options.compression,
        )

    def prepare(self) -> BulkManifest:
        """Make what is missing of the objects and publish their manifest.

        Raises:
            RemoteWriteRefused: The bucket is not on this machine and not allowed.
            TransientFailure: A store does not answer, or another process is at it; the same call goes on.
            CountLost: The objects do not hold what was validated.
        """
        self._settings.require_write("s3", self._options.bucket)
        with self._assembly.engine() as engine:
            selected = self._selected(engine)
            store = self.store(selected)
            found = store.manifest()
            if found is not None:
                return found
            with self._alone(selected):
                try:
                    return self._made(engine, selected, store)
                except OSError as error:
                    raise PermanentFailure(f"{self._place(selected)}: {error}") from error

    def _selected(self, engine: Engine) -> Selected:
        engine.standings.prepare(self._chunks)
        words = hashlib.sha256(repr((self._options, self._table, self._assembly.spec.name)).encode())
        counts, size, standings = [], 0, dict[str, Standing]()
        for chunk in self._chunks:
            standing = standings[chunk.id] = engine.standings.of(chunk)
            infos = engine.parts.parts(chunk)
            words.update(repr((chunk.id, chunk.fingerprint, infos)).encode())
            words.update(array("Q", standing.losers).tobytes())
            records = sum(info.records for info in infos)
            counts.append(BulkChunk(id=chunk.id, records=records, superseded=len(standing.losers)))
            size += sum(info.bytes for info in infos)
        selected = Selected(
            id=words.hexdigest()[:16],
            chunks=self._chunks,
            standings=standings,
            counts=tuple(counts),
            bytes=size,
        )
        if not counts or not selected.items:
            raise PermanentFailure(f"no validated record of {self._table} is there to be exported")
        return selected

    def _made(self, engine: Engine, selected: Selected, store: BulkStore) -> BulkManifest:
        spills = self._spilled(engine, selected)
        layout = store.layout()
        if layout is None or layout[-1][-1] != len(spills.buckets) - 1:
            layout = self._layout(spills)
            store.keep_layout(layout)
        objects = list(self._objects(spills, layout, store, selected.items))
        manifest = BulkManifest(
            id=selected.id,
            entity=self._assembly.spec.name,
            table=self._table,
            bucket=self._options.bucket,
            prefix=store.prefix,
            compression=self._options.compression,
            horizon=selected.horizon,
            items=selected.items,
            superseded=selected.superseded,
            text_bytes=sum(one.text_bytes for one in objects),
            stored_bytes=sum(one.stored_bytes for one in objects),
            objects=tuple(objects),
            chunks=selected.counts,
        )
        store.publish(manifest)
        spills.discard()
        return manifest

    def _spilled(self, engine: Engine, selected: Selected) -> Spills:
        folder = self._place(selected) / "spills"
        known = Spills.complete(folder, selected.id)
        if known is not None:
            return known
        largest = min(BUCKET_BYTES, self._options.object_bytes // 4)
        spills = Spills(folder, bucket_count(selected.bytes, largest))
        spills.fill(self._lines(engine, selected), selected.id)
        held = sum(bucket.records for bucket in spills.buckets)
        if held != selected.items:
            raise CountLost(f"{self._table}: {held} lines were spilled, {selected.items} were validated")
        return spills

    def _lines(self, engine: Engine, selected: Selected) -> Iterator[Ranked]:
        done = 0
        for chunk in selected.chunks:
            for ranks, lines in ranked(engine.parts, chunk, selected.standings[chunk.id].losers):
                yield ranks, lines
                done += len(lines)
                self._watch("spilled", done, selected.items)

    def _layout(self, spills: Spills) -> list[tuple[int, int]]:
        """Objects of about equal size, cut at borders of buckets."""
        text = sum(map(_text_bytes, spills.buckets))
        stored = text * _ratio(spills, self._options.compression)
        count = max(1, -int(-stored // self._options.object_bytes))
        return split([_text_bytes(bucket) for bucket in spills.buckets], min(count, MOST_OBJECTS))

    def _objects(
        self, spills: Spills, layout: Sequence[Sequence[int]], store: BulkStore, total: int
    ) -> Iterator[BulkObject]:
        there, done = store.published(), 0
        for number, (first, last) in enumerate(layout):
            expected = sum(bucket.records for bucket in spills.buckets[first : last + 1])
            known = there.get(number)
            if known is None or known.items != expected:
                known = self._sent(number, range(first, last + 1), spills, store)
            if known.items != expected:
                raise CountLost(f"{known.key} holds {known.items} items, not {expected}")
            done += known.items
            self._watch("stored", done, total)
            yield known

    def _sent(self, number: int, buckets: range, spills: Spills, store: BulkStore) -> BulkObject:
        knobs, attempt = self._assembly.knobs, 0
        policy = RetryPolicy(
            attempts=knobs.attempts, base=knobs.base_seconds, factor=knobs.factor, cap=knobs.cap_seconds
        )
        while True:
            try:
                return store.write(number, chain.from_iterable(map(spills.lines, buckets)))
            except TransientFailure as failure:
                attempt += 1
                delay = policy.delay(attempt, self._rng, failure.retry_after)
                if delay is None:
                    raise
                self._sleep(delay)

    def _place(self, selected: Selected) -> Path:
        return self._settings.home / FOLDER / selected.id

    @contextmanager
    def _alone(self, selected: Selected) -> Iterator[None]:
        """One process of this machine a time makes these objects."""
        place = self._place(selected)
        place.mkdir(parents=True, exist_ok=True)
        with open(place / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TransientFailure(f"another process makes these objects ({place})") from None
            yield


def split(sizes: Sequence[int], count: int) -> list[tuple[int, int]]:
    """At most ``count`` runs of consecutive buckets, first and last of each, of about equal bytes; together
    all buckets, and none without bytes."""
    total, runs, first, held = sum(sizes), list[tuple[int, int]](), 0, 0
    for number, size in enumerate(sizes):
        held += size
        if size and held * count >= total * (len(runs) + 1):
            runs.append((first, number))
            first = number + 1
    return [*runs[:-1], (runs[-1][0], len(sizes) - 1)]


def _text_bytes(bucket: Bucket) -> int:
    return bucket.bytes + bucket.records


def _ratio(spills: Spills, kind: str) -> float:
    """Stored bytes for each byte of text, of lines from the first bucket that has some: a random sample."""
    stream, taken, stored = packer(kind), 0, 0
    filled = next(number for number, bucket in enumerate(spills.buckets) if bucket.records)
    for line in next(iter(spills.lines(filled))):
        stored += len(stream.compress(line + b"\n"))
        taken += len(line) + 1
        if taken >= _SAMPLE_BYTES:
            break
    return (stored + len(stream.flush())) / taken
