"""Visit: the syncs of one entity in this process: the deployment's API, ledger and stores put together.

Used by Dagster's assets and by the command line alike. Decides nothing: see resources.syncing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import ConfigurationError, TargetMissing
from ingest_project.core.landed import base_plan
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.ports import Progress
from ingest_project.core.syncing import DELETES, DONE, FULL, SINCE, SliceOutcome, Sync
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.api_access import Visit as Kind
from ingest_project.resources.api_client import paged_api
from ingest_project.resources.assembly import plan_store
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.engine import event_loop_factory, quiet
from ingest_project.resources.sync_export import SyncExport
from ingest_project.resources.syncing.cutting import Grid
from ingest_project.resources.syncing.landing import page_store
from ingest_project.resources.syncing.syncer import Syncer, SyncSettings
from ingest_project.sinks.tables import get_items
from ingest_project.sources.rest_api import RestApi

KINDS: Mapping[str, Kind] = {FULL: "full", SINCE: "since", DELETES: "deletes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sync that can be read.

    Attributes:
        warnings: What a person must know of the source's fields.
    """

    sync: Sync
    warnings: tuple[str, ...] = ()


class Visit:
    """Begins and reads syncs of one entity; use as a context manager.

    Args:
        owner: Name under which slices are claimed: what its dead predecessor of that name held is free.

    Raises:
        ConfigurationError: The entity has no source, or there is no API.
    """

    def __init__(self, spec: EntitySpec, settings: Settings, owner: str) -> None:
        if not spec.source:
            raise ConfigurationError(f"{spec.name} is not read from an API")
        settings.wms.require()
        self._spec, self._settings, self._owner = spec, settings, owner
        self.ledger = SqlLedger(settings.ledger_url)
        self._runner = asyncio.Runner(loop_factory=event_loop_factory())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.close()
        self.ledger.close()

    def begin(self, mode: str, date: str) -> Begun:
        """The sync of this mode that is to be read: the open one, or a new one in this date's partition.

        Raises:
            NothingToFollow: It needs what an earlier sync brings.
            PermanentFailure, TransientFailure: The API's.
        """
        begun = self._runner.run(self._begin(mode, date))
        plans = plan_store(self._settings)
        if plans.read(self._spec.name, begun.sync.date) is None:
            plans.write(base_plan(self._spec, begun.sync.date))
        return begun

    def read(
        self, date: str, slots: Collection[int] | None = None, progress: Progress = quiet
    ) -> list[SliceOutcome]:
        """Read what is not through in these slots of a date; see Syncer.read_slices."""
        return self._runner.run(self._read(date, slots, progress))

    async def _begin(self, mode: str, date: str) -> Begun:
        async with paged_api(self._settings, KINDS[mode]) as api:
            warnings = await self._review(api)
            return Begun(sync=await self._syncer(api).plan_sync(mode, date), warnings=warnings)

    async def _review(self, api: RestApi) -> tuple[str, ...]:
        spec = self._spec
        if spec.described is None:
            return ()
        fields = await api.describe(spec.source)
        return tuple(await asyncio.to_thread(spec.described.review, self.ledger.fields, spec.name, fields))

    async def _read(self, date: str, slots: Collection[int] | None, progress: Progress) -> list[SliceOutcome]:
        known = await asyncio.to_thread(self.ledger.syncs.slices, self._spec.name, date)
        open_ones = (one.slice for one in known if one.state != DONE)
        left = {part.mode for part in open_ones if slots is None or part.slot in slots}
        if not left:
            return []
        mine = [one for one in known if slots is None or one.slice.slot in slots]
        folder = self._settings.home / "metrics"
        async with paged_api(self._settings, "full" if FULL in left else "since") as api:
            with SyncExport(folder, self._spec.name, mine) as export:

                def told(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
                    progress(stage, chunk, done, counts)
                    export(stage, chunk, done, counts)

                return await self._syncer(api).read_slices(date, slots, told)

    def _syncer(self, api: RestApi) -> Syncer:
        spec, access = self._spec, self._settings.wms
        run_seconds = {mode: access.timing(kind).run for mode, kind in KINDS.items()}
        return Syncer(
            api,
            self.ledger.syncs,
            page_store(self._settings),
            entity=spec.name,
            owner=self._owner,
            resource=spec.source,
            settings=SyncSettings(
                overlap=access.overlap_seconds,
                at_once=access.at_once,
                grid=Grid(slots=spec.slots, page_rows=access.page_size),
                run_seconds=run_seconds,
            ),
            last_values=self._last_values if "current" in spec.destinations else None,
        )

    async def _last_values(self, entity: str, ids: Sequence[int]) -> Mapping[int, bytes]:
        """core.syncing.LastValues: what the current table holds of these ids."""
        (name, kind), *_ = self._spec.default_keys.parts
        async with dynamodb_api(self._settings) as api:
            try:
                found = await get_items(
                    api, self._spec.target_of(""), [{name: {kind: str(one)}} for one in ids]
                )
            except TargetMissing:
                return {}
        return {int(item[name][kind]): msgspec.json.encode(item) for item in found}
