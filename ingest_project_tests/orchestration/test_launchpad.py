"""The code location as Dagster loads it: what the Launchpad says reaches the engine, and sensors run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._grpc.impl import get_external_sensor_execution

from ingest_project_tests.faults.deployed import only_our_warnings
from ingest_project_tests.faults.world import DAY, record, wrapped
from ingest_project_tests.orchestration.desk import Desk

pytestmark = pytest.mark.dagster


@pytest.fixture(scope="module")
def location() -> dg.Definitions:
    with only_our_warnings():
        from ingest_project.definitions import defs

        defs.get_repository_def()
    return defs


def chunks_planned(location: dg.Definitions, desk: Desk, config: dict[str, Any]) -> int:
    with only_our_warnings():
        run = location.resolve_job_def("messages_plan").execute_in_process(
            instance=desk.instance, partition_key=DAY, run_config={"resources": config}
        )
    assert run.success
    return len(desk.plan().chunks)


@pytest.mark.parametrize(("config", "chunks"), [({}, 1), ({"batching": {"config": {"min_chunk_mb": 1}}}, 3)])
def test_a_limit_that_is_turned_in_the_launchpad_reaches_the_engine(
    location: dg.Definitions, desk: Desk, config: dict[str, Any], chunks: int
) -> None:
    good = [record(f"k{number}", "a", pad=8000) for number in range(330)]
    desk.world.put(DAY, f"{desk.world.table}-dump.json", wrapped(good), good)
    assert chunks == chunks_planned(location, desk, config)


def tick(location: dg.Definitions, sensor: str, home: Path) -> Any:
    """What the sensor answers to the daemon."""
    home.mkdir()
    origin = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="ingest_project.definitions"))
    with only_our_warnings(), dg.DagsterInstance.local_temp(str(home)) as instance:
        return get_external_sensor_execution(
            location.get_repository_def(), origin, instance.get_ref(), sensor, None, None, None, None, None
        )


@pytest.mark.parametrize("sensor", ["messages_inbox", "messages_local_inbox", "messages_indices"])
def test_a_sensor_gets_the_deployment_as_the_daemon_gives_it(
    location: dg.Definitions, desk: Desk, sensor: str, tmp_path: Path
) -> None:
    told = tick(location, sensor, tmp_path / "one")
    assert not hasattr(told, "error"), told


def test_the_sensor_of_indices_restores_what_a_killed_load_left(
    location: dg.Definitions, desk: Desk, tmp_path: Path
) -> None:
    left = {"settings": {"refresh_interval": {"former": "9s", "load": "-1"}}, "holders": {"gone": 1.0}}
    mark = {"ingest_project": {"made_for": desk.world.table, "load": left}}
    body = {"settings": {"index.refresh_interval": "-1"}, "mappings": {"_meta": mark}}
    desk.world.search("PUT", f"/{desk.world.table}", body)
    assert desk.world.table in tick(location, "messages_indices", tmp_path / "one").skip_message
    settings = desk.world.search("GET", f"/{desk.world.table}/_settings")[desk.world.table]["settings"]
    assert "9s" == settings["index"]["refresh_interval"]
    assert "nothing to restore" == tick(location, "messages_indices", tmp_path / "two").skip_message
