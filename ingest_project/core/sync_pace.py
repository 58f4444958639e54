"""How fast an API is read: rates and their rating, what a full read needs, whether a deadline can be kept.

Pure arithmetic over measured numbers, and the sentences and metrics that say what came out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from ingest_project.core.metrics import Metric
from ingest_project.core.progress import duration

EXCELLENT, GOOD = 800.0, 400.0
MANY_WORKERS = 16
"""More large pages at a time than this may slow the service down for everybody, says its documentation."""


def rating(rows_per_second: float) -> str:
    """The domain's words for a rate."""
    if rows_per_second > EXCELLENT:
        return "excellent"
    return "good" if rows_per_second >= GOOD else "needs work"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSoFar:
    """A sync at one moment.

    Attributes:
        rows, bytes, requests: Since ``seconds`` ago; requests that brought a page.
        rows_left: None while nobody knows.
        cpu_seconds, peak_bytes: Of the process.
    """

    entity: str
    rows: int
    seconds: float
    rows_left: int | None = None
    bytes: int = 0
    requests: int = 0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """None while nobody can know."""
        if self.rows_left is None or (self.rows_left > 0 and self.rate <= 0):
            return None
        return self.rows_left / self.rate if self.rows_left > 0 else 0.0

    def __str__(self) -> str:
        """``order_hdr: 250,000 rows at 1,234 rows/s (excellent), 0:10:08 left``"""
        left = self.seconds_left
        text = f"{self.entity}: {self.rows:,} rows at {self.rate:,.0f} rows/s ({rating(self.rate)})"
        return text if left is None else f"{text}, {duration(left)} left"

    def metrics(self) -> tuple[Metric, ...]:
        """For whoever watches from outside."""
        labels = {"entity": self.entity}
        cores = self.cpu_seconds / self.seconds if self.seconds > 0 else 0.0
        left = self.seconds_left
        known = (
            _gauge("ingest_sync_rows_per_second", self.rate, "Rows read a second", labels),
            _gauge("ingest_sync_cpu_ratio", cores, "Cores in use", labels, "ratio"),
            _gauge("ingest_sync_memory_peak_bytes", self.peak_bytes, "Most memory in use", labels, "bytes"),
            _counter("ingest_sync_rows", self.rows, "Rows read", labels),
            _counter("ingest_sync_read_bytes", self.bytes, "Bytes of pages", labels, "bytes"),
            _counter("ingest_sync_requests", self.requests, "Requests that brought a page", labels),
        )
        if left is None:
            return known
        what = "Until the last row, at the present rate"
        return (*known, _gauge("ingest_sync_left_seconds", left, what, labels, "seconds"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An entity as a few requests found it.

    Attributes:
        rows: In all.
        row_bytes: Of a page's body, a row.
        page_seconds: One request for a full page.
    """

    entity: str
    rows: int
    row_bytes: float
    page_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What may be used.

    Attributes:
        page_rows: Rows a page.
        workers: Requests under way at a time.
        quota: Requests a second, over everybody who shares it.
    """

    page_rows: int
    workers: int
    quota: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPlan:
    """What reading entities whole needs.

    Attributes:
        bytes: Of the pages.
        pages_per_second: That the workers and the quota allow.
        workers: That were counted with.
        deadline: Seconds; the following are None without one.
        pages_needed: A second, to keep the deadline.
        workers_needed: Requests under way at a time, to keep it.
        feasible: Within the quota.
    """

    entities: tuple[str, ...]
    rows: int
    requests: int
    bytes: int
    page_rows: int
    page_seconds: float
    pages_per_second: float
    quota: float
    workers: int
    deadline: float | None = None
    pages_needed: float | None = None
    workers_needed: int | None = None
    feasible: bool | None = None

    @property
    def rows_per_second(self) -> float:
        return self.pages_per_second * self.page_rows

    @property
    def seconds(self) -> float:
        """From the first request to the last, when nothing goes wrong."""
        return self.requests / self.pages_per_second if self.requests else 0.0

    def metrics(self) -> tuple[Metric, ...]:
        """For whoever watches from outside."""
        labels = {"entity": "+".join(self.entities)}
        named = {
            "ingest_plan_rows": (self.rows, "Rows to read", ""),
            "ingest_plan_requests": (self.requests, "Requests for them", ""),
            "ingest_plan_read_bytes": (self.bytes, "Bytes of their pages", "bytes"),
            "ingest_plan_rows_per_second": (self.rows_per_second, "Rows that can be read a second", ""),
            "ingest_plan_read_seconds": (self.seconds, "Time of a full read", "seconds"),
            "ingest_plan_workers_needed": (self.workers_needed, "Workers for the deadline", ""),
            "ingest_plan_deadline_seconds": (self.deadline, "Time that was asked for", "seconds"),
        }
        return tuple(
            _gauge(name, value, what, labels, unit)
            for name, (value, what, unit) in named.items()
            if value is not None
        )


def read_plan(found: Sequence[Measured], means: Means, deadline: float | None = None) -> ReadPlan:
    """What reading these entities whole, side by side, needs.

    Args:
        deadline: Seconds in which all of it must be done.
    """
    pages = [ceil(one.rows / means.page_rows) for one in found]
    requests = sum(pages)
    work = sum(count * one.page_seconds for count, one in zip(pages, found, strict=True))
    page_seconds = work / requests if requests else 0.0
    pages_needed = requests / deadline if deadline else None
    return ReadPlan(
        entities=tuple(one.entity for one in found),
        rows=sum(one.rows for one in found),
        requests=requests,
        bytes=ceil(sum(one.rows * one.row_bytes for one in found)),
        page_rows=means.page_rows,
        page_seconds=page_seconds,
        pages_per_second=min(means.quota, means.workers / page_seconds if page_seconds else means.quota),
        quota=means.quota,
        workers=means.workers,
        deadline=deadline,
        pages_needed=pages_needed,
        workers_needed=None if pages_needed is None else max(1, ceil(pages_needed * page_seconds)),
        feasible=None if pages_needed is None else pages_needed <= means.quota,
    )


def sentences(plan: ReadPlan) -> Iterator[str]:
    """The plan in words."""
    names = ", ".join(plan.entities)
    yield (
        f"{names}: {plan.rows:,} rows are {_count(plan.requests, 'request')} of {plan.page_rows:,} rows, "
        f"about {_size(plan.bytes)}"
    )
    if not plan.requests:
        return
    yield (
        f"a page takes {plan.page_seconds:.2f} s: {_count(plan.workers, 'worker')} and a quota of "
        f"{_rate(plan.quota)} requests a second read {_rate(plan.pages_per_second)} pages a second = "
        f"{plan.rows_per_second:,.0f} rows/s ({rating(plan.rows_per_second)}): {duration(plan.seconds)} in "
        "all"
    )
    if plan.deadline is not None and plan.pages_needed is not None:
        yield from _deadline(plan, plan.deadline, plan.pages_needed)


def _deadline(plan: ReadPlan, deadline: float, pages: float) -> Iterator[str]:
    workers = plan.workers_needed or 1
    needs = (
        f"{plan.rows:,} rows in {duration(deadline)} need {plan.rows / deadline:,.0f} rows/s = "
        f"{_rate(pages)} pages a second; your quota gives {_rate(plan.quota)} = "
        f"{plan.quota * plan.page_rows:,.0f} rows/s"
    )
    if not plan.feasible:
        yield (
            f"{needs}: not feasible, it takes {duration(plan.requests / plan.quota)} at least. Ask for a "
            f"quota of {_rate(pages, up=True)} requests a second, or for that time"
        )
        return
    yield f"{needs}: feasible with {_count(workers, 'worker')}"
    if workers > plan.workers:
        yield f"only {plan.workers} are configured: set INGEST_WMS_AT_ONCE={workers}"
    if workers > MANY_WORKERS:
        yield (
            f"{workers} large pages at a time may slow the API down for its other users: watch the time a "
            "page takes"
        )


def _gauge(name: str, value: float, what: str, labels: dict[str, str], unit: str = "") -> Metric:
    return Metric(name=name, value=value, help=what, labels=labels, unit=unit)


def _counter(name: str, value: float, what: str, labels: dict[str, str], unit: str = "") -> Metric:
    return Metric(name=name, value=value, help=what, labels=labels, unit=unit, kind="counter")


def _rate(value: float, *, up: bool = False) -> str:
    """Two digits at least; ``up``: never less than the value."""
    if value >= 100:
        return f"{ceil(value) if up else value:,.0f}"
    tenths = ceil(value * 10 - 1e-9) if up else round(value * 10)
    return f"{tenths / 10:.1f}" if value >= 1 else f"{value:.2g}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _size(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} KB"
