"""A request budget that many processes share: whose turn is when, and what an objection of the service costs.

Pure rules over a few numbers that a ledger keeps; nobody here waits, sends or stores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

GROWTH = 1 / 40
"""Requests a second that a success adds. As successes come at the rate itself, it doubles within 28 seconds,
whatever it is."""

LEAST = 1 / 30
"""Requests a second that are left after any number of objections."""

SLACK = 0.05
"""Seconds by which a turn may be taken late and the next one come in its time; who is later moves all that
follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The state that is shared. Moments are seconds on the one clock of those who share it.

    Attributes:
        rate: Requests a second at present, up to the quota.
        turn: When the next turn is, if nobody is late.
        held: No turn before; the service asked for it.
        cut: When the rate was halved last.
        taken, objections: So many so far.
    """

    rate: float
    turn: float = 0.0
    held: float = 0.0
    cut: float = 0.0
    taken: int = 0
    objections: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Leave to send one request.

    Attributes:
        moment: When, on the budget's clock.
        wait: Seconds until then.
        cut: The budget's when it was given.
    """

    moment: float
    wait: float
    cut: float = 0.0


class SharedBudget(Protocol):
    """Where a budget is kept; each verb is one transaction and may block for a moment."""

    def take(self, successes: int, units: float = 1.0) -> Turn:
        """The next turn, for so many units; ``successes``: of those that went well since this process asked
        last."""
        ...

    def stands(self, turn: Turn) -> bool:
        """Whether a turn still holds after its wait; else another has to be taken."""
        ...

    def object(self, turn: Turn, seconds: float) -> None:
        """The service refused the request of this turn for its rate, and asks for so many seconds."""
        ...

    def hold(self, seconds: float) -> None:
        """The service asks for so many seconds, for no fault of the rate."""
        ...


def take(
    budget: Budget, now: float, quota: float, successes: int = 0, units: float = 1.0
) -> tuple[Budget, Turn]:
    """Give the next turn away (the generic cell rate algorithm, GCRA): behind a turn of ``units`` come
    ``units / rate`` seconds for nobody else, and what was not used is lost but for SLACK.

    Args:
        quota: Units a second at most; a unit is a request, or what the target counts.
        successes: Units since the last turn of the same process.
        units: Of this turn, to be used at once.
    """
    rate = min(quota, budget.rate + GROWTH * successes)
    moment = max(now, budget.held, budget.turn)
    late = moment - budget.turn
    begin = budget.turn if late <= SLACK else moment
    taken = replace(budget, rate=rate, turn=begin + units / rate, taken=budget.taken + 1)
    return taken, Turn(moment=moment, wait=moment - now, cut=budget.cut)


def stands(budget: Budget, turn: Turn) -> bool:
    """Whether a turn still holds after its wait: not after a cut, nor when silence was asked for."""
    return budget.held <= turn.moment and budget.cut == turn.cut


def object_to(budget: Budget, now: float, begun: float, seconds: float, quota: float) -> Budget:
    """What an objection leaves: silence for as long as was asked, and half the rate afterwards.

    Requests that were under way when the rate was halved say nothing of the half (AIMD: one cut for each
    wave of objections, additive growth by successes). Turns that were given and not taken yet are void: they
    are as far apart as the old rate says.

    Args:
        begun: Moment of the refused request's turn.
    """
    after = replace(hold(budget, now, seconds), objections=budget.objections + 1)
    if begun < budget.cut:
        return after
    return replace(after, rate=max(budget.rate / 2, min(LEAST, quota)), cut=now, turn=after.held)


def hold(budget: Budget, now: float, seconds: float) -> Budget:
    """No turn within so many seconds."""
    return replace(budget, held=max(budget.held, now + seconds))
