"""Processes are recognised by pid and start, stopped with escalation, and never confused with another's."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingest_project.local.processes import ProcessMark, alive, start, stop

IDLE = "import signal; signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)


@pytest.fixture
def marks() -> Iterator[list[ProcessMark]]:
    """Whatever a test starts and notes here is gone afterwards."""
    noted: list[ProcessMark] = []
    yield noted
    for mark in noted:
        stop(mark, grace=0.0)


def begin(folder: Path, code: str) -> ProcessMark:
    return start([sys.executable, "-c", code], folder=folder, log=folder / "log")


def test_a_process_ends_when_it_is_asked(tmp_path: Path, marks: list[ProcessMark]) -> None:
    marks.append(mark := begin(tmp_path, IDLE))
    assert alive(mark)
    assert stop(mark, grace=10.0) == "stopped"
    assert not alive(mark)
    assert stop(mark, grace=10.0) == "gone"


def test_a_process_that_does_not_listen_is_killed_after_its_grace(
    tmp_path: Path, marks: list[ProcessMark]
) -> None:
    marks.append(mark := begin(tmp_path, STUBBORN))
    wait_for(tmp_path / "log", b"ready")
    assert stop(mark, grace=0.3) == "killed"
    assert not alive(mark)


@pytest.mark.parametrize("tied", [False, True])
def test_a_process_heeds_what_its_starter_ignores(
    tmp_path: Path, marks: list[ProcessMark], tied: bool
) -> None:
    command = [sys.executable, "-c", f"print('ready', flush=True); {IDLE}"]
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        marks.append(mark := start(command, folder=tmp_path, log=tmp_path / "log", tied=tied))
    finally:
        signal.signal(signal.SIGTERM, before)
    wait_for(tmp_path / "log", b"ready")
    assert stop(mark, grace=10.0) == "stopped"


def test_the_same_pid_with_another_start_is_left_alone(tmp_path: Path, marks: list[ProcessMark]) -> None:
    marks.append(mark := begin(tmp_path, IDLE))
    other = ProcessMark(pid=mark.pid, started=mark.started - 1.0)
    assert not alive(other)
    assert stop(other, grace=0.1) == "gone"
    assert alive(mark)


def test_a_process_that_ended_by_itself_is_not_alive(tmp_path: Path) -> None:
    mark = begin(tmp_path, "pass")
    psutil.wait_procs([process] if (process := find(mark)) else [], timeout=10)
    assert not alive(mark)


def test_the_process_sees_none_of_our_variables(
    tmp_path: Path, marks: list[ProcessMark], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    marks.append(begin(tmp_path, f"import os; print(sorted(os.environ), flush=True); {IDLE}"))
    assert b"AWS_SECRET_ACCESS_KEY" not in wait_for(tmp_path / "log", b"]")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent's death")
def test_a_tied_process_dies_with_the_one_that_started_it(tmp_path: Path, marks: list[ProcessMark]) -> None:
    parent = (
        "import signal, sys; from pathlib import Path; from ingest_project.local.processes import start;"
        f"folder = Path({str(tmp_path)!r});"
        f"mark = start([sys.executable, '-c', {IDLE!r}], folder=folder, log=folder / 'child', tied=True);"
        "print(mark.pid, mark.started, 'ready', flush=True); signal.pause()"
    )
    project = Path(__file__).resolve().parents[2]
    marks.append(mark := start([sys.executable, "-c", parent], folder=project, log=tmp_path / "parent"))
    pid, started, _ = wait_for(tmp_path / "parent", b"ready").split()
    marks.append(child := ProcessMark(pid=int(pid), started=float(started)))
    assert alive(child)
    psutil.Process(mark.pid).kill()
    psutil.wait_procs([process] if (process := find(child)) else [], timeout=60)
    assert not alive(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent's death")
def test_a_tied_process_ends_when_its_parent_died_before_the_tie(tmp_path: Path) -> None:
    orphan = (
        "import subprocess, sys, os; from ingest_project.local import processes;"
        "tie = processes._tie('KILL'); tie[tie.index('sh') + 3] = '1' * 9;"
        "sys.exit(subprocess.call([*tie, sys.executable, '-c', 'print(1)']))"
    )
    project = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", orphan], cwd=project, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, b"")


def find(mark: ProcessMark) -> psutil.Process | None:
    try:
        return psutil.Process(mark.pid)
    except psutil.NoSuchProcess:
        return None


def wait_for(log: Path, word: bytes) -> bytes:
    """The log's text as soon as it holds ``word``; reads until then, within the test's time limit."""
    while word not in (text := log.read_bytes() if log.exists() else b""):
        pass
    return text
