"""What a cluster's runs and workers cost: times from a run's log, memory and CPU time of its processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.cluster_running import Cluster, Event
from ingest_project_tests.e2e.running import Run

MB = 1 << 20


def accounts(found: Cluster, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """``account_of`` each, and ``gap_s``: from when it could go from Dagster's queue until it went."""
    told = [account_of(found, run) for run in runs]
    for one in told:
        ends = [other["ended"] for other in told if other["ended"] < one["sent"]]
        one["gap_s"] = round(one["sent"] - max([one["queued"], *ends]), 3)
    return told


def account_of(found: Cluster, run: Run) -> dict[str, Any]:
    """A run's times, seconds since the epoch and between its borders, and its records a second.

    ``queued`` is when Dagster's queue had it, ``sent`` when it went from there to the broker, ``start_s``
    from then to the run's own first word.
    """
    events = sorted(found.events(run.id), key=lambda event: event.at)
    steps = _steps(events)
    queued, sent, start, ended = (
        _first(events, *words) for words in (("ENQUEUED",), ("STARTING",), ("START",), ("SUCCESS", "FAILURE"))
    )
    table = steps.get("messages__table", (0.0, 0.0))
    days = {tag for name, tag in run.tags.items() if name.startswith("dagster/asset_partition_range")}
    day = min(days, default="").partition("|")[0]
    rows = found.deployment.ledger.status("messages", day) if day else []
    records = sum(row.counts.written for row in rows if row.stage == "table")
    return {
        "id": run.id,
        "status": run.status,
        "range": sorted(days),
        "queued": queued,
        "sent": sent,
        "ended": ended,
        "start_s": round(start - sent, 3),
        "step_s": round(min(begin for begin, _ in steps.values()) - start, 3),
        "end_s": round(ended - max(end for _, end in steps.values()), 3),
        "run_s": round(ended - start, 3),
        "steps": {name: round(end - begin, 3) for name, (begin, end) in steps.items()},
        "records": records,
        "rate": records / max(table[1] - table[0], 0.001),
    }


def _first(events: Sequence[Event], *words: str) -> float:
    """When the run was first said to be so; the protocol has two names for each."""
    kinds = {f"{prefix}_{word}" for prefix in ("RUN", "PIPELINE") for word in words}
    found = [event.at for event in events if event.kind in kinds]
    assert found, f"none of {sorted(kinds)} among {[event.kind for event in events]}"
    return found[0]


def _steps(events: Sequence[Event]) -> dict[str, tuple[float, float]]:
    begun = {event.step: event.at for event in events if event.kind == "STEP_START"}
    ended = {event.step: event.at for event in events if event.kind in ("STEP_SUCCESS", "STEP_FAILURE")}
    return {step: (begun[step], at) for step, at in ended.items() if step in begun}


class Watch:
    """A worker's process and those below it.

    Attributes:
        cpu: Process id of a run -> CPU seconds when it was last seen.
        peak: MB of its own (shared pages by share) that a run had at most.
    """

    def __init__(self, pid: int) -> None:
        self.cpu: dict[int, float] = {}
        self.peak = 0.0
        self._main = psutil.Process(pid)

    def idle(self) -> float:
        """MB of the worker with its waiting child."""
        return sum(_own(process.pid) for process in [self._main, *self._main.children(recursive=True)])

    def look(self) -> None:
        for child in self._main.children():
            try:
                times = child.cpu_times()
                self.cpu[child.pid] = times.user + times.system
                self.peak = max(self.peak, _own(child.pid))
            except (psutil.NoSuchProcess, OSError):
                continue


def _own(pid: int) -> float:
    """MB of a process, pages that others have too counted by share."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")) / MB
