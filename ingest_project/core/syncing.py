"""What a sync is: one visit to one entity, cut into slices that are read, retried and resumed alone.

Values and pure rules: where a sync begins, how far a slice is, what landed. Nobody here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ingest_project.core.model import Chunk, FileRange, KeySchema
from ingest_project.core.paging import instant

FULL, SINCE, DELETES = "full", "since", "deletes"
MODES = (FULL, SINCE, DELETES)

OPEN, READING, DONE, FAILED = "open", "reading", "done", "failed"
"""States of a slice; ``reading`` is an open one under a live lease. A sync is open, done or given up."""

GIVEN_UP = "given up"
PAGES = "pages"
"""The stage that landing is, for progress."""

OVERLAP_SECONDS = 1800.0
"""Must be no less than the longest time from a row's mod_ts to its commit, plus the servers' clock skew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One visit to one entity.

    Attributes:
        number: Of all syncs of a ledger, ascending.
        date: Partition in which its pages lie, also when it goes on for days.
        since: mod_ts from which a ``since`` reads; empty in other modes.
        until: Greatest mod_ts that the source had before the first page was asked for: what was committed
            by then is read by this sync, so the next one begins here, less the overlap.
        page_mode: ``paged`` when the entity was seen to lose its order otherwise; empty: as configured.
        rows: Rows that were expected when it was cut.
        begun: Wall clock seconds.
    """

    number: int
    entity: str
    date: str
    mode: str
    since: str = ""
    until: str = ""
    page_mode: str = ""
    rows: int = 0
    state: str = OPEN
    begun: float = 0.0
    ended: float | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """Sorts like the number: ``00000012-full``."""
        return f"{self.number:08d}-{self.mode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a sync: ids or moments ``low <= x < high``, an empty border is open.

    Attributes:
        sync: Number of its sync.
        slot: Of the date's grid; holds slices of any number of syncs.
        low, high: Decimal ids (full, deletes) or ISO mod_ts (since).
        rows: Expected when it was cut.
    """

    entity: str
    date: str
    sync: int
    number: int
    slot: int
    mode: str
    low: str = ""
    high: str = ""
    rows: int = 0

    @property
    def name(self) -> str:
        """``00000012-full/0003``."""
        return f"{self.sync:08d}-{self.mode}/{self.number:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """How far a slice is: everything up to this row has landed. Full: descending ids; since: (mod_ts, id)."""

    last_id: int | None = None
    last_mod_ts: str = ""

    @property
    def begun(self) -> bool:
        return self.last_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One stored object of pages, one a line, zstd.

    Attributes:
        uri, etag: As the store names the bytes.
        bytes: Of the lines; ``stored``: of the object.
        rows, pages: In it.
        mod_ts_max: Greatest mod_ts in it, as sent.
        ids_low, ids_high: Least and greatest id in it.
    """

    slice: Slice
    sequence: int
    uri: str
    etag: str
    bytes: int
    stored: int
    rows: int
    pages: int
    mod_ts_max: str
    ids_low: int
    ids_high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceClaim:
    """A lease on a slice. ``epoch`` grows at every claim, and every write of an owner is bound to it.

    Attributes:
        sequence: Of the next object.
        rows, pages, bytes: Landed so far.
    """

    slice: Slice
    sync: Sync
    owner: str
    epoch: int
    bookmark: Bookmark
    sequence: int
    rows: int = 0
    pages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceStatus:
    """A slice as users see it."""

    slice: Slice
    state: str
    reason: str
    owner: str
    bookmark: Bookmark
    rows: int
    pages: int
    bytes: int
    attempts: int
    seconds: float
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceOutcome:
    """How one reading of a slice ended.

    Attributes:
        state: ``done``, ``failed`` (red until it is read again), ``open`` (the time was over, the next run
            goes on) or ``busy`` (somebody else reads it).
        rows, pages, bytes: Landed by this reading.
        counts: Requests for a number only.
        retry_after: Seconds until a busy slice is free, or that the source asked to wait.
    """

    slice: Slice
    state: str
    reason: str = ""
    rows: int = 0
    pages: int = 0
    bytes: int = 0
    counts: int = 0
    deleted: int = 0
    seconds: float = 0.0
    retry_after: float | None = None


class LastValues(Protocol):
    """Where the values are that rows had last."""

    async def __call__(self, entity: str, ids: Sequence[int]) -> Mapping[int, bytes]:
        """The current item of each id that has one, DynamoDB JSON."""
        ...


def earlier(moment: str, seconds: float) -> str:
    """A mod_ts so many seconds before another, in its own offset."""
    found = datetime.fromisoformat(moment)
    return (found - timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def latest(first: str, second: str) -> str:
    """The later of two moments; an empty one is before all others."""
    if not first or not second:
        return first or second
    return first if instant(first) >= instant(second) else second


def no_later_than(moment: str, now: float) -> str:
    """A moment, or the wall clock's time where that is earlier: a row from the future must not move the
    watermark past rows that are still to come. A clock that is slow only makes more be read again."""
    if not moment or instant(moment) <= now * 1e6:
        return moment
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")


def slice_chunk(part: Slice) -> Chunk:
    """The slice in the words of core.ports.Progress: a chunk of no file."""
    return Chunk(
        entity=part.entity,
        date=part.date,
        slot=part.slot,
        target=part.entity,
        keys=KeySchema(parts=(("id", "N"),)),
        range=FileRange(uri=f"sync:{part.name}", etag="", start=0, end=0),
        shape="",
        compression="",
        records=part.rows,
    )
