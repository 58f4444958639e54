"""A whole deployment for the browser tests: embedded services, Dagster, and questions to its GraphQL door.

Asks and waits only; what is clicked is in the tests.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest_project import local
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import ui
from ingest_project.local.ui import Ui
from ingest_project.resources.deployments import (
    Settings,
    child_environment,
    load_settings,
    project_folder,
)
from ingest_project_tests.e2e.dumps import BROKEN, BROKEN_RECORDS, GOOD, dump, truncated

PATIENCE = 120.0
"""Seconds for anything that a run, a sensor or a page does: ten times what a quiet machine needs."""

STATUSES = """
query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetPartitionStatuses {
  ... on MultiPartitionStatuses { ranges { primaryDimStartKey secondaryDim { ... on DefaultPartitionStatuses {
    materializedPartitions failedPartitions materializingPartitions } } } } } } } }
"""
RUNS = """
query($filter: RunsFilter) { runsOrError(filter: $filter, limit: 100) { ... on Runs { results {
  runId status jobName tags { key value } assetSelection { path } } } } }
"""
SENSOR = """
query($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) {
  ... on Sensor { sensorState { id } } } }
"""
STOP_SENSOR = "mutation($id: String) { stopSensor(id: $id) { __typename } }"
START_SENSOR = "mutation($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) { __typename } }"
INBOX = {
    "repositoryName": "__repository__",
    "repositoryLocationName": "ingest_project",
    "sensorName": "messages_inbox",
}


def wait_until(
    what: str,
    holds: Callable[[], object],
    *,
    timeout: float = PATIENCE,
    pause: float = 0.5,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask every ``pause`` seconds until the answer is true; fails with ``what`` when the time is over."""
    deadline = clock() + timeout
    while not holds():
        assert clock() < deadline, f"not within {timeout:.0f} s: {what}"
        sleep(pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as the run list tells it."""

    id: str
    status: str
    job: str
    tags: dict[str, str]
    assets: list[str]

    @property
    def ended(self) -> bool:
        return self.status in ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What runs, and the date under which the dumps were dropped."""

    settings: Settings
    ui: Ui
    ledger: SqlLedger
    day: str

    def ask(self, query: str, **variables: object) -> Any:
        """The ``data`` of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.ui.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            found = json.load(answer)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def slots(self, stage: str) -> dict[str, list[str]]:
        """Slots of the day that are ``materialized`` and ``failed``, of one grid asset: a stage of messages,
        or a whole path."""
        path = stage.split("/") if "/" in stage else ["messages", stage]
        found = self.ask(STATUSES, key={"path": path})["assetNodeOrError"]
        for part in found["assetPartitionStatuses"]["ranges"]:
            if part["primaryDimStartKey"] == self.day:
                slots = part["secondaryDim"]
                return {
                    "materialized": sorted(slots["materializedPartitions"]),
                    "failed": sorted(slots["failedPartitions"]),
                }
        return {"materialized": [], "failed": []}

    def runs(self, **tags: str) -> list[Run]:
        """Runs that bear the tags, newest first."""
        wanted = [{"key": key, "value": value} for key, value in tags.items()]
        found = self.ask(RUNS, filter={"tags": wanted})["runsOrError"]["results"]
        return [_run(entry) for entry in found]

    def from_ui(self) -> list[Run]:
        """Runs that somebody launched from a page, newest first."""
        return self.runs(**{"dagster/from_ui": "true"})

    def ended_run(self, known: Sequence[Run]) -> Run:
        """Wait for the end of the one run that was launched from a page since ``known``."""
        before = {run.id for run in known}
        wait_until("a run from the page ends", lambda: self._new(before) and self._new(before)[0].ended)
        (run,) = self._new(before)
        return run

    def wait_for_files(self, count: int) -> None:
        """Until the sensors have brought every file to its end, one way or the other."""

        def settled() -> bool:
            states = self.ledger.files.states("messages")
            return sum(states.values()) == count and set(states) <= {"consumed", "failed", "replaced"}

        wait_until("the sensors have dealt with every file", settled, timeout=2 * PATIENCE)

    def stop_inbox_sensor(self) -> None:
        """As with the switch on the Automation page."""
        state = self.ask(SENSOR, sensor=INBOX)["sensorOrError"]["sensorState"]
        stopped = self.ask(STOP_SENSOR, id=state["id"])["stopSensor"]
        assert stopped["__typename"] == "StopSensorMutationResult"

    def start_inbox_sensor(self) -> None:
        """As with the switch on the Automation page."""
        assert self.ask(START_SENSOR, sensor=INBOX)["startSensor"]["__typename"] == "Sensor"

    def _new(self, before: set[str]) -> list[Run]:
        return [run for run in self.from_ui() if run.id not in before]


def started(home: Path, turned: Mapping[str, str] | None = None) -> Deployment:
    """Services and Dagster on free ports, tied to this process; its sensors have dealt with four dumps.

    Args:
        turned: Environment variables of the deployment.
    """

    def drop_all(settings: Settings, day: str) -> None:
        for table, records in GOOD.items():
            drop(settings, day, table, dump(records))
        drop(settings, day, BROKEN, truncated(BROKEN_RECORDS))

    deployment = open_deployment(home, turned, drop_all)
    deployment.wait_for_files(len(GOOD) + 1)
    return deployment


def open_deployment(
    home: Path,
    turned: Mapping[str, str] | None = None,
    before: Callable[[Settings, str], None] = lambda settings, day: None,
) -> Deployment:
    """Services and Dagster on free ports, tied to this process.

    Args:
        turned: Environment variables of the deployment.
        before: Done before Dagster starts, with today's date.
    """
    local.up(home, usual_ports=False, tied=True)
    settings = load_settings(home, turned)
    day = datetime.now(UTC).date().isoformat()
    before(settings, day)
    environ = child_environment(settings, turned)
    dagster = ui.up(home, project_folder(), environ, usual_port=False, tied=True, timeout=PATIENCE)
    return Deployment(settings=settings, ui=dagster, ledger=SqlLedger(settings.ledger_url), day=day)


def drop(settings: Settings, day: str, table: str, content: bytes) -> None:
    """Put a dump into the local inbox, whole at once."""
    folder = settings.inbox / "messages" / day
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{table}.draft"
    draft.write_bytes(content)
    draft.replace(folder / f"{table}-dump.json")


def _run(entry: Any) -> Run:
    return Run(
        id=entry["runId"],
        status=entry["status"],
        job=entry["jobName"],
        tags={tag["key"]: tag["value"] for tag in entry["tags"]},
        assets=sorted("/".join(key["path"]) for key in entry["assetSelection"] or []),
    )
