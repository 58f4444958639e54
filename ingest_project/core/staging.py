"""What a stage did to a bucket of documents, as numbers that add up; seconds a document without keeping each.

Pure values and arithmetic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp, log

from ingest_project.core.document_ledger import Standing
from ingest_project.core.documents import Stage
from ingest_project.core.errors import CountLost

_FIRST, _STEP, _STEPS = 0.0001, log(1.1), 220
"""From a tenth of a millisecond, each bin a tenth wider than the one before: the last holds 36 hours."""


class Timings:
    """Seconds of any number of documents in 220 counters: quantiles are right within 10 %."""

    def __init__(self) -> None:
        self._bins = [0] * _STEPS
        self.count, self.total, self.most = 0, 0.0, 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """``count`` documents took so long each."""
        place = int(log(seconds / _FIRST) / _STEP) + 1 if seconds > _FIRST else 0
        self._bins[min(place, _STEPS - 1)] += count
        self.count, self.total = self.count + count, self.total + seconds * count
        self.most = max(self.most, seconds)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Seconds that ``share`` of the documents did not exceed; never more than the longest."""
        left = share * self.count
        for place, count in enumerate(self._bins):
            left -= count
            if count and left <= 0:
                return min(self.most, _FIRST * exp(place * _STEP))
        return self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """One run of a stage over a bucket. Each document is counted once.

    Attributes:
        total: Documents of the bucket; while the run is under way, as counted before it.
        done: Worked out in this run.
        unchanged: Was through before.
        waiting: A stage before is not through with it.
        parked: Parked, by this run (``newly_parked`` of them) or before and for the same fingerprint.
        delayed: Did not work out, or was not tried any more because nothing did; the next run tries again.
        busy: Somebody else works on it, or has meanwhile.
        causes: Cause -> documents that this run parked for it.
        reasons: Some examples of why documents are delayed.
        seconds: That the run took.
        mean, p95: Seconds a document, of those that were worked on.
    """

    stage: str
    total: int = 0
    done: int = 0
    unchanged: int = 0
    waiting: int = 0
    parked: int = 0
    newly_parked: int = 0
    delayed: int = 0
    busy: int = 0
    causes: Mapping[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0
    mean: float = 0.0
    p95: float = 0.0

    @property
    def seen(self) -> int:
        """Documents whose part in this run is known."""
        return self.done + self.unchanged + self.waiting + self.parked + self.delayed + self.busy

    @property
    def tried(self) -> int:
        """Documents that this run worked on to an end."""
        return self.done + self.newly_parked

    @property
    def rate(self) -> float:
        """Documents a second, of those that were worked on."""
        return self.tried / self.seconds if self.seconds > 0 else 0.0

    def check(self) -> None:
        """Raises CountLost when a document is unaccounted for."""
        if self.seen != self.total:
            raise CountLost(
                f"stage {self.stage}: {self.seen} of {self.total} documents accounted for: {self}"
            )


class StageTally:
    """A StageReport that grows."""

    EXAMPLES = 5

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.counts: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.reasons: list[str] = []
        self.timings = Timings()

    def add(self, what: str, count: int = 1) -> None:
        """``what``: a name of StageReport's counts."""
        self.counts[what] += count

    def delay(self, reason: str, count: int = 1) -> None:
        self.counts["delayed"] += count
        if reason not in self.reasons and len(self.reasons) < self.EXAMPLES:
            self.reasons.append(reason)

    def park(self, cause: str) -> None:
        self.counts["parked"] += 1
        self.counts["newly_parked"] += 1
        self.causes[cause] += 1

    def report(self, total: int, seconds: float) -> StageReport:
        """As it stands."""
        return StageReport(
            stage=self.stage,
            total=total,
            causes=dict(self.causes),
            reasons=tuple(self.reasons),
            seconds=seconds,
            mean=self.timings.mean,
            p95=self.timings.quantile(0.95),
            **self.counts,
        )


UNCHANGED, WAITING, PARKED, BUSY, DUE = "unchanged", "waiting", "parked", "busy", "due"


def judge(stage: Stage, found: Standing, again: Callable[[Standing], bool]) -> tuple[str, str]:
    """What the stage has to do with a document, and the fingerprint that it wants.

    Args:
        again: Whether it is to be done once more, although nothing that it depends on has changed.
    """
    marks = found.document.marks
    if any(name not in marks for name in stage.after):
        return WAITING, ""
    wanted = stage.fingerprint(found.document)
    mark = marks.get(stage.name)
    if not again(found):
        if mark is not None and mark.fingerprint == wanted:
            return UNCHANGED, wanted
        if found.parked == wanted:
            return PARKED, wanted
    return (BUSY if found.held else DUE), wanted
