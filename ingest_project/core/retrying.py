"""When to try again: retry policy and verdicts. Pure; knows no vendor error.

Random numbers are handed in; nobody here sleeps or sends. How fast is decided in governing.
"""

from __future__ import annotations

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
        attempts: Tries in a row without any progress before giving up; at least 1. What progress is, is the
            caller's to say.
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
        return None if attempt >= self.attempts else self.wait(attempt, rng, retry_after)

    def wait(self, attempt: int, rng: Random, retry_after: float | None = None) -> float:
        """``delay`` of a policy that never gives up."""
        ceiling = min(self.cap, self.base * self.factor ** min(attempt - 1, 64))
        return max(retry_after or 0.0, rng.uniform(0.0, ceiling))


class Patience:
    """Counts the tries of one batch: how long it waits, and when it gives up.

    The wait grows with the tries in a row that brought this batch nothing. Given up is after
    ``policy.attempts`` of them, those not counted which the target refused for the rate while it took
    something of others: the rate is too high then, not the target out of order. Others come to their end, so
    the tries are finite all the same.

    Attributes:
        tries: In a row, without progress of this batch.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self.tries = self._counted = 0

    def tried(self, *, progress: bool, excused: bool) -> None:
        """One try failed, at least in part.

        Args:
            progress: Some of the batch was taken.
            excused: The target asked for a lower rate, and took something of others since the last try.
        """
        self.tries = 1 if progress else self.tries + 1
        self._counted = 1 if progress else self._counted + (not excused)

    def delay(self, rng: Random, retry_after: float | None = None) -> float | None:
        """Seconds until the next try; ``None``: give up."""
        if self._counted >= self._policy.attempts:
            return None
        return self._policy.wait(self.tries, rng, retry_after)
