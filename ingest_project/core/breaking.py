"""Circuit breaker: stops asking a service that keeps failing, and finds out with one call whether it is back.

Pure: the clock is handed in; nobody here waits or sends. One thread uses it (the callers of an event loop).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """What a person wants to know of a breaker.

    Attributes:
        state: ``closed``: calls are made. ``open``: none is. ``half-open``: one may be, or is under way.
        failures: In a row so far.
        openings: How often an outage was noticed.
        open_for: Seconds since it opened, failed probes included; 0 when closed.
        next_probe: Seconds until a call may see whether the service is back; 0 when one may now.
        reason: Of the last failure.
    """

    state: str
    failures: int
    openings: int
    open_for: float
    next_probe: float
    reason: str


class CircuitBreaker:
    """Opens after ``threshold`` failures in a row; after a cooldown exactly one call goes through as a probe.
    Its success closes the breaker, its failure opens it again for longer.

    Each call that ``admit`` lets through is answered once by ``success``, ``failure`` or ``forget`` with the
    ticket that it got. Answers of calls that began before the last change of state are ignored: dozens of
    requests that fail together open the breaker once, and none of them closes it.

    Args:
        threshold: Failures in a row that open it.
        cooldown: Seconds until the first probe; a failed probe multiplies it by ``growth``, up to
            ``longest``.
        watch: Told after each change of state; must be cheap and must not raise.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        threshold: int = 5,
        cooldown: float = 5.0,
        growth: float = 2.0,
        longest: float = 120.0,
        watch: Callable[[BreakerStatus], None] | None = None,
    ) -> None:
        if threshold < 1 or cooldown < 0 or growth < 1 or longest < cooldown:
            raise ValueError(f"no breaker opens so: {threshold=} {cooldown=} {growth=} {longest=}")
        self._clock, self._threshold, self._watch = clock, threshold, watch
        self._first, self._growth, self._longest = cooldown, growth, longest
        self._cooldown = cooldown
        self._era = self._failures = self._openings = 0
        self._since: float | None = None
        self._until = 0.0
        self._probing = False
        self._reason = ""

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if self._since is None:
            return CLOSED
        return HALF_OPEN if self._probing or self._clock() >= self._until else OPEN

    @property
    def status(self) -> BreakerStatus:
        """As it stands."""
        return BreakerStatus(
            state=self.state,
            failures=self._failures,
            openings=self._openings,
            open_for=0.0 if self._since is None else self._clock() - self._since,
            next_probe=self.wait(),
            reason=self._reason,
        )

    @property
    def ready(self) -> bool:
        """Would a call be let through now?"""
        return self._since is None or not (self._probing or self._clock() < self._until)

    def admit(self) -> int | None:
        """A ticket when a call may be made now; ``None``: not now."""
        if self._since is not None:
            if not self.ready:
                return None
            self._probing = True
            self._change()
        return self._era

    def wait(self) -> float:
        """Seconds until a call may be made; 0 while a probe is under way, whose end is what to wait for."""
        return 0.0 if self._since is None or self._probing else max(0.0, self._until - self._clock())

    def success(self, ticket: int) -> None:
        """The service answered, whatever it said."""
        if ticket != self._era:
            return
        self._failures = 0
        if self._since is not None:
            self._since, self._probing, self._cooldown = None, False, self._first
            self._change()

    def failure(self, ticket: int, reason: str, *, retry_after: float | None = None) -> None:
        """The service did not do its work. Its own advice is the least cooldown, within ``longest``."""
        if ticket != self._era:
            return
        self._failures, self._reason = self._failures + 1, reason
        if self._probing:
            self._cooldown = min(self._longest, self._cooldown * self._growth)
        elif self._failures < self._threshold:
            return
        else:
            self._since, self._openings = self._clock(), self._openings + 1
        advice = min(retry_after or 0.0, self._longest)
        self._until, self._probing = self._clock() + max(self._cooldown, advice), False
        self._change()

    def forget(self, ticket: int) -> None:
        """The call says nothing about the service (it was cancelled); a probe may be made by another."""
        if ticket == self._era and self._probing:
            self._probing = False
            self._change()

    def _change(self) -> None:
        self._era += 1
        if self._watch is not None:
            self._watch(self.status)
