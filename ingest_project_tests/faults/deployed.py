"""The messages entity as Dagster runs it, with small chunks, parts and slots, and one function that runs a
job of it.

Used in this process and in children that are killed; reads the environment of the process it runs in.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from ingest_project.core.entity import EntitySpec
from ingest_project.entities.messages.spec import SPEC
from ingest_project.io_managers.cells import cell
from ingest_project.io_managers.dynamodb import DynamoDBIOManager
from ingest_project.io_managers.opensearch import OpenSearchIOManager
from ingest_project.io_managers.s3 import S3IOManager
from ingest_project.orchestration.entity import build_entity_defs
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.policies import BatchingPolicy, MemoryPolicy, RetryingPolicy
from ingest_project_tests.faults.world import DAY

SLOTS = 6
PLANNED, VALIDATED, TABLE, INDEX = "planned", "validated", "table", "index"
STAGES = (VALIDATED, TABLE, INDEX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One run to be made.

    Attributes:
        stages: ``("planned",)`` plans the day; others go over the slots from ``first`` to ``last``.
        run_id: Its own name; ``root``: the first attempt that it repeats.
        only_checks: The checks of the stages are executed, the stages are not; ``no_checks``: vice versa.
    """

    stages: tuple[str, ...]
    run_id: str
    day: str = DAY
    root: str = ""
    first: int = 0
    last: int = SLOTS - 1
    workers: int = 1
    across_dates: str = "newer_only"
    only_checks: bool = False
    no_checks: bool = False

    @property
    def tags(self) -> dict[str, str]:
        if self.stages == (PLANNED,):
            return {"dagster/partition": self.day}
        if self.first == self.last:
            key = cell(self.day, self.first)
            parts = {f"dagster/partition/{name}": value for name, value in key.keys_by_dimension.items()}
            return {"dagster/partition": str(key), **parts}
        return {
            "dagster/asset_partition_range_start": cell(self.day, self.first),
            "dagster/asset_partition_range_end": cell(self.day, self.last),
        }


def spec(across_dates: str = "newer_only") -> EntitySpec:
    return replace(SPEC, slots=SLOTS, across_dates=across_dates)


def ingest_resource(workers: int = 1) -> IngestResource:
    """Chunks of 1 MiB: files of some MiB have several."""
    return IngestResource(
        batching=BatchingPolicy(workers=workers, part_mb=1, min_chunk_mb=1),
        retrying=RetryingPolicy(base_seconds=0.05, cap_seconds=0.2),
        memory=MemoryPolicy(),
        settle_seconds=0.0,
    )


def definitions(workers: int = 1, across_dates: str = "newer_only") -> dg.Definitions:
    ingest = ingest_resource(workers)
    resources = {
        "ingest": ingest,
        "s3_io": S3IOManager(ingest=ingest),
        "dynamodb_io": DynamoDBIOManager(ingest=ingest),
        "opensearch_io": OpenSearchIOManager(ingest=ingest),
    }
    made = build_entity_defs(spec(across_dates))
    return dg.Definitions.merge(made, dg.Definitions(resources=resources))


@contextmanager
def only_our_warnings() -> Iterator[None]:
    """What Dagster says of parts in beta, and of its own use of its own deprecated parts, is no error
    here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=dg.BetaWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"dagster\.")
        yield


def asset_keys(stages: Sequence[str]) -> frozenset[dg.AssetKey]:
    return frozenset(dg.AssetKey(["messages", stage]) for stage in stages)


def execute(launch: Launch, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Run it to its end in this process; a run that fails is told by its status."""
    with only_our_warnings():
        made = definitions(launch.workers, launch.across_dates)
        keys = asset_keys(launch.stages)
        whole = made.resolve_job_def("messages_plan" if launch.stages == (PLANNED,) else "messages_load")
        if launch.only_checks:
            wanted = {key for key in made.resolve_asset_graph().asset_check_keys if key.asset_key in keys}
            keys, job = frozenset(), whole.get_subset(asset_selection=set(), asset_check_selection=wanted)
        else:
            checks: set[dg.AssetCheckKey] | None = set() if launch.no_checks else None
            job = whole.get_subset(asset_selection=keys, asset_check_selection=checks)
        # Given, Dagster would make the subset anew, and with all checks.
        selection = None if launch.no_checks else keys
        return run_through(job, instance, launch.run_id, launch.tags, launch.root, selection)


def run_through(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    run_id: str,
    tags: Mapping[str, str],
    root: str = "",
    selection: frozenset[dg.AssetKey] | None = None,
    config: Mapping[str, Any] | None = None,
) -> dg.DagsterRun:
    """A run of the job under this name, to its end. ``root``: the first attempt that it repeats."""
    run = instance.create_run_for_job(
        job_def=job,
        run_id=run_id,
        run_config=config,
        tags={**job.run_tags, **tags},
        root_run_id=root or None,
        parent_run_id=root or None,
        asset_selection=selection,
    )
    for _ in execute_run_iterator(InMemoryJob(job), run, instance):
        pass
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended
