"""An entity that is mirrored over an API, through Dagster on real servers: a simulated warehouse on one side,
tables and index on the other, jobs and sensor between them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pytest

from ingest_project.core.paging import instant
from ingest_project.core.restarting import PAUSE_SECONDS
from ingest_project.core.syncing import DELETES, DONE, FULL, SINCE
from ingest_project.io_managers.cells import cell
from ingest_project.io_managers.names import asset_key
from ingest_project.orchestration.partitions import grid_partitions
from ingest_project.orchestration.synced import build_jobs
from ingest_project.orchestration.visiting import build_sync_sensor
from ingest_project.testing.wms_running import RunningWms, Simulators
from ingest_project_tests import readback
from ingest_project_tests.faults.deployed import ingest_resource, only_our_warnings
from ingest_project_tests.faults.mirrored import SLOTS, definitions, mirror_spec
from ingest_project_tests.faults.world import DAY, World, new_world
from ingest_project_tests.orchestration.desk import operated

pytestmark = [pytest.mark.dagster, pytest.mark.slow]

ROWS = 500


class Mirror:
    """The allocations of a simulated warehouse under names of their own."""

    def __init__(self, world: World, instance: dg.DagsterInstance, warehouse: RunningWms) -> None:
        self.world, self.instance, self.warehouse = world, instance, warehouse
        self.target = f"wms-{uuid.uuid4().hex[:8]}"
        self.spec = mirror_spec(self.target)
        self.ingest = ingest_resource()
        self.now = time.time()
        with only_our_warnings():
            self.defs = definitions(self.spec, self.ingest)
            self.sensor = build_sync_sensor(self.spec, build_jobs(self.spec)["sync"], lambda: self.now)

    def begin(self, mode: str) -> bool:
        with only_our_warnings():
            job = self.defs.resolve_job_def(f"wms_allocation_{mode}")
            return job.execute_in_process(
                instance=self.instance, partition_key=DAY, raise_on_error=False
            ).success

    def asked(self) -> list[dg.RunRequest]:
        """What the sensor asks for now."""
        resources = {"ingest": self.ingest}
        with (
            only_our_warnings(),
            dg.build_sensor_context(instance=self.instance, resources=resources) as context,
        ):
            result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        return list(result.run_requests or [])

    def run(self, request: dg.RunRequest) -> bool:
        return self._execute(dict(request.tags), list(request.asset_selection or []))

    def materialize_alone(self, stage: str, slot: int) -> bool:
        """One cell of one asset, as from the UI."""
        key = cell(DAY, slot)
        parts = {f"dagster/partition/{name}": value for name, value in key.keys_by_dimension.items()}
        return self._execute({"dagster/partition": str(key), **parts}, [asset_key(self.spec, stage)])

    def _execute(self, tags: dict[str, str], selection: list[dg.AssetKey]) -> bool:
        with only_our_warnings():
            job = self.defs.resolve_job_def("wms_allocation_sync")
            return job.execute_in_process(
                instance=self.instance, tags=tags, asset_selection=selection, raise_on_error=False
            ).success

    def sync(self, mode: str) -> None:
        """Begin, and whatever the sensor asks for until it is content."""
        assert self.begin(mode)
        (request,) = self.asked()
        assert self.run(request)
        assert [] == self.asked()

    def states(self, stage: str) -> dict[int, str]:
        keys = {str(cell(DAY, slot)): slot for slot in range(SLOTS)}
        found = self.instance.get_status_by_partition(
            asset_key(self.spec, stage), list(keys), grid_partitions(self.spec)
        )
        assert found is not None
        return {slot: state.value if (state := found.get(key)) else "" for key, slot in keys.items()}

    def truth(self) -> dict[int, int]:
        """Id -> version of the rows that exist."""
        return {row["id"]: 2 * instant(row["mod_ts"]) for row in self.warehouse.truth("allocation")}

    def current(self) -> dict[int, Mapping[str, Any]]:
        return {int(key): item for key, item in readback.items(self.world.dynamodb, self.target).items()}

    def standing(self) -> dict[int, int]:
        """Id -> version of the rows in the table that are no tombstones: their versions are odd."""
        versions = {key: int(item["version"]["N"]) for key, item in self.current().items()}
        return {key: version for key, version in versions.items() if version % 2 == 0}

    def indexed(self) -> dict[int, int]:
        found = {key: int(one["version"]) for key, one in self.world.in_index(self.target).items()}
        return {int(key): version for key, version in found.items() if version % 2 == 0}


@pytest.fixture
def mirror(
    services: Any, s3: Any, dynamodb: Any, tmp_path_factory: Any, start_wms: Simulators
) -> Iterator[Mirror]:
    rates = ("--inserts", "0.02", "--updates", "0.05", "--deletes", "0.02")
    login = ("--user", "demo", "--password", "secret")
    warehouse = start_wms("--rows", str(ROWS), "--seed", "3", "--ties", "40", *rates, *login)
    world = new_world(services, s3, dynamodb, tmp_path_factory)
    world.turned |= {
        "INGEST_WMS_URL": warehouse.url,
        "INGEST_WMS_USER": "demo",
        "INGEST_WMS_PASSWORD": "secret",
        "INGEST_WMS_PAGE_SIZE": "50",
        "INGEST_WMS_QUOTA": "1000",
    }
    with operated(world) as desk:
        yield Mirror(world, desk.instance, warehouse)


def test_a_mirror_follows_its_warehouse_through_full_since_and_deletes(mirror: Mirror) -> None:
    mirror.sync(FULL)
    truth = mirror.truth()
    assert ROWS == len(truth)
    assert truth == mirror.standing()
    assert truth == mirror.indexed()
    mirror.warehouse.control("advance", seconds=600)
    mirror.sync(SINCE)
    mirror.sync(DELETES)
    changed = mirror.truth()
    assert changed.keys() != truth.keys()
    assert changed == mirror.standing()
    assert changed == mirror.indexed()
    gone = mirror.current().keys() - changed.keys()
    assert gone >= truth.keys() - changed.keys()
    history = mirror.world.dynamodb.scan(TableName=f"{mirror.target}-history")["Items"]
    versions = {(int(item["id"]["N"]), int(item["version"]["N"])) for item in history}
    assert versions >= set(truth.items()) | set(changed.items())
    assert len(versions) == len(history)


def test_a_slice_that_is_not_through_is_one_red_partition_and_is_repaired_alone(mirror: Mirror) -> None:
    assert mirror.begin(FULL)
    (request,) = mirror.asked()
    syncs = mirror.ingest.ledger().syncs
    held = syncs.slices(mirror.spec.name, DAY)[-1].slice
    claim = syncs.claim(held, owner="somebody else", lease=600.0)
    assert claim is not None
    assert [] == mirror.asked()
    assert not mirror.run(request)
    expected = {slot: "FAILED" if slot == held.slot else "MATERIALIZED" for slot in range(SLOTS)}
    assert expected == mirror.states("pages")
    (deliver,) = mirror.asked()
    assert "deliver" in str(deliver.run_key)
    assert mirror.run(deliver)
    assert 0 < len(mirror.current()) < ROWS
    syncs.fail(claim, "the test let go of it", seconds=0.0)
    assert [] == mirror.asked()
    mirror.now += PAUSE_SECONDS + 60
    (again,) = mirror.asked()
    assert "sync" in str(again.run_key)
    done = sum(one.pages for one in syncs.slices(mirror.spec.name, DAY))
    assert mirror.materialize_alone("pages", held.slot)
    assert set(mirror.states("pages").values()) == {"MATERIALIZED"}
    slices = syncs.slices(mirror.spec.name, DAY)
    assert {DONE} == {one.state for one in slices}
    read = next(one.pages for one in slices if one.slice == held)
    assert done + read == sum(one.pages for one in slices)
    (rest,) = mirror.asked()
    assert mirror.run(rest)
    assert mirror.truth() == mirror.standing()
