"""import_records: Python dicts to a DynamoDB table through the loader of all other loads.

Nothing is stored on the way, so that nothing can be continued: the account of a call lives as long as the
call. What a dict becomes is said in formats.python_items.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadSettings
from ingest_project.core.model import (
    Chunk,
    Claim,
    Counts,
    FileRange,
    ItemBlock,
    KeySchema,
    Position,
    Rejection,
    Work,
    WorkStatus,
)
from ingest_project.core.ports import Sink
from ingest_project.core.pressure import MemoryWatch
from ingest_project.core.retrying import RetryPolicy
from ingest_project.formats.json_tree import Refused, path_text
from ingest_project.formats.python_items import DictEncoder
from ingest_project.resources.caller_thread import CallerThread
from ingest_project.resources.deployments import Settings
from ingest_project.resources.destinations import TableDestination
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.knobs import Knobs, knobs_of

BLOCK, BLOCK_BYTES = 128, 256 * 1024
MOST_KEPT = 1000
"""Refused records that a report names; all of them are counted, and told to ``on_rejection``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRecord:
    """A record that is not in the table.

    Attributes:
        index: Its place among the records, 0-based.
        path: Where in it, as ``meta.tags[2]``; empty for the record as a whole.
        reason: What is wrong there.
        key: Its readable key, where it has one.
    """

    index: int
    path: str
    reason: str
    key: str = ""


