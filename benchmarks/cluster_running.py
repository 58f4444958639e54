"""A cluster on hosts of one machine: all servers and Dagster on the control host, workers on theirs.

Starts, asks and stops; to be called on the control host. What is measured or killed is in the benchmarks.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest_project import local
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import ui
from ingest_project.local.postgresql import THROW_AWAY, ensure_database
from ingest_project.local.processes import ProcessMark, start, stop
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.local.state import Stack
from ingest_project.orchestration.lost_starts import lost_starts
from ingest_project.resources.deployments import Settings, child_environment, load_settings, project_folder
from ingest_project.testing.hosts import Hosts
from ingest_project_tests.e2e.running import PATIENCE, Deployment, Run, wait_until

LOOPBACK = "127.0.0.1"
GRID = "messages"
SERVICES = ("s3", "postgresql", "redis")

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
    """

    hosts: Hosts
    home: Path
    deployment: Deployment
    environ: Mapping[str, str]
    at_once: int
    workers: dict[str, ProcessMark] = field(default_factory=dict)
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def settings(self) -> Settings:
        return self.deployment.settings

    def start_worker(self, host: str) -> None:
        """`ingest worker` on a host, with a home and an instance folder of its own, under a new name."""
        places = _places(self.home / host, self.at_once * len(self.hosts.workers))
        ingest = str(Path(sys.executable).with_name("ingest"))
        name = f"{host.rpartition('-')[2]}-{next(self._names)}"
        command = [*self.hosts.within(host), ingest, "worker", "--name", name, "--at-once", str(self.at_once)]
        log = self.home / "logs" / f"{host.rpartition('-')[2]}.log"
        self.workers[host] = start(
            command, folder=self.home / host, log=log, tied=True, environ={**self.environ, **places}
        )

    def stop_worker(self, host: str) -> None:
        stop(self.workers.pop(host), grace=10.0)

    def stop_workers(self) -> None:
        for host in list(self.workers):
            self.stop_worker(host)

    def stop_sensors(self) -> None:
        """As with their switches: files are then loaded when we ask for it and not before."""
        for sensor in self.deployment.ask(SENSORS)["sensorsOrError"]["results"]:
            if sensor["name"] != lost_starts.name:
                self.deployment.ask(STOP, id=sensor["sensorState"]["id"])

    def limit_pool(self, pool: str, runs: int) -> None:
        self.deployment.ask(POOL, key=pool, limit=runs)

    def plan(self, days: Sequence[str]) -> None:
        """Have the plans of some days made, and wait for them."""
        for day in days:
            selector = {
                "repositoryName": "__repository__",
                "repositoryLocationName": "ingest_project",
                "jobName": f"{GRID}_plan",
            }
            metadata = {"tags": [{"key": "dagster/partition", "value": day}]}
            params = {"selector": selector, "mode": "default", "executionMetadata": metadata}
            answer = self.deployment.ask(PLAN, params=params)["launchRun"]
            assert answer["__typename"] == "LaunchRunSuccess", answer

        def planned() -> bool:
            runs = [run for run in self.deployment.runs() if run.job == f"{GRID}_plan"]
            return len(runs) == len(days) and all(run.ended for run in runs)

        wait_until("the plans are made", planned, timeout=3 * PATIENCE)

    def backfill(self, partitions: Sequence[str], stages: Sequence[str] = ("validated", "table")) -> str:
        """Launch an asset backfill as the page does; its id."""
        selection = [{"path": [GRID, stage]} for stage in stages]
        params = {"assetSelection": selection, "partitionNames": list(partitions)}
        answer = self.deployment.ask(BACKFILL, params=params)["launchPartitionBackfill"]
        assert answer["__typename"] == "LaunchBackfillSuccess", answer
        return str(answer["backfillId"])

    def status_of(self, backfill: str) -> str:
        """Dagster's word for the backfill's state."""
        return str(self.deployment.ask(STATUS, id=backfill)["partitionBackfillOrError"]["status"])

    def runs_of(self, backfill: str) -> list[Run]:
        """The newest first."""
        return self.deployment.runs(**{"dagster/backfill": backfill})

    def events(self, run_id: str) -> list[Event]:
        """The run's log, its first thousand lines."""
        found = self.deployment.ask(EVENTS, run=run_id)["logsForRun"]["events"]
        return [_event(one) for one in found if one]

    def process_of(self, run_id: str) -> int | None:
        """Process id of a run that has started."""
        said = "\n".join(event.text for event in self.events(run_id))
        found = re.findall(r"Started process for run \(pid: (\d+)\)", said)
        return int(found[-1]) if found else None


def _event(found: Mapping[str, Any]) -> Event:
    return Event(
        kind=found["eventType"] or "",
        at=float(found["timestamp"]) / 1000,
        text=found["message"] or "",
        step=found["stepKey"] or "",
    )


