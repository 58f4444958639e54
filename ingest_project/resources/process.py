"""What this process uses, by the kernel's own account (Linux): resident memory now and at its peak; and how
often Python's collector of cycles looks at it."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

RARELY = 20_000, 20, 20
"""Collections: the hot path makes many short-lived tuples and no cycles."""


def spare_collector() -> None:
    """What is loaded by now stays to the end: no collection looks at it again, and there are fewer."""
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()


def peak_rss() -> int:
    """Greatest resident set of this process so far, bytes (VmHWM; elsewhere getrusage)."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tree_rss() -> int:
    """Resident bytes of this process and its children now."""
    import psutil

    me = psutil.Process()
    total: int = me.memory_info().rss
    for child in me.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
