"""A year's aggregates: for each town and each state a ZIP of XML, made again only when its content changed.

What a file is made of is known from the ledger alone: texts are read for those that are made.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from ingest_project.core.document_ledger import DocumentLedger, Segments
from ingest_project.core.documents import Bucket
from ingest_project.core.errors import BadInput, TargetMissing
from ingest_project.core.ports import Clock
from ingest_project.entities.gazettes.aggregate_entries import YearEntries
from ingest_project.entities.gazettes.aggregate_files import Entry, Opened, Place, archive, town_xml
from ingest_project.entities.gazettes.towns import slug

VERSION = "1"
"""Of the files' form: another one makes all of them again."""

AHEAD = 8
"""Texts that are read before they are needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A row of the table of aggregates.

    Attributes:
        territory_id: None: it is a state's.
        hash_info: Names the content it was made of.
    """

    territory_id: str | None
    state_code: str
    year: int
    file_path: str
    file_size_mb: float
    hash_info: str


class AggregateTable(Protocol):
    """Where it is told which aggregates there are."""

    def aggregate_hashes(self, year: int) -> Mapping[str, str]:
        """``file_path`` -> ``hash_info``."""
        ...

    def upsert_aggregates(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows as Aggregate, with ``last_updated``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatesReport:
    """What became of a year.

    Attributes:
        gazettes: Gazettes and parts of them that have a text.
        built, unchanged: Files.
        failed: Key: why; the others were made all the same.
    """

    year: int
    gazettes: int
    built: int
    unchanged: int
    failed: tuple[str, ...]
    bytes: int
    seconds: float


@dataclass(slots=True)
class _Tally:
    built: int = 0
    unchanged: int = 0
    bytes: int = 0
    failed: list[str] = field(default_factory=list)


class Aggregates:
    """Makes the aggregates of a year. Blocks; one of it for a year at a time.

    Memory: AHEAD texts and a piece of an upload. Disk: about 600 bytes a gazette of the year, while it runs.

    Args:
        text_of: URI -> text, as TextStore.read.
        opened: Key -> an object on its way.
        numbers: Buckets a month.
    """

    def __init__(
        self,
        ledger: DocumentLedger,
        segments: Segments,
        table: AggregateTable,
        text_of: Callable[[str], str],
        opened: Opened,
        *,
        collection: str = "gazettes",
        numbers: int = 16,
        clock: Clock = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._segments, self._table = ledger, segments, table
        self._text_of, self._opened = text_of, opened
        self._collection, self._numbers, self._clock, self._now = collection, numbers, clock, now

    def build(self, year: int, *, again: bool = False) -> AggregatesReport:
        """Bring a year up to date. What was made before a failure is not made again.

        Args:
            again: Make all of them.

        Raises:
            TransientFailure: A store or the table does not answer.
        """
        begun, tally = self._clock(), _Tally()
        known = {} if again else self._table.aggregate_hashes(year)
        with TemporaryDirectory(prefix="aggregates-") as folder, ThreadPoolExecutor(AHEAD) as pool:
            entries = YearEntries(Path(folder) / "entries.sqlite")
            try:
                gazettes = entries.gather(self._ledger, self._segments, self._buckets(year))
                maker = _Maker(self, entries, year, known, pool, tally)
                for state in entries.states():
                    maker.state(state)
            finally:
                entries.close()
        return AggregatesReport(
            year=year,
            gazettes=gazettes,
            built=tally.built,
            unchanged=tally.unchanged,
            failed=tuple(tally.failed),
            bytes=tally.bytes,
            seconds=self._clock() - begun,
        )

    def _buckets(self, year: int) -> Iterator[Bucket]:
        for month in range(1, 13):
            for number in range(self._numbers):
                yield Bucket(collection=self._collection, month=f"{year}-{month:02d}", number=number)

    def texts(self, entries: Iterable[Entry], pool: ThreadPoolExecutor) -> Iterator[tuple[Entry, str]]:
        """Entries with their texts, in their order; AHEAD of them are read at once."""
        waiting: deque[tuple[Entry, Future[str]]] = deque()
        for entry in entries:
            waiting.append((entry, pool.submit(self._text_of, entry.uri)))
            if len(waiting) >= AHEAD:
                first, text = waiting.popleft()
                yield first, text.result()
        for first, text in waiting:
            yield first, text.result()

    def write(self, row: Aggregate, members: Iterable[tuple[str, Iterator[str]]]) -> int:
        """The file, then its row; returns its bytes."""
        with self._opened(row.file_path) as out, archive(out) as (file, pipe):
            for name, pieces in members:
                file.add(name, pieces)
        made = asdict(replace(row, file_size_mb=round(pipe.bytes / (1 << 20), 3)))
        self._table.upsert_aggregates([{**made, "last_updated": self._now()}])
        return pipe.bytes


@dataclass(slots=True)
class _Maker:
    """One year on its way."""

    desk: Aggregates
    entries: YearEntries
    year: int
    known: Mapping[str, str]
    pool: ThreadPoolExecutor
    tally: _Tally

    def state(self, code: str) -> None:
        """Its towns, and the file of all of them unless one failed."""
        digest, whole = hashlib.sha256(), True
        places = self.entries.towns(code)
        for place in places:
            content = self.entries.content(place, VERSION)
            digest.update(f"{place.id} {content}\n".encode())
            key = f"aggregates/{code}/{self._name(place)}.zip"
            whole &= self._file(key, place.id, code, content, [place])
        key = f"aggregates/{code}/{code}_{self.year}.zip"
        if whole:
            self._file(key, None, code, digest.hexdigest(), places)
        else:
            self.tally.failed.append(f"{key}: a town of it failed")

    def _file(self, key: str, id: str | None, code: str, content: str, places: Sequence[Place]) -> bool:
        """Make a file unless it is there; False: it cannot be made."""
        if self.known.get(key) == content:
            self.tally.unchanged += 1
            return True
        row = Aggregate(
            territory_id=id,
            state_code=code,
            year=self.year,
            file_path=key,
            file_size_mb=0.0,
            hash_info=content,
        )
        try:
            self.tally.bytes += self.desk.write(
                row, ((f"{self._name(one)}.xml", self._xml(one)) for one in places)
            )
        except (BadInput, TargetMissing) as error:
            self.tally.failed.append(f"{key}: {error}")
            return False
        self.tally.built += 1
        return True

    def _xml(self, place: Place) -> Iterator[str]:
        return town_xml(place, self.year, self.desk.texts(self.entries.of(place), self.pool))

    def _name(self, place: Place) -> str:
        return f"{slug(place.name)}_{place.id}_{self.year}"
