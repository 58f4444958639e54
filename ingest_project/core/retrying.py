"""When to try again: retry policy, verdicts and rate governor. Pure; knows no vendor error.

Clock and random numbers are handed in; nobody here sleeps or sends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

from ingest_project.core.errors import BatchTooLarge, LeaseLost, TransientFailure


class Verdict(Enum):
    """What an error means for what was sent."""

    RETRY = "retry"
    SPLIT = "split"
    STOP = "stop"
    FATAL = "fatal"


def verdict(error: BaseException) -> Verdict:
    """The one place that decides what is tried again. Anything unknown is fatal."""
    if isinstance(error, TransientFailure):
        return Verdict.RETRY
    if isinstance(error, BatchTooLarge):
        return Verdict.SPLIT
    return Verdict.STOP if isinstance(error, LeaseLost) else Verdict.FATAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter: uniform in [0, min(cap, base * factor ** (n - 1))] after try n.

    Attributes:
        attempts: Tries in a row without any progress before giving up; at least 1.
    """

    base: float = 0.5
    factor: float = 2.0
    cap: float = 20.0
    attempts: int = 8

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base < 0 or self.factor < 1 or self.cap < 0:
            raise ValueError(f"not a policy that ends: {self}")

    def delay(self, attempt: int, rng: Random, retry_after: float | None = None) -> float | None:
        """Seconds to wait after the ``attempt``-th try failed; ``None``: give up. The server's advice is the
        least."""
        if attempt >= self.attempts:
            return None
        ceiling = min(self.cap, self.base * self.factor ** min(attempt - 1, 64))
        return max(retry_after or 0.0, rng.uniform(0.0, ceiling))


class RateGovernor:
    """How many requests in flight and how many items a second: grows until the target objects, then stays
    close.

    Window: doubles each round trip until the first objection, is halved at most once in ``calm`` seconds,
    then grows by one request a round trip; always within [1, most].

    Pace: unlimited until the first objection that a measurement stands behind. An objection lowers it to
    ``backoff`` times what the target took lately, or by as much when the target took nearly everything; then
    it
    climbs along a cubic: back at the old value after ``recovery`` seconds, slow around it, ever faster beyond
        it.

    Args:
        most: Largest window.
        start: First window.
    """

    LONGEST_WAIT = 2.0
    """Seconds: however low the pace, one batch may be sent in that time."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        most: int = 64,
        start: int = 8,
        calm: float = 0.5,
        backoff: float = 0.9,
        recovery: float = 4.0,
    ) -> None:
        if most < 1:
            raise ValueError(f"at least one request must be in flight, not {most}")
        self._clock, self._most = clock, float(most)
        self._calm, self._backoff, self._recovery = calm, backoff, recovery
        self._window = float(max(1, min(start, most)))
        self._slow_start = True
        now = clock()
        self._objected, self._ready, self._since = now - calm, now, now
        self._taken = self._refused = 0
        self._rate, self._share = 0.0, 0.0
        self._former = self._low = 0.0

    @property
    def window(self) -> int:
        """Requests that may be in flight now."""
        return int(self._window)

    @property
    def pace(self) -> float | None:
        """Items a second now, ``None`` while nothing limits them."""
        return self._pace(self._clock()) if self._former else None

    def delay(self, items: int) -> float:
        """Reserve ``items`` and return the seconds to wait before they are sent."""
        if not self._former:
            return 0.0
        now = self._clock()
        begin = max(self._ready, now)
        self._ready = begin + min(items / self._pace(now), self.LONGEST_WAIT)
        return begin - now

    def report(self, taken: int, refused: int, *, throttled: bool) -> None:
        """Tell what became of one request: items taken, items not taken this time, and whether the target
        objected to the rate."""
        now = self._clock()
        self._taken += taken
        self._refused += refused
        if now - self._since >= self._calm:
            self._measure(now)
        if throttled:
            self._object(now)
        elif self._window < self._most:
            self._window = min(self._most, self._window + (1.0 if self._slow_start else 1.0 / self._window))

    def _measure(self, now: float) -> None:
        total = self._taken + self._refused
        self._rate = self._taken / (now - self._since)
        self._share = self._refused / total if total else 0.0
        self._taken, self._refused, self._since = 0, 0, now

    def _object(self, now: float) -> None:
        wait = self._calm if self._former else self._calm / 5
        if now - self._objected < wait:
            return
        if now - self._since >= wait:
            self._measure(now)
        former = self._pace(now) if self._former else self._rate
        self._objected, self._slow_start = now, False
        self._window = max(1.0, self._window / 2)
        if former:
            # A target that refuses much takes what it can: the measured rate is its capacity.
            self._former = min(former, self._rate) if self._share > 0.2 else former
            self._former = max(1.0, self._former)
            self._low = self._former * self._backoff

    def _pace(self, now: float) -> float:
        rest = 1.0 - (now - self._objected) / self._recovery
        return self._former - (self._former - self._low) * rest**3
