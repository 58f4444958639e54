"""What this process uses: resident memory now and at its peak. Linux figures, from the kernel's own
account."""

from __future__ import annotations

import multiprocessing
import resource
from pathlib import Path

import psutil


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


def tree_rss(*, of_parent: bool = False) -> int:
    """Resident bytes of this process and its children now.

    Args:
        of_parent: In a worker process: of the process that started it, and of all its children.
    """
    me = psutil.Process()
    if of_parent and multiprocessing.parent_process() is not None:
        me = me.parent() or me
    total: int = me.memory_info().rss
    for child in me.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