def listening(hosts: Hosts, folder: Path) -> dict[str, dict[str, str]]:
    """Settings with which the services are heard on the bridge as well; there is no other network here."""
    hba = folder / "pg_hba.conf"
    lines = [f"host all all {network} trust" for network in (f"{LOOPBACK}/32", hosts.network)]
    hba.write_text("\n".join(lines) + "\n")
    hba.chmod(0o644)
    return {
        "s3": {"ip.bind": "0.0.0.0"},
        "redis": {"bind": f"{LOOPBACK} {hosts.address}", "protected-mode": "no"},
        "postgresql": {
            **THROW_AWAY,
            "listen_addresses": f"{LOOPBACK},{hosts.address}",
            "hba_file": str(hba),
            "max_connections": "200",
        },
    }


@contextmanager
def services(hosts: Hosts, home: Path) -> Iterator[Stack]:
    """PostgreSQL, Redis and SeaweedFS on the control host; their state lies below ``home/services``."""
    folder = home / "services"
    folder.mkdir()
    try:
        yield local.up(
            folder,
            names=SERVICES,
            settings=listening(hosts, folder),
            usual_ports=False,
            tied=True,
            timeout=120,
        )
    finally:
        local.down(folder, grace=1.0)


def variables(hosts: Hosts, stack: Stack, target: str) -> dict[str, str]:
    """The deployment's environment, the same on every host.

    Args:
        target: URL of what stands for DynamoDB, on the bridge.
    """

    def seen(url: str) -> str:
        return url.replace(LOOPBACK, hosts.address)

    s3 = seen(stack.servers["s3"].endpoint)
    ledger, storage = (
        seen(ensure_database(stack.servers["postgresql"].endpoint, name)).replace(
            "postgresql:", "postgresql+psycopg2:"
        )
        for name in ("ledger", "storage")
    )
    place = target.removeprefix("http://")
    return {
        "AWS_ENDPOINT_URL_S3": s3,
        "AWS_ENDPOINT_URL_DYNAMODB": target,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "INGEST_BUCKET": stack.bucket,
        "INGEST_ALLOW_REMOTE_WRITES": f"s3:{s3.removeprefix('http://')}/{stack.bucket},dynamodb:{place}/*",
        "INGEST_LEDGER_URL": ledger,
        "INGEST_BROKER_URL": seen(stack.servers["redis"].endpoint),
        "DAGSTER_POSTGRES_URL": storage,
        "NO_PROXY": f"localhost,{LOOPBACK},{hosts.address}",
    }


def _places(folder: Path, most_runs: int) -> dict[str, str]:
    """A host's own folders, with its copy of the instance's file."""
    instance = folder / "dagster"
    instance.mkdir(parents=True, exist_ok=True)
    text = (project_folder() / "deploy" / "cluster" / "dagster.yaml").read_text()
    known = re.sub(r"max_concurrent_runs: \d+", f"max_concurrent_runs: {most_runs}", text)
    (instance / "dagster.yaml").write_text(known)
    return {
        "INGEST_HOME": str(folder),
        "DAGSTER_HOME": str(instance),
        "DAGSTER_LOCAL_STORAGE": str(folder / "storage"),
    }


@contextmanager
def cluster(
    hosts: Hosts,
    stack: Stack,
    home: Path,
    target: str,
    turned: Mapping[str, str] | None = None,
    at_once: int = 1,
) -> Iterator[Cluster]:
    """Dagster on the control host, no worker yet, sensors stopped; all is stopped when the block ends.

    Args:
        home: A folder that others may enter, with ``stack`` below it.
        turned: More variables of the deployment.
    """
    (home / "logs").mkdir(exist_ok=True)
    most_runs = at_once * len(hosts.workers)
    given = {**variables(hosts, stack, target), "INGEST_FILES_AT_ONCE": str(most_runs), **(turned or {})}
    # Without compiled modules each start would compile them, wherever the caller's environment forbids them.
    given |= {"PYTHONDONTWRITEBYTECODE": "", **_places(home / "control", most_runs)}
    settings = load_settings(home / "control", given)
    environ = child_environment(settings, given)
    with ExitStack() as ends:
        ends.callback(ui.down, settings.home)
        dagster = ui.up(
            settings.home, project_folder(), environ, usual_port=False, tied=True, timeout=3 * PATIENCE
        )
        ledger = SqlLedger(settings.ledger_url)
        ends.callback(ledger.close)
        deployment = Deployment(settings=settings, ui=dagster, ledger=ledger, day="")
        found = Cluster(hosts=hosts, home=home, deployment=deployment, environ=environ, at_once=at_once)
        ends.callback(found.stop_workers)
        found.stop_sensors()
        found.limit_pool("ingest_files", most_runs)
        yield found


def show(words: object) -> None:
    """A line of a benchmark's account."""
    sys.stdout.write((words if isinstance(words, str) else json.dumps(words)) + "\n")
    sys.stdout.flush()
