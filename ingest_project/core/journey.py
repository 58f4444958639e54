"""Journey: the time left of one stage, and of all stages that the same records still have to pass.

Pure; the clock is handed in. How a rate that changes is read is core.forecasting's.
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.core.forecasting import Forecaster
from ingest_project.core.ports import Clock

STILL_SECONDS = 10.0


class Journey:
    """Records on their way through stages, one stage after another.

    A stage that has not begun is expected to be as slow as the slowest of those seen, and is known better as
    soon as it runs. What has stood still for longer than STILL_SECONDS is expected to do so as long again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: dict[str, int] = {}
        self._slowest = 0.0
        self._begun = self._first = self._done = self._moved = 0.0
        self._total = 0
        self._forecaster = Forecaster(total=0)

    def expect(self, ahead: Mapping[str, int]) -> None:
        """Stages to come, and the records that each of them has to do."""
        self._ahead = dict(ahead)

    def begin(self, stage: str, total: int, done: int = 0) -> None:
        """A stage runs from now on; ``done`` of its records were done before and say nothing of its pace."""
        self._slowest = max(self._slowest, self._pace)
        self._ahead.pop(stage, None)
        self._begun, self._first, self._done, self._total = self._clock(), done, done, total
        self._moved = self._begun
        self._forecaster = Forecaster(total=total, done=done, seconds=self._begun)

    def update(self, done: int) -> None:
        """So many records of the stage are done in all."""
        if done > self._done:
            self._moved = self._clock()
        self._done = done
        self._forecaster.observe(done, self._clock())

    @property
    def stage_left(self) -> float | None:
        """Seconds to the end of the stage; None while nobody can know."""
        rest = self._total - self._done
        if rest <= 0:
            return 0.0
        found = self._forecaster.seconds_left
        if found is None and not self._pace:
            return None
        still = self._clock() - self._moved
        likely = rest * self._pace if found is None else found.likely
        return likely + (still if still > STILL_SECONDS else 0.0)

    @property
    def left(self) -> float | None:
        """Seconds to the end of the last stage; None while nobody can know."""
        here, ahead = self.stage_left, sum(self._ahead.values())
        pace = max(self._slowest, self._pace)
        if here is None or (ahead and not pace):
            return None
        return here + ahead * pace

    @property
    def _pace(self) -> float:
        """Seconds a record in this stage so far, 0 when none was done."""
        done = self._done - self._first
        return (self._clock() - self._begun) / done if done > 0 else 0.0