Watcher = Callable[[RejectedRecord], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsReport:
    """What became of the records: ``read = written + superseded + rejected``.

    Attributes:
        written: Put into the table. A record whose key comes again in a later request counts for each put.
        superseded: Left out, as a later record of the same request has the same key.
        rejections: The refused records, the first MOST_KEPT of them.
    """

    read: int
    written: int
    superseded: int
    rejected: int
    rejections: tuple[RejectedRecord, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """No record was refused."""
        return not self.rejected

    @property
    def items_per_second(self) -> float:
        return self.read / self.seconds if self.seconds > 0 else 0.0


class RecordsInterrupted(PermanentFailure):
    """The iterable raised (the cause): what it gave before is loaded, the rest must be given again.

    Attributes:
        report: Of what it gave.
    """

    def __init__(self, report: RecordsReport, cause: Exception) -> None:
        super().__init__(
            f"the records ended with {type(cause).__name__} after {report.read} were read "
            f"({report.written} written, {report.superseded} superseded, {report.rejected} rejected): {cause}"
        )
        self.report = report


class DictStream:
    """core.ports.ItemStream over an iterable of dicts; it can be read once.

    Attributes:
        error: What the iterable raised; the stream ends there.
    """

    def __init__(self, records: Iterable[object], keys: KeySchema, on_rejection: Watcher | None) -> None:
        self._records, self._encoder, self._watcher = records, DictEncoder(keys), on_rejection
        self._kept: list[RejectedRecord] = []
        self._reasons: Counter[str] = Counter()
        self.error: Exception | None = None

    @property
    def rejections(self) -> tuple[RejectedRecord, ...]:
        return tuple(sorted(self._kept, key=lambda one: one.index))

    @property
    def reasons(self) -> Mapping[str, int]:
        return dict(self._reasons.most_common())

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        """All records; ``after`` can only be the start."""
        if after.ordinal:
            raise PermanentFailure("an iterable cannot be read again")
        first, size = 0, 0
        entries: list[bytes | Rejection | None] = []
        hashes: list[bytes] = []
        encode = self._encoder.encode
        for record in self._read():
            try:
                line, key = encode(record)
                size += len(line)
                entries.append(line)
                hashes.append(key)
            except Refused as refused:
                entries.append(self._refuse(first + len(entries), record, refused))
                hashes.append(b"")
            if len(entries) >= BLOCK or size >= BLOCK_BYTES:
                yield ItemBlock(first=first, entries=entries, hashes=hashes)
                first, size, entries, hashes = first + len(entries), 0, [], []
        if entries:
            yield ItemBlock(first=first, entries=entries, hashes=hashes)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return self._note(
            RejectedRecord(index=ordinal, path="", reason=reason, key=self._encoder.key_of_line(body))
        )

    def _read(self) -> Iterator[object]:
        try:
            yield from self._records
        except Exception as error:
            self.error = error

    def _refuse(self, index: int, record: object, refused: Refused) -> Rejection:
        path, key = path_text(refused.path), self._encoder.readable_key(record)
        return self._note(RejectedRecord(index=index, path=path, reason=refused.reason, key=key))

    def _note(self, letter: RejectedRecord) -> Rejection:
        if len(self._kept) < MOST_KEPT:
            self._kept.append(letter)
        if letter.reason in self._reasons or len(self._reasons) < MOST_KEPT:
            self._reasons[letter.reason] += 1
        if self._watcher is not None:
            self._watcher(letter)
        return Rejection(ordinal=letter.index, offset=-1, reason=letter.reason, raw=b"", key=letter.key)


class CallLedger:
    """core.ports.Ledger of one call: it counts, and forgets with the call. Nobody else can claim the work."""

    def claim(self, work: Work, *, owner: str, lease: float) -> Claim:
        return Claim(work=work, owner=owner, epoch=1, position=Position(), counts=Counts())

    def advance(
        self,
        claim: Claim,
        position: Position,
        counts: Counts,
        rejections: Iterable[Rejection],
        *,
        lease: float,
    ) -> None:
        """The loader counts, the stream keeps the rejections."""

    def seal(self, claim: Claim, *, seconds: float) -> None:
        """Nothing is kept."""

    def fail(self, claim: Claim, reason: str, *, seconds: float) -> None:
        """Nothing is kept."""

    def release(self, claim: Claim, reason: str) -> None:
        """Nothing is kept."""

    def horizon(self, entity: str, target: str) -> int:
        return 0

    def status(self, entity: str | None = None, date: str | None = None) -> Sequence[WorkStatus]:
        return ()


def load_records(
    records: Iterable[object],
    table: str,
    *,
    key: KeySchema | None,
    create_table: bool,
    settings: Settings,
    on_rejection: Watcher | None = None,
) -> RecordsReport:
    """See ingest_project.import_records."""
    settings.require_write("dynamodb", table)
    caller: CallerThread[RecordsReport] = CallerThread(event_loop_factory())

    async def work() -> RecordsReport:
        destination = TableDestination(settings, create_table)
        try:
            keys = await destination.keys_of(table, key)
            if key is not None and key != keys:
                raise ConfigurationError(f"table {table} has the key {keys}, not {key}")
            stream = DictStream(records, keys, on_rejection)
            sink = await destination.open(table, keys)
            identity = await sink.identity()
            loader = _loader(sink, knobs_of(settings), caller)
            return await _load(
                loader, Work(chunk=_chunk(table, keys), stage="table", identity=identity), stream
            )
        finally:
            await destination.close()

    return caller.run(work)


async def _load(loader: Loader, work: Work, stream: DictStream) -> RecordsReport:
    result = await loader.load(work, stream, "import_records")
    counts = result.new
    report = RecordsReport(
        read=counts.sent,
        written=counts.written,
        superseded=counts.superseded,
        rejected=counts.rejected,
        rejections=stream.rejections,
        reasons=stream.reasons,
        seconds=result.seconds,
    )
    if stream.error is not None:
        raise RecordsInterrupted(report, stream.error) from stream.error
    return report


def _loader(sink: Sink, knobs: Knobs, caller: CallerThread[RecordsReport]) -> Loader:
    # The process is its user's: what memory it holds says nothing of this call, whose own is bounded.
    memory = MemoryWatch(policy=knobs.memory)
    return Loader(
        sink=sink,
        ledger=CallLedger(),
        retry=RetryPolicy(
            attempts=knobs.attempts, base=knobs.base_seconds, factor=knobs.factor, cap=knobs.cap_seconds
        ),
        budget=MemoryBudget(knobs.memory_bytes),
        governor=RateGovernor(time.monotonic, most=knobs.in_flight),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(),
        settings=LoadSettings(lease=math.inf),
        offload=caller.offload,
        memory=memory,
    )


def _chunk(table: str, keys: KeySchema) -> Chunk:
    """The records as the loader knows them: one chunk of unknown length."""
    return Chunk(
        entity="records",
        date="",
        slot=0,
        target=table,
        keys=keys,
        range=FileRange(uri="records:", etag="", start=0, end=0),
        shape="",
        compression="",
        records=0,
    )
