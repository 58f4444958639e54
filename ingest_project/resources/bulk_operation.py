"""BulkOperation: published bulk objects -> a table, by DynamoDB itself: started once, watched, accounted for.

What the service loaded without an error counts in the ledger as written by the ``table`` stage; of anything
else nothing is counted, so that this stage sends it all and names each refused item.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ingest_project.core.errors import (
    ConfigurationError,
    CountLost,
    PermanentFailure,
    TargetMissing,
    TransientFailure,
)
from ingest_project.core.model import Chunk, Counts, KeySchema, Position, Work
from ingest_project.core.ports import Ledger
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.prices import QUOTAS, Quotas
from ingest_project.sinks import bulk_lanes, tables
from ingest_project.sinks.bulk_lanes import IMPORT, BulkSource, LaneStatus, PutOptions, Request
from ingest_project.sinks.bulk_objects import BulkManifest, BulkStore
from ingest_project.sinks.dynamodb_api import DynamoDBApi

STAGE = "table"
POLL_SECONDS = 10.0
QUIET_POLLS = 30
"""So many polls in a row may fail before the watching ends; the service works on."""

Sleep = Callable[[float], Awaitable[None]]
Tell = Callable[[LaneStatus], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOptions:
    """Which lane, and what it takes besides; see sinks.bulk_lanes.

    Attributes:
        owner: Account of the bucket when it is another one.
    """

    lane: str
    tier: str = bulk_lanes.TIERS[0]
    write_units: int | None = None
    owner: str = ""


class BulkOperation:
    """The service's work on one table's objects.

    Args:
        name: Id of the export: with the number of the attempt the token under which the service works once.
    """

    def __init__(
        self,
        settings: Settings,
        store: BulkStore,
        *,
        name: str,
        table: str,
        keys: KeySchema,
        compression: str,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings, self._store, self._name = settings, store, name
        self._table, self._keys, self._compression = table, keys, compression
        self._sleep = sleep

    def request(self, options: LaneOptions, token: str = "") -> Request:
        """What the service is or would be asked."""
        bucket = self._store.bucket
        source = BulkSource(
            bucket=bucket, prefix=self._store.prefix, compression=self._compression, owner=options.owner
        )
        token = token or self._token(0)
        if options.lane == IMPORT:
            return bulk_lanes.import_request(source, self._table, self._keys, token)
        put = PutOptions(
            bucket=bucket,
            prefix=self._store.failed_prefix,
            tier=options.tier,
            write_units=options.write_units,
        )
        return bulk_lanes.put_request(source, self._table, token, put)

    async def start(self, options: LaneOptions, manifest: BulkManifest) -> LaneStatus:
        """Start it, or find what an earlier call started.

        Raises:
            RemoteWriteRefused: The table is not on this machine and not allowed.
            ConfigurationError: The lane does not fit the table or the objects, or it was done before.
        """
        self._settings.require_write("dynamodb", self._table)
        refuse_beyond(manifest, options.lane, self._settings.region)
        async with dynamodb_api(self._settings) as api:
            known = self._store.operation()
            if known and known["arn"]:
                status = await bulk_lanes.describe(api, known["lane"], known["arn"])
                if not status.ended or status.clean:
                    return status
            attempt = known["attempt"] if known else 0
            if known and known["arn"]:
                attempt += 1
            await self._fit(api, options.lane, begun=bool(known and not known["arn"]))
            return await self._begin(api, options, attempt)

    async def status(self) -> LaneStatus | None:
        """How it stands; None when nothing was started."""
        known = self._store.operation()
        if not known or not known["arn"]:
            return None
        async with dynamodb_api(self._settings) as api:
            return await bulk_lanes.describe(api, known["lane"], known["arn"])

    async def wait(self, status: LaneStatus, tell: Tell) -> LaneStatus:
        """Watch it to its end.

        Raises:
            TransientFailure: The service did not tell for long; it works on, and can be watched again.
        """
        quiet = 0
        async with dynamodb_api(self._settings) as api:
            while not status.ended:
                tell(status)
                await self._sleep(POLL_SECONDS)
                try:
                    status = await bulk_lanes.describe(api, status.lane, status.arn)
                    quiet = 0
                except TransientFailure:
                    quiet += 1
                    if quiet >= QUIET_POLLS:
                        raise
        tell(status)
        return status

    async def identity(self) -> str:
        """Identity of the table that was filled, as its sink tells it."""
        async with dynamodb_api(self._settings) as api:
            return (await tables.describe(api, self._table)).identity

    def _token(self, attempt: int) -> str:
        return f"{self._name}-{attempt}"

    async def _begin(self, api: DynamoDBApi, options: LaneOptions, attempt: int) -> LaneStatus:
        """The token is noted before the call: killed in between, the next call is the same one."""
        request = self.request(options, self._token(attempt))
        noted = {"lane": options.lane, "attempt": attempt, "request": request, "arn": ""}
        self._store.note_operation(noted)
        status = await bulk_lanes.start(api, options.lane, request)
        self._store.note_operation({**noted, "arn": status.arn})
        return status

    async def _fit(self, api: DynamoDBApi, lane: str, *, begun: bool) -> None:
        """``begun``: a call may have reached the service and made the table."""
        try:
            found = await tables.describe(api, self._table)
        except TargetMissing:
            if lane == IMPORT:
                return
            raise ConfigurationError(
                f"table {self._table} does not exist: StartBulkPutItems takes an existing one, ImportTable "
                "makes it (--lane import)"
            ) from None
        if lane == IMPORT and not begun:
            raise ConfigurationError(
                f"table {self._table} exists: ImportTable makes a new one, StartBulkPutItems fills an "
                "existing one (--lane put)"
            )
        if found.keys != self._keys:
            raise ConfigurationError(f"table {self._table} has the key {found.keys}, not {self._keys}")


def refuse_beyond(manifest: BulkManifest, lane: str, region: str, quotas: Quotas = QUOTAS) -> None:
    """Raise ConfigurationError when the objects are more than the service takes at once."""
    largest = max((one.stored_bytes for one in manifest.objects), default=0)
    if len(manifest.objects) > quotas.bulk_objects:
        raise ConfigurationError(f"{len(manifest.objects)} objects, the service takes {quotas.bulk_objects}")
    if lane != IMPORT and largest > quotas.put_object_bytes:
        raise ConfigurationError(f"an object of {largest} bytes, the service takes {quotas.put_object_bytes}")
    if lane == IMPORT and manifest.stored_bytes > quotas.import_bytes(region):
        raise ConfigurationError(
            f"{manifest.stored_bytes} bytes of objects, ImportTable takes {quotas.import_bytes(region)} in "
            f"{region}"
        )


def settle(
    ledger: Ledger,
    manifest: BulkManifest,
    chunks: Sequence[Chunk],
    status: LaneStatus,
    identity: str,
    *,
    owner: str,
    lease: float,
) -> int:
    """Count what the service loaded as written by the ``table`` stage; how many chunks that were.

    Args:
        chunks: The table's; those that are not in the manifest are left as they are.
        identity: Of the table, as its sink tells it.

    Raises:
        PermanentFailure: The service refused items or gave up: nothing is counted.
        CountLost: It read another number of items than the objects hold.
        ChunkBusy: Chunks came since the losers were named, or somebody works on one.
    """
    if not status.clean:
        raise PermanentFailure(
            f"{status.lane} of {manifest.table}: {status.state}, {status.failed:,} of {status.processed:,} "
            f"items refused{_behind(status.failure)}{_behind(status.log)}"
        )
    if status.processed != manifest.items:
        raise CountLost(
            f"{manifest.table}: the service read {status.processed} items, its objects hold {manifest.items}"
        )
    held = {one.id: one for one in manifest.chunks}
    settled = 0
    for chunk in sorted((chunk for chunk in chunks if chunk.id in held), key=lambda chunk: chunk.order):
        work = Work(chunk=chunk, stage=STAGE, identity=identity, horizon=manifest.horizon)
        claim = ledger.claim(work, owner=owner, lease=lease)
        if claim.sealed:
            continue
        total, before = held[chunk.id], claim.counts
        superseded = total.superseded - before.superseded
        sent = total.records - before.sent
        counts = Counts(sent=sent, written=sent - superseded, superseded=superseded)
        ledger.advance(claim, Position(total.records), counts, (), lease=lease)
        if chunk.fault is None:
            ledger.seal(claim, seconds=0.0)
        else:
            fault = chunk.fault
            ledger.fail(claim, f"byte {fault.offset}: expected {fault.expected}", seconds=0.0)
        settled += 1
    return settled


def _behind(text: str) -> str:
    return f"; {text}" if text else ""
