"""A cluster on hosts of one machine: all servers and Dagster on the control host, workers on theirs.

Starts, asks and stops; to be called on the control host. What is measured or killed is in the benchmarks.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from redis import Redis

from benchmarks.cluster_services import places, variables
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import ui
from ingest_project.local.processes import ProcessMark, start, stop
from ingest_project.local.state import Stack
from ingest_project.orchestration.lost_starts import lost_starts
from ingest_project.resources.deployments import Settings, child_environment, load_settings, project_folder
from ingest_project.testing.hosts import Hosts
from ingest_project_tests.e2e.running import PATIENCE, Deployment, Run, wait_until

GRID = "messages"
PAUSES = (1.0, 2.0, 5.0, 10.0)
T = TypeVar("T")

SENSORS = """
{ sensorsOrError(repositorySelector: {repositoryName: "__repository__",
  repositoryLocationName: "ingest_project"}) { ... on Sensors { results { name sensorState { id } } } } }
"""
STOP = "mutation($id: String) { stopSensor(id: $id) { __typename } }"
POOL = "mutation($key: String!, $limit: Int!) { setConcurrencyLimit(concurrencyKey: $key, limit: $limit) }"
PLAN = """
mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
BACKFILL = """
mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }
"""
STATUS = """
query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message } } } }
"""
EVENTS = """
query($run: ID!) { logsForRun(runId: $run, limit: 1000) { ... on EventConnection { events {
  ... on MessageEvent { eventType timestamp message stepKey } } } } }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a run's log. ``at``: seconds since the epoch."""

    kind: str
    at: float
    text: str
    step: str


