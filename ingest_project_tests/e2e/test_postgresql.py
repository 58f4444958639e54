"""A whole deployment with Dagster's storage and the ledger in PostgreSQL: sensors, daemon, runs; no browser.

What stands in the end is read with boto3, plain HTTP and plain SQL.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingest_project import local
from ingest_project.core.errors import IngestError
from ingest_project.local import ui
from ingest_project.local.postgresql import database
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import project_folder
from ingest_project.testing.running import RunningServer
from ingest_project_tests import readback
from ingest_project_tests.conftest import missing
from ingest_project_tests.e2e.dumps import BROKEN, BROKEN_RECORDS, GOOD, dump
from ingest_project_tests.e2e.running import PATIENCE, Deployment, Run, drop, started, wait_until

pytestmark = [pytest.mark.dagster, pytest.mark.slow, pytest.mark.timeout(900)]

GRID = ("validated", "table", "index")
LONG = 3 * PATIENCE
LARGE, LARGE_RECORDS = "letters", 10_000

BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
PLAN = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
EVENTS = """
query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message } } } } }
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, postgresql: RunningServer) -> Iterator[Deployment]:
    """deploy/postgres/dagster.yaml with a database for Dagster and one for the ledger."""
    home = tmp_path_factory.mktemp("postgresql")
    instance = home / "dagster"
    instance.mkdir()
    shutil.copy(project_folder() / "deploy" / "postgres" / "dagster.yaml", instance)
    with ExitStack() as stack:
        storage, ledger = (stack.enter_context(database(postgresql.url)) for _ in range(2))
        turned = {
            "DAGSTER_HOME": str(instance),
            "DAGSTER_POSTGRES_URL": storage.replace("postgresql:", "postgresql+psycopg2:"),
            "DAGSTER_LOCAL_STORAGE": str(home / "storage"),
            "INGEST_LEDGER_URL": ledger,
        }
        stack.callback(local.down, home, grace=0.5)
        stack.callback(ui.down, home)
        try:
            found = started(home, turned)
        except IngestError as error:
            missing(str(error))
        stack.callback(found.ledger.close)
        yield found


def wanted(records: int) -> dict[str, Any]:
    """What a dump leaves: the last record of each key."""
    return {item["id"]: item for item in json.loads(dump(records), parse_float=str, parse_int=str)["Items"]}


