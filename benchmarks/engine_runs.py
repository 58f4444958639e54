"""Runs launched on stands of engines, watched and killed: what benchmarks.cluster_engines does inside."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import psutil
from dagster import DagsterEventType, DagsterRun
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import WorkerStatus

from benchmarks import engine_probe
from benchmarks.engine_figures import KINDS, Found, Kill, Start, table
from benchmarks.engine_stands import PATIENCE, Stand, ours, ray
from benchmarks.table import RESULTS, machine
from ingest_project import local
from ingest_project.local.postgresql import THROW_AWAY

IDLE_SECONDS = 20.0
AFTER_KILL = 120.0
"""Seconds within which something must follow: longer than two leases."""

POLL = 10.0
"""Seconds from one look at a run's health to the next, as in deploy/cluster/dagster.yaml."""


def waited(holds: Callable[[], Any], patience: float, pause: float = 0.05) -> Any:
    """What ``holds`` says once it is true; None when it does not become so."""
    deadline = time.monotonic() + patience
    while not (found := holds()):
        if time.monotonic() > deadline:
            return None
        time.sleep(pause)
    return found


def launched(stand: Stand) -> str:
    """A new run of the probe, handed to the engine; its id."""
    known = ReconstructableRepository.for_module(engine_probe.__name__, "defs")
    job = known.get_reconstructable_job(engine_probe.JOB)
    run = stand.instance.create_run_for_job(
        engine_probe.engine_probe, job_code_origin=job.get_python_origin()
    )
    # Neither launcher looks at the workspace.
    stand.instance.launch_run(run.run_id, cast(Any, None))
    return run.run_id


def ended(stand: Stand, run: str) -> str:
    """The status of a run that has ended."""
    found = stand.instance.get_run_by_id(run)
    return found.status.value if found is not None and found.is_finished else ""


def said(stand: Stand, run: str) -> dict[str, Any] | None:
    file = stand.probes / f"{run}.json"
    return json.loads(file.read_text()) if file.exists() else None


def event_time(stand: Stand, run: str, kind: DagsterEventType) -> float:
    return next(one.timestamp for one in stand.instance.all_logs(run, of_type=kind))


def begun(stand: Stand) -> tuple[str, dict[str, Any]]:
    """A run that is held in its step."""
    (stand.probes / "hold").touch()
    run = launched(stand)
    probe = waited(lambda: said(stand, run), PATIENCE)
    if probe is None:
        raise RuntimeError(f"{stand.name}: the run {run} did not begin")
    return run, probe


def let_go(stand: Stand, run: str) -> str | None:
    (stand.probes / "hold").unlink()
    status: str | None = waited(lambda: ended(stand, run), PATIENCE)
    return status


def measured_start(stand: Stand, idle: float) -> Start:
    """One run that is held in its step until its memory is known; ``idle``: CPU seconds a second."""
    lying, engine, since = stand.engine.memory(), stand.engine.cpu(), time.monotonic()
    own = time.process_time()
    run, probe = begun(stand)
    launch = time.process_time() - own
    extra = stand.engine.memory() - lying
    if (status := let_go(stand, run)) != "SUCCESS":
        raise RuntimeError(f"{stand.name}: the run {run} ended {status}")
    waited(lambda: not psutil.pid_exists(probe["pid"]), PATIENCE)
    spent = stand.engine.cpu() - engine - idle * (time.monotonic() - since)
    start = event_time(stand, run, DagsterEventType.RUN_STARTING)
    step = event_time(stand, run, DagsterEventType.STEP_START)
    return Start(to_step=step - start, launch=launch, own=probe["cpu"], engine=spent, extra=extra)