@dataclass(slots=True, kw_only=True)
class Cluster:
    """What runs.

    Attributes:
        environ: What the processes of the control host see.
        workers: Host -> the main process of its worker.
        at_once: Runs that a worker takes at once.
        most_runs: Runs at once in all.
    """

    hosts: Hosts
    home: Path
    deployment: Deployment
    environ: Mapping[str, str]
    at_once: int
    most_runs: int
    workers: dict[str, ProcessMark] = field(default_factory=dict)
    broker: Redis
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def settings(self) -> Settings:
        return self.deployment.settings

    def ask(self, query: str, **variables: object) -> Any:
        """The web server's answer; on a busy machine it is asked again."""
        return self._patiently(lambda: self.deployment.ask(query, **variables))

    def runs(self, **tags: str) -> list[Run]:
        """Runs that bear the tags, newest first."""
        return self._patiently(lambda: self.deployment.runs(**tags))

    def _patiently(self, question: Callable[[], T]) -> T:
        for pause in PAUSES:
            try:
                return question()
            except OSError:
                time.sleep(pause)
        return question()

    def start_worker(self, host: str) -> None:
        """`ingest worker` on a host, with a home and an instance folder of its own, under a new name."""
        own = places(self.home / host, self.most_runs)
        ingest = str(Path(sys.executable).with_name("ingest"))
        name = f"{host.rpartition('-')[2]}-{next(self._names)}"
        command = [*self.hosts.within(host), ingest, "worker", "--name", name, "--at-once", str(self.at_once)]
        log = self.home / "logs" / f"{host.rpartition('-')[2]}.log"
        self.workers[host] = start(
            command, folder=self.home / host, log=log, tied=True, environ={**self.environ, **own}
        )

    def stop_worker(self, host: str) -> None:
        stop(self.workers.pop(host), grace=10.0)

    def stop_workers(self) -> None:
        for host in list(self.workers):
            self.stop_worker(host)

    def stop_sensors(self) -> None:
        """As with their switches: files are then loaded when we ask for it and not before."""
        for sensor in self.ask(SENSORS)["sensorsOrError"]["results"]:
            if sensor["name"] != lost_starts.name:
                self.ask(STOP, id=sensor["sensorState"]["id"])

    def limit_pool(self, pool: str, runs: int) -> None:
        self.ask(POOL, key=pool, limit=runs)

    def plan(self, days: Sequence[str]) -> None:
        """Have the plans of some days made, and wait for them."""
        asked = set()
        for day in days:
            selector = {
                "repositoryName": "__repository__",
                "repositoryLocationName": "ingest_project",
                "jobName": f"{GRID}_plan",
            }
            metadata = {"tags": [{"key": "dagster/partition", "value": day}]}
            params = {"selector": selector, "mode": "default", "executionMetadata": metadata}
            answer = self.ask(PLAN, params=params)["launchRun"]
            assert answer["__typename"] == "LaunchRunSuccess", answer
            asked.add(answer["run"]["runId"])

        def planned() -> bool:
            return asked <= {run.id for run in self.runs() if run.ended}

        wait_until("the plans are made", planned, timeout=3 * PATIENCE)

    def backfill(self, partitions: Sequence[str], stages: Sequence[str] = ("validated", "table")) -> str:
        """Launch an asset backfill as the page does; its id."""
        selection = [{"path": [GRID, stage]} for stage in stages]
        params = {"assetSelection": selection, "partitionNames": list(partitions)}
        answer = self.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def status_of(self, backfill: str) -> str:
        """Dagster's word for the backfill's state."""
        return str(self.ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    def runs_of(self, backfill: str) -> list[Run]:
        """The newest first."""
        return self.runs(**{"dagster/backfill": backfill})

    def events(self, run_id: str) -> list[Event]:
        """The run's log, its first thousand lines."""
        found = self.ask(EVENTS, run=run_id)["logsForRun"]["events"]
        return [_event(one) for one in found if one]

    def host_of(self, run_id: str) -> str | None:
        """The host on which a run is now, by the broker's word."""
        told: Any = self.broker.get(f"celery-task-meta-{run_id}")
        said = json.loads(told) if told else {}
        if said.get("status") != "STARTED":
            return None
        name = said["result"]["hostname"].partition("-")[0]
        return next(host for host in self.hosts.workers if host.endswith(f"-{name}"))


def _event(found: Mapping[str, Any]) -> Event:
    return Event(
        kind=found["eventType"] or "",
        at=float(found["timestamp"]) / 1000,
        text=found["message"] or "",
        step=found["stepKey"] or "",
    )


@contextmanager
def cluster(
    hosts: Hosts,
    stack: Stack,
    home: Path,
    target: str,
    turned: Mapping[str, str] | None = None,
    at_once: int = 1,
    most_runs: int = 0,
) -> Iterator[Cluster]:
    """Dagster on the control host, no worker yet, sensors stopped; all is stopped when the block ends.

    Args:
        home: A folder that others may enter, with ``stack`` below it.
        turned: More variables of the deployment.
        most_runs: Runs at once in all; 0: as many as the workers take.
    """
    (home / "logs").mkdir(exist_ok=True)
    most_runs = most_runs or at_once * len(hosts.workers)
    given = {**variables(hosts, stack, target), **(turned or {})}
    # Without compiled modules each start would compile them, wherever the caller's environment forbids them.
    given |= {"PYTHONDONTWRITEBYTECODE": "", **places(home / "control", most_runs)}
    settings = load_settings(home / "control", given)
    environ = child_environment(settings, given)
    with ExitStack() as ends:
        ends.callback(ui.down, settings.home)
        dagster = ui.up(
            settings.home, project_folder(), environ, usual_port=False, tied=True, timeout=3 * PATIENCE
        )
        ledger = SqlLedger(settings.ledger_url)
        ends.callback(ledger.close)
        broker = Redis.from_url(settings.broker_url, decode_responses=True)
        ends.callback(broker.close)
        deployment = Deployment(settings=settings, ui=dagster, ledger=ledger, day="")
        found = Cluster(
            hosts=hosts,
            home=home,
            deployment=deployment,
            environ=environ,
            broker=broker,
            at_once=at_once,
            most_runs=most_runs,
        )
        ends.callback(found.stop_workers)
        found.stop_sensors()
        found.limit_pool("ingest_files", most_runs)
        yield found


def show(words: object) -> None:
    """A line of a benchmark's account."""
    sys.stdout.write((words if isinstance(words, str) else json.dumps(words)) + "\n")
    sys.stdout.flush()
