"""The demonstration: sample dumps into the inbox, a wait until Dagster has dealt with them, a verdict each.

Looks at the ledger only, as any user could; starts and stops nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ingest_project.core.model import WorkStatus
from ingest_project.core.ports import Clock
from ingest_project.ledgers.files import FileEntry
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.summaries import FileSummary
from ingest_project.local.sample_rows import EXPORTED_ORDERS, EXPORTS, write_exports
from ingest_project.local.samples import SAMPLES, Sample, write_samples

ALL = (*SAMPLES, *EXPORTS)
WRITERS = {"messages": write_samples, "dropship": write_exports}
"""Entity -> who writes its samples into a folder."""

BOOKS = "dropship-orders"
"""Under this name the ledger keeps how far the orders of a date's lines are made."""

ENDED = ("consumed", "failed")
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one sample.

    Attributes:
        state: As the inbox's register says: ``consumed`` when all is well.
        summary: The ledger's account; None when the file was never planned.
        seconds: From the file's request to its end, as it was seen from here.
        peak_rss_bytes: Greatest memory of a run's process in that time.
        problem: What is not as expected; empty when all is.
    """

    sample: Sample
    state: str
    summary: FileSummary | None
    seconds: float
    peak_rss_bytes: int
    problem: str


@dataclass(slots=True)
class _Watch:
    """What was seen of one file while it was waited for."""

    state: str = "in the local inbox"
    reason: str = ""
    begun: float = 0.0
    ended: float = 0.0
    peak: int = 0


@dataclass(slots=True, kw_only=True)
class Demo:
    """One demonstration.

    Attributes:
        inbox: Where its files go, ``<inbox>/<entity>/<date>/<name>``.
        date, name: Tell this demonstration from others in the ledger.
        memory: Greatest memory of a run's process now, bytes.
    """

    ledger: SqlLedger
    inbox: Path
    date: str
    name: str
    memory: Callable[[], int]
    clock: Clock = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _seen: dict[str, _Watch] = field(default_factory=dict)

    def place(self) -> None:
        """Put the samples into the inbox."""
        for entity, write in WRITERS.items():
            write(self.inbox / entity / self.date / self.name)
        self._seen = {sample.name: _Watch() for sample in ALL}

    def wait(self, timeout: float, tell: Callable[[str], None]) -> bool:
        """Wait until every file is consumed or failed, and orders are made; False when the time is over
        first."""
        deadline = self.clock() + timeout
        while True:
            self._look()
            tell(self._words())
            if all(watch.ended for watch in self._seen.values()) and not self.open_books():
                return True
            if self.clock() >= deadline:
                return False
            self.sleep(POLL_SECONDS)

    def verdicts(self) -> list[Verdict]:
        """One a sample."""
        summaries = {
            summary.uri.rsplit("/", 1)[-1]: summary
            for entity in WRITERS
            for summary in self.ledger.summary(entity)
            if self._is_mine(summary.uri)
        }
        return [self._verdict(sample, summaries.get(sample.name)) for sample in ALL]

    def orders(self) -> int:
        """Orders of the date's lines that are made, each as often as its lines came anew."""
        return sum(row.counts.sent for row in self._books())

    def open_books(self) -> str:
        """Why not all orders are made; empty when they are, or when no line came to be made an order of."""
        if any(self._seen[sample.name].state == "failed" for sample in EXPORTS):
            return ""
        if self.orders() < EXPORTED_ORDERS:
            return f"{self.orders()} of {EXPORTED_ORDERS} orders are made"
        return "" if all(row.state == "sealed" for row in self._books()) else "orders are being made"

    def _books(self) -> Sequence[WorkStatus]:
        return [row for row in self.ledger.status(BOOKS, self.date) if row.stage == "orders"]

    def _look(self) -> None:
        now, memory = self.clock(), self.memory()
        for entry in self._entries():
            watch = self._seen[entry.file.uri.rsplit("/", 1)[-1]]
            watch.state, watch.reason = entry.state, entry.reason
            if entry.state == "requested":
                watch.begun = watch.begun or now
                watch.peak = max(watch.peak, memory)
            elif entry.state in ENDED:
                watch.ended = watch.ended or now

    def _entries(self) -> Sequence[FileEntry]:
        entries = [entry for name in WRITERS for entry in self.ledger.files.list(name, limit=100_000)]
        return [entry for entry in entries if self._is_mine(entry.file.uri)]

    def _is_mine(self, uri: str) -> bool:
        return any(uri.endswith(f"/{self.date}/{self.name}/{sample.name}") for sample in ALL)

    def _words(self) -> str:
        states: dict[str, int] = {}
        for watch in self._seen.values():
            states[watch.state] = states.get(watch.state, 0) + 1
        mine = [row for name in WRITERS for row in self.ledger.status(name) if self._is_mine(row.uri)]
        done = dict.fromkeys(("validated", "table", "index"), 0)
        for row in mine:
            done[row.stage] += row.counts.sent
        files = ", ".join(f"{count} {state}" for state, count in states.items())
        records = ", ".join(f"{count:,} {stage}" for stage, count in done.items())
        return f"files: {files}; records: {records}; orders: {self.orders():,}"

    def _verdict(self, sample: Sample, summary: FileSummary | None) -> Verdict:
        watch = self._seen[sample.name]
        seconds = max(0.0, watch.ended - watch.begun) if watch.begun and watch.ended else 0.0
        return Verdict(
            sample=sample,
            state=watch.state,
            summary=summary,
            seconds=seconds,
            peak_rss_bytes=watch.peak,
            problem=_problem(sample, watch.state, watch.reason, summary),
        )


def _problem(sample: Sample, state: str, reason: str, summary: FileSummary | None) -> str:
    """What is not as it should be, in a sentence."""
    if state != "consumed":
        return reason or f"the file is {state}"
    if summary is None:
        return "the ledger knows nothing of it"
    if (summary.read, summary.rejected) != (sample.read, sample.rejected):
        return (
            f"{summary.read} read and {summary.rejected} rejected, expected are {sample.read} and "
            f"{sample.rejected}"
        )
    valid = summary.read - summary.stages["validated"].counts.rejected
    for stage in ("table", "index"):
        counts = summary.stages[stage].counts if stage in summary.stages else None
        if counts is None or not counts.balanced or counts.sent != valid:
            return f"{stage}: not all of {valid} records are accounted for"
    return ""


def peak_of_runs(pid: int) -> Callable[[], int]:
    """How much memory the largest of Dagster's run processes takes now.

    Args:
        pid: Of `dagster dev`.
    """

    def measure() -> int:
        largest = 0
        try:
            family = psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return 0
        for process in family:
            try:
                if is_run(process):
                    largest = max(largest, process.memory_info().rss)
            except psutil.Error:
                continue
        return largest

    return measure


def is_run(process: psutil.Process) -> bool:
    """Whether it is a run of Dagster's: these are children of the code server."""
    parent = process.parent()
    return parent is not None and "grpc" in " ".join(parent.cmdline())
