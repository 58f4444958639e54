"""The allocations of a warehouse as Dagster mirrors them, with few slots and under a name of their own.

What faults.deployed is for files: used in children that are killed, reads the environment of its process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.core.syncing import FULL
from ingest_project.entities.wms.spec import spec_of
from ingest_project.io_managers.cells import cell
from ingest_project.io_managers.dynamodb import DynamoDBIOManager
from ingest_project.io_managers.names import asset_key
from ingest_project.io_managers.opensearch import OpenSearchIOManager
from ingest_project.io_managers.s3 import S3IOManager
from ingest_project.orchestration.synced import build_synced_defs
from ingest_project.resources.clients import IngestResource
from ingest_project_tests.faults.deployed import ingest_resource, only_our_warnings, run_through
from ingest_project_tests.faults.world import DAY

SLOTS = 3
PLANNED = "planned"
STAGES = ("pages", "validated", "current", "history", "index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One run: ``("planned",)`` begins a full sync, other stages go over all slots of the day.

    Attributes:
        run_id: Its own name; ``root``: the first attempt that it repeats.
        target: Name of the table and of the index.
    """

    stages: tuple[str, ...]
    run_id: str
    target: str
    root: str = ""

    @property
    def tags(self) -> dict[str, str]:
        if self.stages == (PLANNED,):
            return {"dagster/partition": DAY}
        return {
            "dagster/asset_partition_range_start": cell(DAY, 0),
            "dagster/asset_partition_range_end": cell(DAY, SLOTS - 1),
        }


def mirror_spec(target: str) -> EntitySpec:
    return replace(spec_of("allocation"), slots=SLOTS, target_of=lambda uri: target)


def definitions(spec: EntitySpec, ingest: IngestResource) -> dg.Definitions:
    resources = {
        "ingest": ingest,
        "s3_io": S3IOManager(ingest=ingest),
        "dynamodb_io": DynamoDBIOManager(ingest=ingest),
        "opensearch_io": OpenSearchIOManager(ingest=ingest),
    }
    return dg.Definitions.merge(build_synced_defs(spec), dg.Definitions(resources=resources))


def execute(launch: Launch, instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Run it to its end in this process, without checks; a run that fails is told by its status."""
    spec = mirror_spec(launch.target)
    with only_our_warnings():
        begins = launch.stages == (PLANNED,)
        name = "wms_allocation_full" if begins else "wms_allocation_sync"
        whole = definitions(spec, ingest_resource()).resolve_job_def(name)
        keys = frozenset(asset_key(spec, stage) for stage in launch.stages)
        job = whole.get_subset(asset_selection=keys, asset_check_selection=set())
        config = {"ops": {"wms__allocation__planned": {"config": {"mode": FULL}}}} if begins else None
        return run_through(job, instance, launch.run_id, launch.tags, launch.root, config=config)
