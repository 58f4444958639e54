"""When a sync's next run is due: the first at once, one that follows a failure some minutes later and only a
few times, unless there was progress. Decides from what ledger and runs say; asks for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

READ, DELIVER = "sync", "deliver"
"""What a run does: all stages from the pages on, or those behind them for what has landed."""

PAUSE_SECONDS = 300.0
MOST_RESTARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a date of an entity stands.

    Attributes:
        reading: Slices are not through, and nobody reads them.
        waiting: Something landed, and was not offered to every stage.
        mark: Changes with every progress.
    """

    reading: bool
    waiting: bool
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """One run of the date, as it is known to whoever runs it.

    Attributes:
        ended: Wall clock seconds; None while it is under way.
        mark: The course's when it was asked for.
    """

    phase: str
    succeeded: bool
    ended: float | None
    mark: str


def due(course: Course, runs: Sequence[RunFact], now: float) -> str:
    """The phase to run now; empty when there is nothing to do, or not yet, or only for a person.

    Args:
        runs: Of the date, the newest first.
    """
    if any(run.ended is None for run in runs) or not (course.reading or course.waiting):
        return ""
    if runs and course.waiting and runs[0].phase == READ and not runs[0].succeeded:
        return DELIVER
    phase = READ if course.reading else DELIVER
    same = [run for run in runs if run.phase == phase]
    if not same or (same[0].succeeded and same[0].mark != course.mark):
        return phase
    restarts = sum(
        run.mark == course.mark and (not before.succeeded or before.mark == course.mark)
        for run, before in pairwise(same)
    )
    if restarts >= MOST_RESTARTS or now < (same[0].ended or 0.0) + PAUSE_SECONDS:
        return ""
    return phase
