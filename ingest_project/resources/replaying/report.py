"""What became of a replay. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class ReplayReport:
    """One call's account.

    Attributes:
        taken: Rejections that this call took; earlier calls' that were left unfinished are not among them.
        loaded: That went through all stages now; a record that a later one of its key replaces is among them.
        refused: That a target refused again; each is an open rejection of its own.
        still_refused: Reason -> rejections that were left open, as the contract refuses them still.
        left: Reason -> rejections that were left open for another cause.
        unfinished: Replays that did not get through; the next call goes on with them.
    """

    taken: int = 0
    loaded: int = 0
    refused: int = 0
    still_refused: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing of what was asked for is left."""
        return not (self.refused or self.still_refused or self.left or self.unfinished)

    def as_dict(self) -> dict[str, Any]:
        """In words that JSON knows."""
        return {
            "taken": self.taken,
            "loaded": self.loaded,
            "refused": self.refused,
            "still_refused": dict(self.still_refused),
            "left": dict(self.left),
            "unfinished": list(self.unfinished),
        }


def total(reports: Iterable[ReplayReport]) -> ReplayReport:
    """The sum of some calls."""
    found = ReplayReport()
    for one in reports:
        found.taken += one.taken
        found.loaded += one.loaded
        found.refused += one.refused
        found.still_refused += one.still_refused
        found.left += one.left
        found.unfinished += one.unfinished
    return found