def in_table(deployment: Deployment, table: str) -> dict[str, Any]:
    """The table, numbers by their value."""
    endpoint = deployment.settings.dynamodb_endpoint
    assert endpoint is not None
    client = readback.boto("dynamodb", endpoint.url, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    try:
        return {key: readback.plain(item) for key, item in readback.items(client, table).items()}
    finally:
        client.close()


def in_index(deployment: Deployment, index: str) -> dict[str, Any]:
    endpoint = deployment.settings.opensearch_endpoint
    assert endpoint is not None
    found = readback.documents(endpoint.url, index)
    return {key: json.loads(source, parse_float=str, parse_int=str) for key, source in found.items()}


def accounts(deployment: Deployment, table: str) -> dict[str, tuple[str, int, int, int]]:
    """Stage -> state, records sent, written and superseded, from the ledger's own rows in PostgreSQL."""
    rows = readback.works(deployment.settings.ledger_url).values()
    return {
        row["stage"]: (row["state"], row["sent"], row["written"], row["superseded"])
        for row in rows
        if row["target"] == table and row["state"] != "failed"
    }


def test_sensor_daemon_and_runs_bring_every_good_record_to_its_table(deployment: Deployment) -> None:
    for table, records in GOOD.items():
        assert wanted(records) == in_table(deployment, table)
        assert wanted(records) == in_index(deployment, table)
        once = len(wanted(records))
        sealed = dict.fromkeys(("table", "index"), ("sealed", records, once, records - once))
        assert sealed | {"validated": ("sealed", records, records, 0)} == accounts(deployment, table)
    stored = readback.rows(
        _dagster_url(deployment), "SELECT status, count(*) AS runs FROM runs GROUP BY status"
    )
    assert {"SUCCESS", "FAILURE"} >= {row["status"] for row in stored}
    assert sum(row["runs"] for row in stored) == len(deployment.runs())
    assert not list(Path(deployment.settings.home).rglob("*.db"))


def test_of_the_load_exactly_the_truncated_file_failed(deployment: Deployment) -> None:
    for stage in GRID:
        found = deployment.slots(stage)
        assert (15, 1) == (len(found["materialized"]), len(found["failed"]))
    (failed,) = [
        row
        for row in readback.rows(deployment.settings.ledger_url, "SELECT * FROM ingest_files")
        if row["state"] == "failed"
    ]
    assert f"{BROKEN}-dump.json" in failed["uri"]


def test_a_backfill_of_the_failed_partition_repairs_it(deployment: Deployment) -> None:
    deployment.stop_inbox_sensor()
    settings = deployment.settings
    key = f"{settings.inbox_prefix}messages/{deployment.day}/{BROKEN}-dump.json"
    client = s3_client(settings)
    client.put_object(Bucket=settings.bucket, Key=key, Body=dump(BROKEN_RECORDS))
    client.close()
    (failed,) = deployment.slots("table")["failed"]
    _launch_plan(deployment)
    params = {
        "assetSelection": [{"path": ["messages", stage]} for stage in GRID],
        "partitionNames": [f"{deployment.day}|{failed}"],
    }
    answer = deployment.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    tag = {"dagster/backfill": answer["backfillId"]}
    wait_until("the backfill's run ends", lambda: [run.ended for run in deployment.runs(**tag)] == [True])
    assert [run.status for run in deployment.runs(**tag)] == ["SUCCESS"]
    for stage in GRID:
        assert (16, 0) == tuple(len(deployment.slots(stage)[state]) for state in ("materialized", "failed"))
    assert wanted(BROKEN_RECORDS) == in_table(deployment, BROKEN)
    assert wanted(BROKEN_RECORDS) == in_index(deployment, BROKEN)
    deployment.start_inbox_sensor()


def test_a_worker_killed_in_the_middle_is_retried_by_the_daemon_and_nothing_is_lost(
    deployment: Deployment,
) -> None:
    drop(deployment.settings, deployment.day, LARGE, dump(LARGE_RECORDS))

    def under_way() -> bool:
        """The table's stage has something durable and something left."""
        state, sent, *_ = accounts(deployment, LARGE).get("table", ("", 0))
        return state == "claimed" and 0 < sent < LARGE_RECORDS

    wait_until("the table is being written", under_way, timeout=LONG, pause=0.05)
    (killed,) = [run for run in deployment.runs() if not run.ended and "ingest/phase" in run.tags]
    psutil.Process(_worker(deployment, killed)).kill()
    wait_until("Dagster notices", lambda: _status(deployment, killed) == "FAILURE")
    wait_until(
        "the run is retried to its end", lambda: _retried(deployment, killed) == ["SUCCESS"], timeout=LONG
    )
    assert wanted(LARGE_RECORDS) == in_table(deployment, LARGE)
    assert wanted(LARGE_RECORDS) == in_index(deployment, LARGE)
    once = len(wanted(LARGE_RECORDS))
    assert ("sealed", LARGE_RECORDS, once, LARGE_RECORDS - once) == accounts(deployment, LARGE)["table"]
    wait_until("the file is consumed", lambda: _file_states(deployment, LARGE) == {"consumed"})


def _worker(deployment: Deployment, run: Run) -> int:
    """Process id of the run's worker, as Dagster has logged it."""
    events = deployment.ask(EVENTS, run=run.id)["logsForRun"]["events"]
    said = " ".join(event.get("message", "") for event in events)
    found = re.search(r"Started process for run \(pid: (\d+)\)", said)
    assert found is not None, said
    return int(found[1])


def _file_states(deployment: Deployment, table: str) -> set[str]:
    """Of the file in the local folder and of its copy in the bucket."""
    found = readback.rows(deployment.settings.ledger_url, "SELECT uri, state FROM ingest_files")
    return {row["state"] for row in found if row["uri"].endswith(f"/{table}-dump.json")}


def _status(deployment: Deployment, run: Run) -> str:
    return next(one.status for one in deployment.runs() if one.id == run.id)


def _retried(deployment: Deployment, run: Run) -> list[str]:
    return [one.status for one in deployment.runs(**{"dagster/parent_run_id": run.id})]


def _launch_plan(deployment: Deployment) -> None:
    selector = {
        "repositoryLocationName": "ingest_project",
        "repositoryName": "__repository__",
        "jobName": "messages_plan",
    }
    tags = [{"key": "dagster/partition", "value": deployment.day}]
    params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
    answer = deployment.ask(PLAN, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run = answer["run"]["runId"]
    wait_until("the plan is made", lambda: next(r.ended for r in deployment.runs() if r.id == run))
    assert next(r.status for r in deployment.runs() if r.id == run) == "SUCCESS"


def _dagster_url(deployment: Deployment) -> str:
    """Database of Dagster's own tables."""
    environ = psutil.Process(deployment.ui.mark.pid).environ()
    return environ["DAGSTER_POSTGRES_URL"].replace("+psycopg2", "")
