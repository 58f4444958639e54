"""Desk: one world operated through Dagster in this process, on an instance in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import ChunkPlan, WorkStatus
from ingest_project.io_managers.cells import cell
from ingest_project.orchestration.partitions import grid_partitions
from ingest_project.resources.clients import IngestResource
from ingest_project_tests.faults.deployed import PLANNED, SLOTS, Launch, execute, ingest_resource, spec
from ingest_project_tests.faults.world import DAY, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a test does and sees. The world's variables must be this process's environment."""

    world: World
    instance: dg.DagsterInstance

    @property
    def ingest(self) -> IngestResource:
        return ingest_resource()

    @property
    def spec(self) -> EntitySpec:
        return spec()

    def table(self, name: str) -> str:
        """A table's name of this world's own."""
        return f"{self.world.table}-{name}"

    def run(self, *stages: str, day: str = DAY, **words: Any) -> dg.DagsterRun:
        launch = Launch(stages=stages, day=day, run_id=str(uuid.uuid4()), **words)
        return execute(launch, self.instance)

    def plan(self, day: str = DAY) -> ChunkPlan:
        found = self.ingest.plans().read("messages", day)
        assert found is not None
        return found

    def rows(self) -> dict[tuple[str, str], WorkStatus]:
        """(stage, chunk) -> the ledger's row."""
        return {(row.stage, row.chunk_id): row for row in self.ingest.ledger().status("messages")}

    def requests(self) -> dict[tuple[str, str], int]:
        """(stage, chunk) -> requests so far."""
        return {work: row.counts.requests for work, row in self.rows().items()}

    def partition_states(self, stage: str, day: str = DAY) -> dict[int, str]:
        """Slot -> MATERIALIZED, FAILED, or an empty text."""
        keys = {str(cell(day, slot)): slot for slot in range(SLOTS)}
        found = self.instance.get_status_by_partition(
            dg.AssetKey(["messages", stage]), list(keys), grid_partitions(self.spec)
        )
        assert found is not None
        return {slot: state.value if (state := found.get(key)) else "" for key, slot in keys.items()}

    def metadata(self, stage: str, slot: int, day: str = DAY) -> dict[str, Any]:
        """Of the latest materialization of a partition."""
        return self._latest(stage, str(cell(day, slot)))

    def plan_metadata(self, day: str = DAY) -> dict[str, Any]:
        return self._latest(PLANNED, day)

    def checks(self, run: dg.DagsterRun) -> dict[str, bool]:
        """Check -> whether it passed in that run; those that were not executed are missing."""
        events = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        found: dict[str, bool] = {}
        for entry in events:
            event = entry.dagster_event
            assert event is not None
            found[event.asset_check_evaluation_data.check_name] = event.asset_check_evaluation_data.passed
        return found

    def checks_passed(self, run: dg.DagsterRun) -> set[str]:
        return {name for name, passed in self.checks(run).items() if passed}

    def steps(self, run: dg.DagsterRun) -> set[str]:
        """Steps that were started in that run."""
        events = self.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
        return {entry.step_key or "" for entry in events}

    def _latest(self, stage: str, partition: str) -> dict[str, Any]:
        wanted = dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(["messages", stage]), asset_partitions=[partition]
        )
        record = self.instance.fetch_materializations(wanted, limit=1).records[0]
        found = record.asset_materialization
        assert found is not None
        return {name: value.value for name, value in found.metadata.items()}


@contextmanager
def operated(world: World) -> Iterator[Desk]:
    """A desk for the world; its variables are this process's environment meanwhile."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        for name, value in world.variables.items():
            patch.setenv(name, value)
        yield Desk(world=world, instance=instance)
