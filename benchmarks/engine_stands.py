"""Two ways to carry Dagster's runs, each with an instance of its own on one PostgreSQL: our launcher with a
worker behind Redis, and dagster-ray with a head and a node. Starts, stops, finds; measures nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance

from benchmarks import engine_probe
from benchmarks.control_groups import Group
from ingest_project.local.ports import LOOPBACK, choose
from ingest_project.local.postgresql import database
from ingest_project.local.processes import ProcessMark, alive, start, stop
from ingest_project.resources.deployments import child_environment, load_settings, project_folder

DASHBOARD, HEAD_PORT = 8265, 6399
STORE = "78643200"
"""Bytes of Ray's object store: the least it takes. No run uses it."""

STARTED = "Ray runtime started"
PATIENCE = 1200.0


@dataclass(slots=True, kw_only=True)
class Stand:
    """One engine that runs.

    Attributes:
        control: What stands once in a cluster beside Dagster: broker, or Ray's head.
        engine: The worker, and all runs below it.
        worker: Its main process.
        renew: Starts another worker.
    """

    name: str
    home: Path
    instance: DagsterInstance
    control: Group
    engine: Group
    worker: ProcessMark
    renew: Callable[[], ProcessMark]

    @property
    def probes(self) -> Path:
        """Folder of what runs say (engine_probe)."""
        return self.home / "probes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stand before its engine: folders, environment, groups."""

    name: str
    home: Path
    environ: Mapping[str, str]
    groups: Mapping[str, Group]

    def start(self, name: str, command: Sequence[str], group: str) -> ProcessMark:
        return start(
            self.groups[group].starting(command),
            folder=self.home,
            log=self.home / "logs" / f"{name}.log",
            tied=True,
            environ=self.environ,
        )


@contextmanager
def _place(
    name: str, folder: Path, postgresql: str, launcher: Mapping[str, Any], variables: Mapping[str, str]
) -> Iterator[Place]:
    home = folder / name
    for one in ("probes", "dagster", "logs"):
        (home / one).mkdir(parents=True)
    with ExitStack() as stack:
        storage, ledger = (stack.enter_context(database(postgresql)) for _ in range(2))
        groups = {part: stack.enter_context(Group.made(f"{name}-{part}")) for part in ("control", "engine")}
        turned = {
            **variables,
            "DAGSTER_HOME": str(home / "dagster"),
            "INGEST_LEDGER_URL": ledger,
            "PYTHONPATH": str(project_folder()),
            # Ray starts a run by the name of its program.
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
            engine_probe.FOLDER: str(home / "probes"),
        }
        environ = child_environment(load_settings(home, turned), turned)
        _write_instance(home, storage, launcher)
        yield Place(name=name, home=home, environ=environ, groups=groups)


@contextmanager
def _stand(place: Place, renew: Callable[[], ProcessMark]) -> Iterator[Stand]:
    with DagsterInstance.from_config(str(place.home / "dagster")) as instance:
        yield Stand(
            name=place.name, home=place.home, instance=instance, worker=renew(), renew=renew, **place.groups
        )


def _write_instance(home: Path, storage: str, launcher: Mapping[str, Any]) -> None:
    """deploy/cluster with another launcher, and with logs in a folder."""
    known = yaml.safe_load((project_folder() / "deploy" / "cluster" / "dagster.yaml").read_text())
    local = {"base_dir": str(home / "storage")}
    known["storage"]["postgres"]["postgres_url"] = storage.replace("postgresql:", "postgresql+psycopg2:")
    known["local_artifact_storage"]["config"] = local
    known["compute_logs"] = {
        "module": "dagster.core.storage.local_compute_log_manager",
        "class": "LocalComputeLogManager",
        "config": local,
    }
    known["run_launcher"] = dict(launcher)
    (home / "dagster" / "dagster.yaml").write_text(yaml.safe_dump(known))


@contextmanager
def ours(folder: Path, postgresql: str, redis: str, redis_pid: int) -> Iterator[Stand]:
    """Celery with our health check, a worker with one run at once."""
    launcher = {
        "module": "ingest_project.orchestration.celery_runs",
        "class": "WatchedCeleryRunLauncher",
        "config": {"broker": redis},
    }
    names = count()
    with _place("celery", folder, postgresql, launcher, {"INGEST_BROKER_URL": redis}) as place:
        place.groups["control"].take(redis_pid)

        def renew() -> ProcessMark:
            name = f"worker{next(names)}"
            command = [str(Path(sys.executable).with_name("ingest")), "worker", "--name", name]
            return place.start(name, command, "engine")

        with _stand(place, renew) as stand:
            try:
                yield stand
            finally:
                stop(stand.worker, grace=5.0)


@contextmanager
def ray(folder: Path, postgresql: str) -> Iterator[Stand]:
    """dagster-ray's run launcher, a head that takes no runs, a node with one CPU."""
    launcher = {
        "module": "dagster_ray.core.run_launcher",
        "class": "RayRunLauncher",
        "config": {"ray": {"address": f"http://{LOOPBACK}:{DASHBOARD}", "num_cpus": 1}},
    }
    names, taken, files = count(), set[int](), folder / "r"
    program = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"]
    program += ["--node-ip-address", LOOPBACK, "--object-store-memory", STORE]
    head = [*program, "--head", "--port", str(HEAD_PORT), "--num-cpus", "0", "--temp-dir", str(files)]
    head += ["--dashboard-host", LOOPBACK, "--dashboard-port", str(DASHBOARD)]
    with _place("ray", folder, postgresql, launcher, {"RAY_USAGE_STATS_ENABLED": "0"}) as place:
        _ray_process(place, "head", head, "control")

        def renew() -> ProcessMark:
            ports = {f"--dashboard-agent-{kind}-port": choose([], taken) for kind in ("listen", "grpc")}
            words = [word for flag, port in ports.items() for word in (flag, str(port))]
            join = [*program, "--address", f"{LOOPBACK}:{HEAD_PORT}", "--num-cpus", "1", *words]
            return _ray_process(place, f"node{next(names)}", join, "engine")

        with _stand(place, renew) as stand:
            yield stand
    shutil.rmtree(files, ignore_errors=True)


def _ray_process(place: Place, name: str, command: Sequence[str], group: str) -> ProcessMark:
    """A head or node that is up; begun again when it ends, as Ray does after 30 seconds on a busy machine."""
    deadline = time.monotonic() + PATIENCE
    for attempt in count():
        mark = place.start(f"{name}-{attempt}", command, group)
        log = place.home / "logs" / f"{name}-{attempt}.log"
        while alive(mark):
            if STARTED in log.read_text():
                return mark
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if time.monotonic() > deadline:
            break
    raise RuntimeError(f"Ray did not come up; see {place.home / 'logs'}")
