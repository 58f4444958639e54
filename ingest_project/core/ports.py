"""The doors: what core needs from the outside world, in the fewest verbs. No implementation lives here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import (
    Admitted,
    Batch,
    Chunk,
    Claim,
    Counts,
    FileIndex,
    ItemBlock,
    PartInfo,
    Position,
    RecordBatch,
    Rejection,
    SourceFile,
    Work,
    WorkStatus,
    WriteReport,
)


class Source(Protocol):
    """Files in, records out. Lazy; holds one block at a time; never writes."""

    def index(self, file: SourceFile) -> FileIndex:
        """Read the file once and find its record borders, count, fingerprint and fault (never raises for bad
        content)."""
        ...

    def read(self, chunk: Chunk, after: Position) -> Iterator[RecordBatch]:
        """Records of the chunk from ``after`` on.

        Raises:
            SourceChanged: The file is no longer the planned one.
            BadInput: After the last good record, when the chunk carries a fault or its bytes are broken.
        """
        ...


class Admission(Protocol):
    """The entity's contract, made for one chunk: decides which records are good and gives them their part
    form."""

    def __call__(self, batch: RecordBatch) -> Admitted: ...


class PartDraft(Protocol):
    """The lines of one part while they come together, held as they will be stored."""

    def __len__(self) -> int: ...

    def add(self, lines: Sequence[bytes]) -> None:
        """Take lines behind those that are there; none holds a line break."""
        ...

    def finish(self) -> bytes:
        """All of them, as its store's ``write`` wants them."""
        ...


class PartStore(Protocol):
    """Where validated records lie between stages. Every write is atomic and idempotent by (chunk, number)."""

    @property
    def identity(self) -> str:
        """Names the store; another identity is an empty store."""
        ...

    def draft(self) -> PartDraft:
        """A part without lines."""
        ...

    def write(
        self, chunk: Chunk, info: PartInfo, data: bytes, hashes: Sequence[bytes], offsets: Sequence[int]
    ) -> int:
        """Store one part (what its draft gave) and its key entries; durable on return. Returns stored
        bytes."""
        ...

    def publish(self, chunk: Chunk, parts: Sequence[PartInfo]) -> None:
        """Store the chunk's manifest: from now on its parts count, and only these."""
        ...

    def parts(self, chunk: Chunk) -> Sequence[PartInfo]:
        """The published manifest. Raises TargetMissing when the chunk was never published."""
        ...

    def lines(self, chunk: Chunk, info: PartInfo) -> Iterator[Sequence[bytes]]:
        """The part's lines in order, in blocks of some hundred."""
        ...

    def offset(self, chunk: Chunk, info: PartInfo, ordinal: int) -> int:
        """Source byte offset of one admitted record (cold path, for rejections)."""
        ...

    def key_entries(self, chunk: Chunk, info: PartInfo) -> Iterator[bytes]:
        """24-byte entries, hash (16) then ordinal (8, big-endian), ascending, in runs of some of them one
        behind the other; streamed with a small buffer."""
        ...


class ItemStream(Protocol):
    """A chunk's items for one sink. Re-iterable: each call of ``blocks`` starts anew at ``after``."""

    def blocks(self, after: Position) -> Iterator[ItemBlock]: ...

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        """The dead letter of an item that the sink refused: finds offset, key and raw bytes (cold path)."""
        ...


class Sink(Protocol):
    """Writes one batch, once. Many calls in flight at a time; never loops over a stream, never retries by
    itself."""

    @property
    def limits(self) -> BatchLimits: ...

    async def identity(self) -> str:
        """Identity of the target as it stands (TableId, index UUID). Raises TargetMissing."""
        ...

    async def write(self, batch: Batch) -> WriteReport:
        """Send one request.

        Raises:
            TransientFailure: Nothing is known to be written; all of it may be sent again (keys are
                deterministic).
            BatchTooLarge: The request as a whole is too large.
            PermanentFailure: Sending again is of no use for any batch (credentials, missing table).
        """
        ...

    async def flush(self) -> None:
        """Called once after the last batch of a chunk, before it is sealed; raises when what was written is
        not in the target that ``identity`` named."""
        ...


class Ledger(Protocol):
    """The account of all work. Every method is one transaction."""

    def claim(self, work: Work, *, owner: str, lease: float) -> Claim:
        """Take the work for ``lease`` seconds, or learn that it is sealed.

        A row with another identity starts anew from position 0, without its old counts and rejections. An
        expired lease, or the owner's own, is taken over with a higher epoch. A sealed row is told as it is.

        Each seal or fail of a ``validated`` stage gives its chunk the next number of (entity, target); a
        worker whose horizon is at least that number knows the chunk's keys.

        Raises:
            ChunkBusy: Another owner's lease is live; or, in any stage but ``validated`` (law 11), a live
                claim on the same target and stage belongs to a chunk earlier in order whose horizon does not
                include this chunk (it might still write an older version); or a chunk later in order that
                ``work.horizon`` does not include was already claimed in this stage (the caller's losers are
                out of date: take the horizon and name the losers again).
            PlanDrift: The id is known with another fingerprint.
        """
        ...

    def advance(
        self,
        claim: Claim,
        position: Position,
        counts: Counts,
        rejections: Iterable[Rejection],
        *,
        lease: float,
    ) -> None:
        """Add ``counts`` (what is new), store rejections (idempotent by ordinal), move on, renew the lease.

        Raises:
            LeaseLost: The claim's epoch is not the row's, or its lease ran out (also when nobody took it).
        """
        ...

    def seal(self, claim: Claim, *, seconds: float) -> None:
        """Complete. Raises LeaseLost; CountLost when the counts are not balanced, or when a validated chunk
        without a fault does not have its planned number of records."""
        ...

    def fail(self, claim: Claim, reason: str, *, seconds: float) -> None:
        """Give up this attempt for a permanent cause; position and counts stay. Raises LeaseLost."""
        ...

    def release(self, claim: Claim, reason: str) -> None:
        """Give the lease back without a verdict (a transient end). Never raises LeaseLost."""
        ...

    def horizon(self, entity: str, target: str) -> int:
        """How many chunks of the target were validated so far (a counter that only grows)."""
        ...

    def status(self, entity: str | None = None, date: str | None = None) -> Sequence[WorkStatus]: ...


class Progress(Protocol):
    """Told about every durable step; must be cheap and must not raise."""

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts, /) -> None: ...


class Clock(Protocol):
    """Monotonic seconds."""

    def __call__(self) -> float: ...
