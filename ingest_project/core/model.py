"""The words: immutable values that cross borders. No behaviour beyond what a value knows of itself.

On the hot path nothing is an object a record: a record crosses a border as bytes inside a RecordBatch, an
    ItemBlock or
a Batch, with its ordinal (place in its chunk, 0-based) and byte offset beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest_project.core.files import Fault, FileIndex, FileRange, KeySchema, Mark, SourceFile

__all__ = [
    "Admitted",
    "Batch",
    "Chunk",
    "ChunkPlan",
    "Claim",
    "Counts",
    "Fault",
    "FileIndex",
    "FileRange",
    "ItemBlock",
    "KeySchema",
    "Mark",
    "PartInfo",
    "Position",
    "RecordBatch",
    "Refusal",
    "Rejection",
    "SourceFile",
    "Work",
    "WorkStatus",
    "WriteReport",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The unit of claiming, resuming and retrying: one range of one file, bound for one target.

    A slot (Dagster's ``file_chunk``) holds any number of chunks; a file that arrives late adds chunks to
    slots and
    changes none (docs/decisions/0002).

    Attributes:
        entity: Entity name, e.g. ``messages``.
        date: ISO date, the other partition dimension. Sorts as text.
        slot: 0-based slot in the date's grid.
        target: Table or index family the records belong to, e.g. the table's name.
        keys: Key schema that records must have.
        shape, compression: As in FileIndex; how to read the range.
        records: Records in the range, counted by the index pass.
        before: Records of the file before the range.
        fault: Set on the file's last chunk when the file is broken behind ``range.end``.
    """

    entity: str
    date: str
    slot: int
    target: str
    keys: KeySchema
    range: FileRange
    shape: str
    compression: str
    records: int
    before: int = 0
    fault: Fault | None = None

    @property
    def id(self) -> str:
        """Stable name of the chunk: 24 hex digits over everything that says which bytes go where."""
        span = self.range
        words = (self.entity, self.date, self.target, span.uri, str(span.start), str(span.end), span.etag)
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:24]

    @property
    def fingerprint(self) -> str:
        """Identity of the content under the id: a change of it is PlanDrift."""
        words = (self.range.etag, self.shape, self.compression, str(self.keys), str(self.records))
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:24]

    @property
    def order(self) -> tuple[str, str, int]:
        """Place in the order that decides between records of one key (law 11): the greatest wins."""
        return (self.date, self.range.uri, self.range.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlan:
    """All chunks of one (entity, date), in order, with the files they came from. Only ever grows."""

    entity: str
    date: str
    slots: int
    files: tuple[FileIndex, ...] = ()
    chunks: tuple[Chunk, ...] = ()

    def in_slot(self, slot: int) -> tuple[Chunk, ...]:
        return tuple(chunk for chunk in self.chunks if chunk.slot == slot)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a chunk's record stream: ``ordinal`` records lie before it; ``token`` lets a reader get
    there fast.

    The token is the reader's own (a byte offset, a cursor); an empty one means: read from the start and skip.
    """

    ordinal: int = 0
    token: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One record that was refused, with enough to find, mend and replay it.

    Attributes:
        ordinal: Place of the record in its chunk.
        offset: Byte offset of the record in the decompressed file, -1 when the source has none.
        reason: What is wrong, naming the field.
        raw: The record's bytes as they stood in the source.
        key: Readable key where the record has one.
    """

    ordinal: int
    offset: int
    reason: str
    raw: bytes
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBatch:
    """Consecutive records of a chunk as they stand in the source (some 32 KiB, or one large record).

    Attributes:
        first: Ordinal of ``raws[0]`` in its chunk.
        raws: One JSON value each; bytes-like (bytes, memoryview or msgspec.Raw).
        offsets: Byte offset of each record in the decompressed file.
        after: Where to read on; its ordinal is ``first + len(raws)``.
        text: Bytes in which all of ``raws`` lie, when a JSON decoder has taken them there: it refuses control
            characters, wrong escapes and lone surrogates in strings. Empty when none has.
    """

    first: int
    raws: Sequence[bytes]
    offsets: Sequence[int]
    after: Position
    text: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """What became of one RecordBatch: a line and a key hash for each good record, a rejection for each bad
    one.

    Attributes:
        lines: The record in part form, bytes-like, no line break inside or at the end (docs/decisions/0003:
            ``{"Item":{...}}``).
        hashes: 16 bytes each: hash of the canonical key.
        offsets: Source byte offset of each good record.
    """

    lines: Sequence[bytes]
    hashes: Sequence[bytes]
    offsets: Sequence[int]
    rejections: Sequence[Rejection] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartInfo:
    """One stored part of a validated chunk: admitted records [first, first + records) of the chunk."""

    number: int
    first: int
    records: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemBlock:
    """Consecutive items of a chunk on their way to a sink.

    Attributes:
        first: Ordinal of ``entries[0]``; ordinals are consecutive.
        entries: Body bytes ready for the sink; ``None`` for a superseded record that is not to be sent; a
            Rejection for
            one that cannot be.
        hashes: 16-byte key hash of each entry, or empty when the stream guarantees unique keys.
        token: What a stream needs to see this block again without reading from the start.
        plain: True when every entry is bytes; lets the loader slice instead of looking at each.
    """

    first: int
    entries: Sequence[bytes | Rejection | None]
    hashes: Sequence[bytes] = ()
    token: str = ""
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One request's worth of items. ``ordinals`` are ascending; ``size`` is the sum of the bodies' bytes."""

    bodies: Sequence[bytes]
    ordinals: Sequence[int]
    size: int

    def __len__(self) -> int:
        return len(self.bodies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One item that the target refused for good: its index in the batch and the target's reason."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """One outcome for each item of a batch: counts, refusals and what may be sent again.

    ``written + superseded + unchanged + len(refusals) + len(retry)`` is the batch's length; the loader checks
    it.

    Attributes:
        retry: Indices that the target did not take this time and may take later.
        retry_after: Seconds the server asked to wait.
        throttled: The target asked for a lower rate.
    """

    written: int = 0
    superseded: int = 0
    unchanged: int = 0
    refusals: Sequence[Refusal] = ()
    retry: Sequence[int] = ()
    retry_after: float | None = None
    throttled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a stage did so far. ``sent = written + superseded + unchanged + rejected`` (law 2)."""

    sent: int = 0
    written: int = 0
    superseded: int = 0
    unchanged: int = 0
    rejected: int = 0
    bytes: int = 0
    requests: int = 0
    retries: int = 0
    throttles: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    @property
    def balanced(self) -> bool:
        return self.sent == self.written + self.superseded + self.unchanged + self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the ledger keeps account of: one chunk in one stage, bound to the identity of its target.

    Attributes:
        stage: ``validated``, ``table`` or ``index``.
        identity: DynamoDB TableId, OpenSearch index UUID, or the part store's name: another identity is an
            empty target.
        horizon: Number of validated chunks of this target that the worker's list of losers knows
            (core.superseding).
    """

    chunk: Chunk
    stage: str
    identity: str
    horizon: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a piece of work. ``epoch`` is the fencing token: it grows at every takeover.

    Attributes:
        position: Where to go on; everything before it is durable and counted in ``counts``.
        sealed: The work is complete: nothing is left to do (law 4).
    """

    work: Work
    owner: str
    epoch: int
    position: Position
    counts: Counts
    sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkStatus:
    """One row of the ledger as users see it. ``state`` is open, claimed, sealed or failed."""

    entity: str
    stage: str
    date: str
    slot: int
    target: str
    chunk_id: str
    uri: str
    state: str
    counts: Counts
    records: int
    seconds: float
    reason: str = ""
