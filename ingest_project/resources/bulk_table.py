"""BulkTable: the validated records of one table and the service's bulk lanes, from objects to ledger.

The command line's way to BulkExport and BulkOperation; prints nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.core.model import Chunk
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.assembly import Assembly
from ingest_project.resources.bulk_export import BulkExport, BulkOptions, Selected, Watch, unwatched
from ingest_project.resources.bulk_operation import BulkOperation, LaneOptions, Sleep, Tell, settle
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.owner import new_owner
from ingest_project.resources.table_records import TableRecords
from ingest_project.sinks.bulk_lanes import LaneStatus, Request
from ingest_project.sinks.bulk_objects import BulkManifest, BulkStore, exports

T = TypeVar("T")


def unheard(status: LaneStatus) -> None:
    """A Tell that tells nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """What became of an export and of the service's work on it.

    Attributes:
        status: None when nothing was started.
        settled: Chunks that count as written by the ``table`` stage since this call.
        problem: Why they do not all count; empty when they do or the work goes on.
    """

    manifest: BulkManifest
    status: LaneStatus | None = None
    settled: int = 0
    problem: str = ""


class BulkTable:
    """One table of one entity.

    Args:
        dates: Only chunks of these; empty is all.
        sleep: Of the watching; ``nap`` of the storing.
    """

    def __init__(
        self,
        spec: EntitySpec,
        settings: Settings,
        table: str,
        options: BulkOptions,
        *,
        dates: Sequence[str] = (),
        watch: Watch = unwatched,
        tell: Tell = unheard,
        sleep: Sleep = asyncio.sleep,
        nap: Callable[[float], None] = time.sleep,
        rng: Random | None = None,
    ) -> None:
        self._spec, self._settings, self._table = spec, settings, table
        self._options, self._dates = options.placed(settings), frozenset(dates)
        self._watch, self._tell, self._sleep, self._nap = watch, tell, sleep, nap
        self._rng, self._owner = rng or Random(), new_owner()

    def prepare(self) -> BulkManifest:
        """Make the objects; see BulkExport.prepare."""
        return self._export(self._chunks()).prepare()

    def rehearse(self, options: LaneOptions) -> tuple[Selected, Request]:
        """What would be exported and asked; nothing is written."""
        chunks = self._chunks()
        export = self._export(chunks)
        selected = export.select()
        operation = self._operation(export.store(selected), selected.id, chunks, self._options.compression)
        return selected, operation.request(options)

    def start(self, options: LaneOptions, *, wait: bool) -> BulkOutcome:
        """Make what is missing of the objects, let the service load them, and count what it loaded.

        Raises:
            ConfigurationError, RemoteWriteRefused: Nothing was started.
            TransientFailure: The same call goes on.
        """
        self._settings.require_write("dynamodb", self._table)
        chunks = self._chunks()
        export = self._export(chunks)
        manifest = export.prepare()
        store = self._store(manifest.id, manifest.compression)
        operation = self._operation(store, manifest.id, chunks, manifest.compression)
        status = self._run(operation.start(options, manifest))
        return self._followed(operation, manifest, chunks, status, wait=wait)

    def status(self, *, wait: bool) -> list[BulkOutcome]:
        """How every export of the table stands; what has ended well since the last look is counted."""
        chunks, found = self._chunks(), []
        names = exports(
            s3_client(self._settings),
            self._options.bucket,
            self._options.root,
            self._spec.name,
            self._table,
        )
        for name in names:
            store = self._store(name, self._options.compression)
            manifest = store.manifest()
            if manifest is None:
                continue
            operation = self._operation(store, name, chunks, manifest.compression)
            status = self._run(operation.status())
            outcome = BulkOutcome(manifest=manifest)
            if status is not None:
                outcome = self._followed(operation, manifest, chunks, status, wait=wait)
            found.append(outcome)
        return found

    def _followed(
        self,
        operation: BulkOperation,
        manifest: BulkManifest,
        chunks: Sequence[Chunk],
        status: LaneStatus,
        *,
        wait: bool,
    ) -> BulkOutcome:
        if wait:
            status = self._run(operation.wait(status, self._tell))
        if not status.ended:
            return BulkOutcome(manifest=manifest, status=status)
        ledger = SqlLedger(self._settings.ledger_url)
        try:
            identity = self._run(operation.identity()) if status.clean else ""
            settled = settle(
                ledger,
                manifest,
                chunks,
                status,
                identity,
                owner=self._owner,
                lease=self._settings.limits.lease_seconds,
            )
        except PermanentFailure as error:
            return BulkOutcome(manifest=manifest, status=status, problem=str(error))
        finally:
            ledger.close()
        return BulkOutcome(manifest=manifest, status=status, settled=settled)

    def _chunks(self) -> list[Chunk]:
        found = TableRecords(settings=self._settings, entity=self._spec.name, table=self._table).chunks()
        chunks = [chunk for chunk in found if not self._dates or chunk.date in self._dates]
        if not chunks:
            raise ConfigurationError(
                f"the part store has no validated records of table {self._table}, entity {self._spec.name}"
            )
        if len({chunk.keys for chunk in chunks}) > 1:
            raise ConfigurationError(f"the chunks of {self._table} were planned with several keys")
        return chunks

    def _export(self, chunks: Sequence[Chunk]) -> BulkExport:
        assembly = Assembly(
            settings=self._settings, spec=self._spec, owner=self._owner, knobs=knobs_of(self._settings)
        )
        return BulkExport(
            assembly,
            self._table,
            chunks,
            self._options,
            sleep=self._nap,
            rng=self._rng,
            watch=self._watch,
        )

    def _store(self, name: str, compression: str) -> BulkStore:
        return BulkStore(
            s3_client(self._settings),
            self._options.bucket,
            self._options.root,
            entity=self._spec.name,
            table=self._table,
            name=name,
            compression=compression,
        )

    def _operation(
        self, store: BulkStore, name: str, chunks: Sequence[Chunk], compression: str
    ) -> BulkOperation:
        return BulkOperation(
            self._settings,
            store,
            name=name,
            table=self._table,
            keys=chunks[0].keys,
            compression=compression,
            sleep=self._sleep,
        )

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            return runner.run(coroutine)