def measured_kill(stand: Stand, kind: str) -> Kill:
    """kill -9 of a run's worker or of the run's process in mid-run; a lost worker is replaced afterwards."""
    run, probe = begun(stand)
    process = psutil.Process(probe["pid"])
    victim = process if kind == "run" else worker_of(stand, process)
    since = time.monotonic()
    victim.send_signal(signal.SIGKILL)
    times: dict[str, float] = {}
    why = looked = ""
    next_look = since + POLL / 2
    while len(times) < 2 and time.monotonic() < since + AFTER_KILL:
        if "unseen" not in times and not running(process):
            times["unseen"] = time.monotonic() - since
        if "lost" not in times and time.monotonic() >= next_look:
            next_look += POLL
            known = cast(DagsterRun, stand.instance.get_run_by_id(run))
            found = stand.instance.run_launcher.check_run_worker_health(known)
            looked = f"{found.status.value}: {found.msg or ''}"
            if found.status not in (WorkerStatus.RUNNING, WorkerStatus.SUCCESS):
                times["lost"], why = time.monotonic() - since, looked
        time.sleep(0.1)
    (stand.probes / "hold").unlink()
    waited(lambda: not running(process), PATIENCE)
    if kind == "worker":
        stand.worker = stand.renew()
    return Kill(kind=kind, lost=times.get("lost"), unseen=times.get("unseen"), why=(why or looked)[:200])


def running(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def worker_of(stand: Stand, process: psutil.Process) -> psutil.Process:
    """The process that takes runs, above a run's own: Celery's main process, Ray's raylet."""
    return next(one for one in process.parents() if one.pid == stand.worker.pid or one.name() == "raylet")


def measure(stands: Sequence[Stand], rounds: int, kills: int) -> dict[str, Found]:
    """All engines in turn; a first run of each is not counted."""
    results = {stand.name: Found() for stand in stands}
    for stand in stands:
        run, _ = begun(stand)
        print(f"{stand.name}: the first run ended {let_go(stand, run)}", flush=True)
    for stand in stands:
        found, groups = results[stand.name], (stand.control, stand.engine)
        before, since = [group.cpu() for group in groups], time.monotonic()
        time.sleep(IDLE_SECONDS)
        passed = time.monotonic() - since
        found.control_cpu, found.worker_cpu = (
            (group.cpu() - was) / passed for group, was in zip(groups, before, strict=True)
        )
        found.control, found.worker = (group.memory() for group in groups)
    for _ in range(rounds):
        for stand in stands:
            found = results[stand.name]
            found.starts.append(measured_start(stand, found.worker_cpu))
            print(f"{stand.name}: {found.starts[-1]}", flush=True)
    for kind in KINDS:
        for _ in range(kills):
            for stand in stands:
                results[stand.name].kills.append(measured_kill(stand, kind))
                print(f"{stand.name}: {results[stand.name].kills[-1]}", flush=True)
    return results


@contextmanager
def last_words(folder: Path) -> Iterator[None]:
    """Tell what every process said last, before the folder is removed, when something went wrong."""
    try:
        yield
    except BaseException:
        for log in sorted(folder.glob("*/logs/*.log")):
            print(f"== {log.parts[-3]} {log.name}", *log.read_text().splitlines()[-12:], sep="\n")
        raise


def inside(rounds: int, kills: int) -> None:
    """The measurement itself, in its namespaces."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with_ray = importlib.util.find_spec("dagster_ray") is not None
    if not with_ray:
        print(f"dagster-ray is not installed beside {sys.executable}: its half is left out")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eng-")))
        folder.chmod(0o755)
        stack.callback(local.down, folder / "servers", grace=1.0)
        servers = local.up(
            folder / "servers",
            names=("postgresql", "redis"),
            settings={"postgresql": THROW_AWAY},
            usual_ports=False,
            tied=True,
            timeout=PATIENCE,
        ).servers
        stack.enter_context(last_words(folder))
        address = servers["postgresql"].endpoint
        redis = servers["redis"]
        stands = [stack.enter_context(ours(folder, address, redis.endpoint, redis.mark.pid))]
        if with_ray:
            stands.append(stack.enter_context(ray(folder, address)))
        results = measure(stands, rounds, kills)
        print(table(results))
        load = os.getloadavg()
        print(
            f"{machine()}; load average {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}; {rounds} rounds, medians"
        )
        kept = {"machine": machine(), "load": load, "rounds": rounds}
        kept |= {"engines": {name: asdict(found) for name, found in results.items()}}
        (RESULTS / "cluster_engines.json").write_text(json.dumps(kept, indent=1) + "\n")
