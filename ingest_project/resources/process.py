"""What this process uses, by the kernel's own account (Linux): resident memory now and at its peak; and how
often Python's collector of cycles looks at it; and that it ends with its parent."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

WORKER = "multiprocessing.spawn"
"""Stands in the command line of a process that multiprocessing spawned."""

PR_SET_PDEATHSIG = 1
RARELY = 20_000, 20, 20
"""Collections: the hot path makes many short-lived tuples and no cycles."""


def spare_collector() -> None:
    """What is loaded by now stays to the end: no collection looks at it again, and there are fewer."""
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()


@contextmanager
def uncollected() -> Iterator[None]:
    """Around what makes much that stays to the end of the process: each look at all of it takes 0.1 s."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, a SIGKILL included (Linux)."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def peak_rss() -> int:
    """Greatest resident set of this process so far, bytes (VmHWM; elsewhere getrusage)."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def own_rss() -> int:
    """Resident bytes of this process now."""
    return int(psutil.Process().memory_info().rss)


def peak_rss_with(workers: int) -> int:
    """Greatest resident set of this process and of ``workers`` that it has ended, bytes.

    The kernel keeps the largest of the ended ones only: each of them counts as that one, so the truth may be
    less.
    """
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return peak_rss() + workers * largest


def tree_rss() -> int:
    """Resident bytes of this process and its children now."""
    me = psutil.Process()
    return _sum([me, *me.children(recursive=True)])


def crew_rss() -> int:
    """Resident bytes now of the process that started the workers and of its workers; called in either.

    Whatever else that process has started (servers, editors, other programs) is none of the load's.
    """
    me = psutil.Process()
    first = (me.parent() if multiprocessing.parent_process() is not None else None) or me
    return _sum([first, *filter(_is_worker, first.children())])


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any(WORKER in word for word in process.cmdline())
    except psutil.Error:
        return False


def _sum(processes: list[psutil.Process]) -> int:
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
