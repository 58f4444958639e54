"""The migration in Dagster: from the tables to the marker in one run, each segment's partition for itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest_project.entities.conversations.table_assets import tables
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.clients import IngestResource
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.testing.conversation_messages import Messages, write_messages
from ingest_project.wire.http import run
from ingest_project_tests.faults.deployed import only_our_warnings
from ingest_project_tests.sinks.sending import dynamodb_api

with only_our_warnings():
    from ingest_project.entities.conversations import step_assets
    from ingest_project.entities.conversations.alert_checks import ALERTS, watch
    from ingest_project.entities.conversations.defs import defs

pytestmark = pytest.mark.dagster
COUNT = 40
FIRST, LAST = "00", f"{step_assets.SLOTS - 1:02d}"
RANGE = {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": LAST}


@pytest.fixture(autouse=True)
def _no_beta() -> Iterator[None]:
    with only_our_warnings():
        yield


@pytest.fixture
def old(dynamodb_endpoint: str, table_name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An old table with rows, in a deployment of its own names; gives its name."""
    names = {word: f"{table_name}-{word}" for word in tables_of()}
    told = ",".join(f"{word}={name}" for word, name in names.items())
    for name, value in {
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "INGEST_CONVERSATIONS_TABLES": told,
        "INGEST_CONVERSATIONS_ENCODER": "hashing",
        "INGEST_CONVERSATIONS_SEGMENTS": "3",
    }.items():
        monkeypatch.setenv(name, value)

    async def fill() -> None:
        async with dynamodb_api(dynamodb_endpoint) as api:
            await ensure_table(api, tables_of(names)["old"])
            await write_messages(Messages(count=COUNT, users=3), DynamoDBSink(api, names["old"]))

    run(fill)
    return names["old"]


class Runs:
    """Materializes on one instance."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self._resources = {"ingest": IngestResource(home=str(home))}
        self._instance = instance

    def __call__(self, *assets: Any, tags: dict[str, str] | None = None, **config: Any) -> Any:
        ops = {"__".join(asset.key.path): {"config": config} for asset in assets} if config else {}
        return dg.materialize(
            list(assets),
            instance=self._instance,
            resources=self._resources,
            tags=tags,
            run_config={"ops": ops},
            raise_on_error=False,
        )

    def status(self, asset: dg.AssetsDefinition) -> dict[str, str]:
        found = self._instance.get_status_by_partition(
            asset.key, [FIRST, "01", "02", LAST], step_assets.SEGMENTS
        )
        return {key: status.value for key, status in (found or {}).items() if status is not None}


def test_a_table_is_migrated_from_plan_to_marker_and_cleaned_up_by_word_alone(old: str, home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = Runs(home, instance)
        assert runs(tables).success
        planned = runs(step_assets.plan)
        (event,) = planned.asset_materializations_for_node("conversations__plan")
        hash_ = str(event.metadata["hash"].value)
        assert runs(step_assets.history, tags=RANGE).success
        early = runs(step_assets.cut_over, confirm=hash_)
        assert "is not cut over" in why(early)
        assert runs(step_assets.embeddings, tags=RANGE).success
        assert {FIRST: "MATERIALIZED", "01": "MATERIALIZED", "02": "MATERIALIZED", LAST: "MATERIALIZED"} == (
            runs.status(step_assets.embeddings)
        )
        again = runs(step_assets.history, tags=RANGE, again=True)
        counted = again.asset_materializations_for_node("conversations__history")
        assert COUNT == sum(
            _number(one, "unchanged") for one in counted if one.partition in ("00", "01", "02")
        ) / (len(counted) / step_assets.SLOTS)
        done = runs(step_assets.verified)
        (check,) = done.get_asset_check_evaluations()
        assert (True, "nothing_differs") == (check.passed, check.check_name)
        assert runs(step_assets.cut_over, confirm=hash_).success
        refused = step_assets.clean_up.execute_in_process(
            instance=instance,
            resources={"ingest": IngestResource(home=str(home))},
            run_config={"ops": {step_assets.delete_old.name: {"config": {"confirm": hash_}}}},
            raise_on_error=False,
        )
        assert "stays until" in why(refused)


def why(done: dg.ExecuteInProcessResult) -> str:
    """Why a run failed; empty when it did not."""
    return " ".join(str(event.event_specific_data) for event in done.all_node_events if event.is_failure)


def _number(event: dg.AssetMaterialization, name: str) -> int:
    return int(str(event.metadata[name].value))


def test_what_differs_fails_the_blocking_check_and_is_named(old: str, home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = Runs(home, instance)
        assert runs(tables).success
        assert runs(step_assets.plan).success
        assert runs(step_assets.history, tags=RANGE).success
        done = runs(step_assets.verified)
        (check,) = done.get_asset_check_evaluations()
        assert not check.passed
        assert check.blocking
        assert "missing embedding" in str(check.description)


def test_alerts_are_checks_of_the_tables(old: str, home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = Runs(home, instance)
        assert runs(tables).success
        done = dg.materialize(
            [tables, watch],
            selection=dg.AssetSelection.checks(watch),
            instance=instance,
            resources={"ingest": IngestResource(home=str(home))},
        )
        found = {one.check_name: one for one in done.get_asset_check_evaluations()}
        assert {"memory_is_sound", *(one.name for one in ALERTS)} == found.keys()
        assert found["memory_is_sound"].passed
        assert "# EOF" in str(found["context_time"].metadata["openmetrics"].value)


def test_the_definitions_are_whole(home: Path) -> None:
    resources = dg.Definitions(resources={"ingest": IngestResource(home=str(home))})
    whole = dg.Definitions.merge(defs, resources)
    graph = whole.resolve_asset_graph()
    assert {"tables", "plan", "history", "embeddings", "verified", "cut_over"} == {
        key.path[-1] for key in graph.get_all_asset_keys()
    }
    assert {"conversations_clean_up", "conversations_watch"} <= {
        job.name for job in whole.resolve_all_job_defs()
    }
