"""Dagster on one machine: `dagster dev` (web server, daemon, code server) as one session, started and stopped
by pid."""

from __future__ import annotations

import json
import signal
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.ports import Clock
from ingest_project.local.ports import LOOPBACK, choose
from ingest_project.local.processes import ProcessMark, alive, start
from ingest_project.local.services import ServiceFailed

USUAL_PORT = 3000
STOP_SECONDS = 25.0

LOCATION = "ingest_project"
_LOADED = "{workspaceOrError{... on Workspace{locationEntries{loadStatus}}}}"
_LAUNCH = """
mutation($job: JobOrPipelineSelector!) { launchRun(executionParams: {selector: $job, mode: "default"}) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""

LISTEN_TO_SIGINT = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""`dagster dev` is stopped with SIGINT, which callers in the background of a shell ignore and hand down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ui:
    """A running Dagster: its process and its address."""

    mark: ProcessMark
    port: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


def running(home: Path) -> Ui | None:
    """The Dagster of this state folder, when it is alive."""
    try:
        found = json.loads(_state(home).read_text())
    except FileNotFoundError:
        return None
    ui = Ui(mark=ProcessMark(**found["mark"]), port=found["port"])
    return ui if alive(ui.mark) else None


def up(
    home: Path,
    project: Path,
    environ: Mapping[str, str],
    *,
    usual_port: bool = True,
    tied: bool = False,
    timeout: float = 120.0,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Ui:
    """Start Dagster unless it runs, and wait until its page and its code location answer.

    Args:
        project: Folder with dagster.yaml and workspace.yaml.
        environ: Environment of the processes; DAGSTER_HOME in it names the instance's folder.
        usual_port: Prefer the usual port; several that start at once would all find it free.
        tied: Let it end when the calling thread ends (Linux; else ignored).

    Raises:
        ServiceFailed: It did not come up in time; the message names its log.
        ConfigurationError: The project's files are not there.
    """
    known = running(home)
    if known is not None:
        return known
    _prepare(Path(environ["DAGSTER_HOME"]), project)
    log = home / "logs" / "dagster.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    port = choose([USUAL_PORT] if usual_port else [], set())
    dagster = str(Path(sys.executable).with_name("dagster"))
    command = [
        sys.executable,
        "-c",
        LISTEN_TO_SIGINT,
        dagster,
        "dev",
        "-w",
        str(project / "workspace.yaml"),
        "-h",
        LOOPBACK,
        "-p",
        str(port),
    ]
    ui = Ui(
        mark=start(command, folder=project, log=log, tied=tied, parting="INT", environ=environ), port=port
    )
    _state(home).write_text(json.dumps({"mark": asdict(ui.mark), "port": port}))
    deadline = clock() + timeout
    while not _ready(ui):
        if clock() > deadline or not alive(ui.mark):
            raise ServiceFailed(f"Dagster did not come up; see {log}")
        sleep(0.5)
    return ui


def launch(ui: Ui, job: str) -> str:
    """Have a job run as it stands; the run's id, or a sentence why there is none."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION, "jobName": job}
    answer = _ask(ui, _LAUNCH, {"job": selector})["launchRun"]
    return str(answer["run"]["runId"] if "run" in answer else answer.get("message", answer["__typename"]))


def down(home: Path) -> str:
    """Stop Dagster with all its processes: asks first, forces after 25 s. Returns ``gone``, ``stopped`` or
    ``killed``."""
    ui = running(home)
    if ui is None:
        return "gone"
    main = psutil.Process(ui.mark.pid)
    family = [main, *main.children(recursive=True)]
    # SIGINT is what `dagster dev` passes on to its children; SIGTERM would leave them alone.
    main.send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)
    alive(ui.mark)
    return "killed" if left else "stopped"


def _prepare(instance: Path, project: Path) -> None:
    if not (project / "workspace.yaml").exists():
        raise ConfigurationError(f"{project} is no checkout of this project: workspace.yaml is missing")
    instance.mkdir(parents=True, exist_ok=True)
    if not (instance / "dagster.yaml").exists():
        (instance / "dagster.yaml").write_text(instance_file(project))


def instance_file(project: Path) -> str:
    """dagster.yaml of an instance on SQLite that has a folder of its own."""
    parts = (project / "dagster.yaml", project / "deploy" / "sqlite" / "event_log.yaml")
    return "\n".join(part.read_text() for part in parts)


def _ready(ui: Ui) -> bool:
    """Whether the web server answers and has loaded the code location."""
    try:
        entries = _ask(ui, _LOADED, {})["workspaceOrError"]["locationEntries"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(entries) and all(entry["loadStatus"] == "LOADED" for entry in entries)


def _ask(ui: Ui, query: str, variables: Mapping[str, object]) -> Any:
    """The ``data`` of a GraphQL answer."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"{ui.url}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
        return json.load(answer)["data"]


def _state(home: Path) -> Path:
    return home / "dagster.json"
