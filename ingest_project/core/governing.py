"""How much and how fast: the rate governor finds what a target takes and stays close to it.

Pure: the clock is handed in; nobody here sleeps or sends. Who tries again, and when, is in retrying.
"""

from __future__ import annotations

from collections.abc import Callable


class RateGovernor:
    """Requests in flight (the window) and cost units a second (the pace) that a target takes without
    objecting.

    Cost units are whatever the target counts (``BatchLimits.cost``). Until the first objection there is no
    pace and the window doubles each round trip in which it is full; nothing is measured, nobody waits.

    The first objection sets the pace to half of what was going out. From then on the governor looks at
    epochs: at least ``calm`` seconds and FEWEST answers, of requests begun within the epoch, so that each
    change is judged by what was sent after it. While it searches, at the beginning and after an objection to
    more than half, MANY answers are enough; at other times a short storm may be somebody else's search.

    - In an epoch with objections the pace falls by the share refused, at ``n`` requests a second by
      ``FALL * sqrt(n)`` of itself at least (that within LEAST_FALL), and the window by the share refused if
      that is a fifth or more (by half at most).
    - In one without, the pace grows if it was used: each second by ``GAIN / sqrt(n)`` of itself, by GROWTH at
      most, and faster with the time since the last objection. The window grows by one a round trip in which
      it is full. As who has more gains less and gives up more, governors that share a quota without knowing
      of each other come to about equal parts.
    - While it searches the pace doubles each epoch instead, until an objection to half or less.

    The window stays within [1, most]; however low the pace, one request goes out within LONGEST_WAIT.

    Args:
        most: Largest window.
        start: First window.
        calm: Seconds of an epoch at least.
    """

    LONGEST_WAIT = 2.0
    SLACK = 0.05
    """Seconds by which a late request may be made up for."""
    FEWEST, MANY = 4, 8
    FALL, LEAST_FALL = 0.025, (0.1, 0.13)
    GAIN, GROWTH = 0.35, 0.05
    STEEPER = 12.0
    """Seconds after an objection in which growth doubles; it goes on with their square."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        most: int = 64,
        start: int = 8,
        calm: float = 0.25,
    ) -> None:
        if most < 1:
            raise ValueError(f"at least one request must be in flight, not {most}")
        self._clock, self._most = clock, float(most)
        self._calm = calm
        self._window = float(max(1, min(start, most)))
        self._pace = 0.0
        self._searching = False
        self._ready = self._objected = 0.0
        self._anew(0.0)

    @property
    def window(self) -> int:
        """Requests that may be in flight now."""
        return int(self._window)

    @property
    def paced(self) -> bool:
        """The target has objected: costs count."""
        return self._pace > 0.0

    @property
    def pace(self) -> float | None:
        """Cost units a second now, ``None`` while nothing limits them."""
        return self._pace or None

    def delay(self) -> float:
        """Seconds until the next request may go out."""
        if not self._pace:
            return 0.0
        return min(max(0.0, self._ready - self._clock()), self.LONGEST_WAIT)

    def spend(self, cost: float) -> None:
        """A request of so many units goes out now; needed only while ``paced``."""
        if not self._pace:
            return
        self._sent += cost
        self._requests += 1
        begin = max(self._ready, self._clock() - self.SLACK)
        self._ready = begin + min(cost / self._pace, self.LONGEST_WAIT)

    def report(self, cost: float, refused: float, *, begun: float, inside: int, throttled: bool) -> None:
        """What became of one request.

        Args:
            cost: Of the request.
            refused: Of what the target did not take of it.
            begun: When it was sent.
            inside: Requests in flight, this one included.
            throttled: The target objected to the rate.
        """
        if self._pace:
            if begun >= self._since:
                self._hear(cost, refused if throttled else 0.0)
        elif throttled:
            self._begin(cost, begun, inside)
        if not throttled:
            self.widen(inside)

    def widen(self, inside: int) -> None:
        """A request came back without an objection: all that ``report`` does while nothing is paced."""
        if self._window < self._most and inside >= int(self._window):
            step = 1.0 / self._window if self._pace else 1.0
            self._window = min(self._most, self._window + step)

    def _begin(self, cost: float, begun: float, inside: int) -> None:
        """The first objection: requests in flight over the time of one are the rate that was too much."""
        now = self._clock()
        rate = inside * max(cost, 1.0) / max(now - begun, 0.001)
        self._pace = max(rate / 2, cost / self.LONGEST_WAIT)
        self._window = max(1.0, self._window / 2)
        self._searching = True
        self._ready = self._objected = now
        self._anew(now)

    def _anew(self, now: float) -> None:
        self._since = self._heard = now
        self._answers = self._requests = 0
        self._cost = self._refused = self._sent = 0.0

    def _hear(self, cost: float, refused: float) -> None:
        now = self._clock()
        if not self._answers:
            self._heard = now
        self._answers += 1
        self._cost += cost
        self._refused += refused
        enough = self._answers >= self.FEWEST and now - self._heard >= self._calm
        storm = self._searching and self._answers >= self.MANY and self._refused > self._cost / 2
        if enough or storm:
            if self._refused:
                self._fall(now)
            else:
                self._climb(now)
            self._anew(now)

    def _fall(self, now: float) -> None:
        one = self._cost / self._answers
        share = max(0.0, self._refused - one) / (self._cost - one)
        low, high = self.LEAST_FALL
        fall = max(share, min(high, max(low, self.FALL * (self._pace / one) ** 0.5)))
        self._pace = max(one / self.LONGEST_WAIT, self._pace * max(1 / 16, 1.0 - fall))
        if share >= 0.2:
            self._window = max(1.0, self._window * max(0.5, 1.0 - share))
        self._searching = share > 0.5
        self._objected = now

    def _climb(self, now: float) -> None:
        """Nothing is learned from a pace that was not used."""
        span = now - self._since
        if self._sent < 0.75 * self._pace * span or not self._requests:
            return
        if self._searching:
            self._pace *= 2.0
            return
        rate = self._pace * self._requests / self._sent
        steep = 1.0 + ((now - self._objected) / self.STEEPER) ** 2
        growth = min(self.GAIN / rate**0.5, self.GROWTH) * steep * span
        self._pace *= 1.0 + min(growth, 0.25)
