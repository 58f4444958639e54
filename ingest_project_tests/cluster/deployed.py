"""A cluster on this machine: deploy/cluster on PostgreSQL, Redis and SeaweedFS, Dagster, and some workers.

Starts and asks; what is killed, and what must stand in the end, is in the tests.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import ui
from ingest_project.local.postgresql import database
from ingest_project.local.processes import ProcessMark, start, stop
from ingest_project.resources.deployments import child_environment, load_settings, project_folder
from ingest_project_tests.e2e.running import PATIENCE, STOP_SENSOR, Deployment, Run
from ingest_project_tests.faults.world import DAY, World

LAUNCH = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } } }
"""
LOST_STARTS = "lost_starts"
SENSORS = """
{ sensorsOrError(repositorySelector: {repositoryName: "__repository__",
  repositoryLocationName: "ingest_project"}) { ... on Sensors { results { name sensorState { id } } } } }
"""
EVENTS = """
query($run: ID!) { logsForRun(runId: $run) { ... on EventConnection { events {
  ... on MessageEvent { message } } } } }
"""


class Served(Protocol):
    """A server that runs somewhere."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What runs.

    Attributes:
        workers: Name -> the main process of a worker.
    """

    world: World
    deployment: Deployment
    workers: dict[str, ProcessMark]

    def run(self, run_id: str) -> Run:
        return next(run for run in self.deployment.runs() if run.id == run_id)

    def launch(self, job: str, tags: Mapping[str, str], stages: Sequence[str] = ()) -> str:
        """Ask for one run, as the sensors and the pages do; its id."""
        selector: dict[str, object] = {
            "repositoryName": "__repository__",
            "repositoryLocationName": ui.LOCATION,
            "jobName": job,
        }
        if stages:
            selector["assetSelection"] = [{"path": ["messages", stage]} for stage in stages]
        given = [{"key": key, "value": value} for key, value in tags.items()]
        params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": given}}
        return str(self.deployment.ask(LAUNCH, params=params)["launchRun"]["run"]["runId"])

    def stop_sensors(self) -> None:
        """As with their switches, but for the one that looks after runs: we ask for what is loaded."""
        for sensor in self.deployment.ask(SENSORS)["sensorsOrError"]["results"]:
            if sensor["name"] != LOST_STARTS:
                self.deployment.ask(STOP_SENSOR, id=sensor["sensorState"]["id"])

    def said(self, run: Run) -> str:
        """All that the run's log says."""
        events = self.deployment.ask(EVENTS, run=run.id)["logsForRun"]["events"]
        return "\n".join(event.get("message", "") for event in events)

    def process_of(self, run: Run) -> int:
        """Process id of a run, as Dagster has logged it."""
        found = re.search(r"Started process for run \(pid: (\d+)\)", self.said(run))
        assert found is not None
        return int(found[1])

    def worker_of(self, run: Run) -> str:
        """Name of the worker that works on it now."""
        parent = psutil.Process(self.process_of(run)).ppid()
        return next(name for name, mark in self.workers.items() if mark.pid == parent)


@contextmanager
def cluster(world: World, postgresql: Served, redis: Served, names: tuple[str, ...]) -> Iterator[Cluster]:
    """Dagster and a worker for each name, one run at once each, until the block ends."""
    instance = world.home / "dagster"
    instance.mkdir(exist_ok=True)
    shutil.copy(project_folder() / "deploy" / "cluster" / "dagster.yaml", instance)
    with ExitStack() as stack:
        storage, ledger = (stack.enter_context(database(postgresql.url)) for _ in range(2))
        world.turned |= {
            "DAGSTER_POSTGRES_URL": storage.replace("postgresql:", "postgresql+psycopg2:"),
            "DAGSTER_LOCAL_STORAGE": str(world.home / "storage"),
            "INGEST_LEDGER_URL": ledger,
            "INGEST_BROKER_URL": redis.url,
            "INGEST_CREATE_TABLES": "always",
        }
        settings = load_settings(world.home, world.variables)
        environ = child_environment(settings, world.variables)
        logs = world.home / "logs"
        logs.mkdir(exist_ok=True)
        ingest = Path(sys.executable).with_name("ingest")
        workers = {}
        for name in names:
            command = [str(ingest), "worker", "--name", name]
            workers[name] = start(
                command, folder=project_folder(), log=logs / f"{name}.log", tied=True, environ=environ
            )
            stack.callback(stop, workers[name], grace=5.0)
        stack.callback(ui.down, world.home)
        dagster = ui.up(
            world.home, project_folder(), environ, usual_port=False, tied=True, timeout=3 * PATIENCE
        )
        books = SqlLedger(settings.ledger_url)
        stack.callback(books.close)
        found = Deployment(settings=settings, ui=dagster, ledger=books, day=DAY)
        yield Cluster(world=world, deployment=found, workers=workers)
