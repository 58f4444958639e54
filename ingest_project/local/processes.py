"""Server processes of this machine: start detached, recognise again, stop by pid. Knows no particular server.

A process is recognised by its pid together with its start time: a pid that the system gave to somebody else
meanwhile is never signalled.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_SLACK_SECONDS = 0.05  # start times are read in clock ticks of 10 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMark:
    """What tells one process from all others on this machine: pid and start (seconds since the epoch)."""

    pid: int
    started: float


def start(
    command: Sequence[str],
    *,
    folder: Path,
    log: Path,
    tied: bool = False,
    parting: str = "KILL",
    account: str = "",
    environ: Mapping[str, str] | None = None,
) -> ProcessMark:
    """Start ``command`` in a session of its own, output appended to ``log``, with a small fixed environment.

    The environment is fixed because servers read variables too: SeaweedFS takes AWS_ACCESS_KEY_ID as its
    own.

    Args:
        tied: Let the kernel end the process when the calling thread ends (Linux with setpriv; else ignored).
        parting: The signal that it gets then; one that it passes on when it has children of its own.
        account: The user to run as, for a caller who is root; "" stays the caller.
    """
    surroundings = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    prefix = [*_with_own_signals(), *(_tie(parting) if tied else [])]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, *command],
            cwd=folder,
            env={**surroundings, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account or None,
            group=pwd.getpwnam(account).pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    _CHILDREN[process.pid] = process
    return ProcessMark(pid=process.pid, started=psutil.Process(process.pid).create_time())


@cache
def _with_own_signals() -> tuple[str, ...]:
    """What stands before a command so that it heeds signals which its starter ignores.

    A program inherits what is ignored; Java then ignores it too and could only be killed. Of a process that a
    script put into the background SIGINT is ignored, and Dagster copies that for SIGTERM.
    """
    prefix = ("env", "--default-signal=INT,TERM")
    try:
        known = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return ()
    return prefix if known else ()


def _tie(parting: str) -> list[str]:
    """What stands before a command so that the kernel signals it when the one that starts it ends.

    The wish takes effect only once ``setpriv`` runs: if the starter died before, nobody would signal. The
    shell therefore looks, after the wish, whether its parent is still the starter, and ends if it is not.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    return [setpriv, "--pdeathsig", parting, "--", "sh", "-c", _STILL_THERE, str(os.getpid())]


_STILL_THERE = '[ "$PPID" = "$0" ] || exit 1; exec "$@"'

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started: they must be reaped here, or they stay zombies and Popen warns."""


def alive(mark: ProcessMark) -> bool:
    """True while exactly the marked process runs; a zombie or another process of that pid does not count."""
    child = _CHILDREN.get(mark.pid)
    if child is not None and child.poll() is not None:
        del _CHILDREN[mark.pid]
    return _find(mark) is not None


def listens(mark: ProcessMark, port: int) -> bool:
    """Whether it is the marked process that listens on the port (True where the system does not tell)."""
    process = _find(mark)
    if process is None:
        return False
    try:
        sockets = process.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False
    return any(known.status == psutil.CONN_LISTEN and known.laddr.port == port for known in sockets)


def stop(mark: ProcessMark, *, grace: float, parting: str = "TERM") -> str:
    """Ask the process by a signal to end, wait ``grace`` seconds, then force it. Never touches another one.

    Returns:
        ``gone`` (was not running), ``stopped`` or ``killed``.
    """
    process = _find(mark) if alive(mark) else None
    if process is None:
        return "gone"
    word = "stopped"
    try:
        process.send_signal(signal.Signals[f"SIG{parting}"])
        if not _wait(process, grace):
            word = "killed"
            process.kill()
            _wait(process, 10.0)
    except psutil.NoSuchProcess:
        pass
    alive(mark)
    return word


def _find(mark: ProcessMark) -> psutil.Process | None:
    try:
        process = psutil.Process(mark.pid)
        if abs(process.create_time() - mark.started) > _SLACK_SECONDS:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _wait(process: psutil.Process, seconds: float) -> bool:
    child = _CHILDREN.get(process.pid)
    try:
        if child is not None:
            child.wait(timeout=seconds)
        else:
            process.wait(timeout=seconds)
    except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
        return False
    return True
