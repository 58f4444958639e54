"""ProgressMeter: share done, smoothed rate and time left, as numbers and as text. Pure; the clock is handed
in."""

from __future__ import annotations

from math import ceil, exp

from ingest_project.core.ports import Clock


class ProgressMeter:
    """Turns counts of finished records into what a person wants to know.

    The rate is an exponential mean over about ``window`` seconds of the recent speed, so that one slow second
    does not move the time left much, and a changed speed shows within the window.

    Args:
        total: Records to do; 0 when nobody knows.
        done: Records that were done before the meter started (a resumed load); they do not count as speed.
    """

    def __init__(self, *, total: int, clock: Clock, done: int = 0, window: float = 10.0) -> None:
        self._clock, self._window = clock, window
        self._started = self._seen = clock()
        self._total, self._done, self._first = total, done, done
        self._speed = self._weight = 0.0

    def update(self, done: int, total: int | None = None) -> None:
        """Tell how many records are done in all, and the total when it has changed."""
        now = self._clock()
        self._total = self._total if total is None else total
        elapsed = now - self._seen
        if elapsed > 0:
            fade = exp(-elapsed / self._window)
            self._speed = self._speed * fade + (done - self._done) / elapsed * (1 - fade)
            self._weight = self._weight * fade + (1 - fade)
            self._seen, self._done = now, done
        elif self._weight == 0.0:
            # Told at the very start: durable before the meter ran.
            self._first = self._done = done

    @property
    def done(self) -> int:
        return self._done

    @property
    def share(self) -> float | None:
        """Between 0 and 1; ``None`` without a total."""
        return min(1.0, self._done / self._total) if self._total > 0 else None

    @property
    def rate(self) -> float:
        """Records a second lately."""
        return max(0.0, self._speed / self._weight) if self._weight else 0.0

    @property
    def mean_rate(self) -> float:
        """Records a second since the meter started."""
        elapsed = self._clock() - self._started
        return (self._done - self._first) / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """``None`` while nobody can know."""
        if self._total <= 0 or self.rate <= 0:
            return 0.0 if 0 < self._total <= self._done else None
        return max(0.0, self._total - self._done) / self.rate

    def __str__(self) -> str:
        """``45.2 % (1,130,000 of 2,500,000), 41,234/s, 0:00:33 left``"""
        share, left = self.share, self.seconds_left
        words = f"{self._done:,}" if share is None else f"{share:.1%} ({self._done:,} of {self._total:,})"
        text = f"{words.replace('%', ' %')}, {self.rate:,.0f}/s"
        return text if left is None else f"{text}, {duration(left)} left"


DAYS = 99


def duration(seconds: float) -> str:
    """``h:mm:ss``, rounded up; what is beyond DAYS is no forecast, only work that stands still."""
    if seconds > DAYS * 86_400:
        return f"more than {DAYS} days"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
