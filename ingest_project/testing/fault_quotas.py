"""What a target takes a second: quotas as token buckets, and the record of what was taken and refused.

Knows units, not what they are made of; the clock is an argument.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

Clock = Callable[[], float]

SECONDS_KEPT = 7200


class Bucket:
    """A token bucket: in any ``t`` seconds it gives at most ``rate * t + size``.

    Args:
        rate: Tokens that come back a second.
        size: Most tokens it holds.
        start: Tokens at the beginning; full without it.
    """

    def __init__(self, rate: float, size: float, clock: Clock, *, start: float | None = None) -> None:
        if rate <= 0 or size <= 0:
            raise ValueError(f"a quota must be above 0: {rate:g} a second, {size:g} at most")
        self._rate, self._size, self._clock = rate, size, clock
        self._tokens = size if start is None else min(start, size)
        self._seen = clock()

    @property
    def level(self) -> float:
        """Tokens now."""
        now = self._clock()
        self._tokens = min(self._size, self._tokens + max(0.0, now - self._seen) * self._rate)
        self._seen = now
        return self._tokens

    def take(self, tokens: float) -> bool:
        """Take so many, or none."""
        # What was added up in pieces misses the whole by a rounding error at most.
        if tokens > self.level + 1e-6:
            return False
        self._tokens -= tokens
        return True

    def give_back(self, tokens: float) -> None:
        """What was taken for nothing."""
        self._tokens = min(self._size, self._tokens + tokens)

    def wait(self, tokens: float) -> float:
        """Seconds until so many will be there."""
        return max(0.0, (tokens - self.level) / self._rate)


class WriteQuota:
    """Write units a second with burst, for all targets of a server together.

    DynamoDB counts ``ceil(size / 1 KB)`` units an item and lends up to 300 seconds of what was not used.
    OpenSearch has no such quota, but refuses items alike when its queue is full.

    Args:
        units_per_second: What comes back.
        burst_seconds: So many seconds' units may be saved up; ``burst`` says it in units instead.
        unit: Bytes of a unit: 1024 for DynamoDB, 1 for a quota in bytes; 0: each item is one unit.
        start: Units saved up at the beginning; all that can be, without it.
    """

    def __init__(
        self,
        units_per_second: float,
        *,
        burst_seconds: float = 300.0,
        burst: float | None = None,
        unit: int = 1024,
        start: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        size = burst if burst is not None else units_per_second * burst_seconds
        self._bucket = Bucket(units_per_second, max(size, 1.0), clock, start=start)
        self._unit = unit

    def units(self, size: int) -> int:
        """What an item of so many bytes costs."""
        return math.ceil(size / self._unit) or 1 if self._unit else 1

    def take(self, units: Sequence[int]) -> list[int]:
        """Places of the items that do not fit; units of the others are taken. In order, each on its own."""
        return [place for place, cost in enumerate(units) if not self._bucket.take(cost)]

    def give_back(self, units: int) -> None:
        """The service refused these for another reason."""
        self._bucket.give_back(units)


class RequestQuota:
    """Requests a second with burst; what is beyond is told when to come again.

    Args:
        burst: Requests that may come at once.
    """

    def __init__(self, per_second: float, *, burst: int = 1, clock: Clock = time.monotonic) -> None:
        self._bucket = Bucket(per_second, burst, clock)

    def take(self) -> float:
        """0.0: let it pass. Otherwise seconds until one more may come."""
        return 0.0 if self._bucket.take(1) else self._bucket.wait(1)


@dataclass(slots=True)
class Second:
    """What happened in one second.

    Attributes:
        second: Since the server's start.
        accepted: Write units taken; 0 while there is no quota to count them.
        refused: Write units refused by the quota.
        requests: Write requests that came.
        refusals: Write requests refused as a whole by a quota.
        in_flight: Most of them at a time.
    """

    second: int
    accepted: int = 0
    refused: int = 0
    requests: int = 0
    refusals: int = 0
    in_flight: int = 0


class Meter:
    """The record of the last SECONDS_KEPT seconds in which anything happened."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._inside = 0
        self.seconds: deque[Second] = deque(maxlen=SECONDS_KEPT)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around one request."""
        self._inside += 1
        now = self._now()
        now.requests += 1
        now.in_flight = max(now.in_flight, self._inside)
        try:
            yield
        finally:
            self._inside -= 1

    def units(self, accepted: int, refused: int) -> None:
        """Write units that were taken and refused."""
        now = self._now()
        now.accepted += accepted
        now.refused += refused

    def refusal(self) -> None:
        """One request was refused as a whole."""
        self._now().refusals += 1

    def record(self) -> list[dict[str, Any]]:
        """The seconds as plain values."""
        return [asdict(second) for second in self.seconds]

    def _now(self) -> Second:
        moment = self._clock()
        if self._began is None:
            self._began = moment
        number = int(moment - self._began)
        if not self.seconds or self.seconds[-1].second != number:
            self.seconds.append(Second(number, in_flight=self._inside))
        return self.seconds[-1]
