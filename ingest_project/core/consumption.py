"""What reads have cost, as the service's own answers tell: units, requests, items, by pattern and place.

Adds up only; what the units cost is priced elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Tally:
    """Of one pattern.

    Attributes:
        units: Read units, by table or ``table/index``.
        retries: Requests that were sent again.
    """

    requests: int = 0
    retries: int = 0
    items: int = 0
    units: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Units over all places."""
        return sum(self.units.values())


class Consumption:
    """Tallies by the name of a pattern. Grows with the patterns, not with the requests."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}

    def note(self, pattern: str, capacity: Mapping[str, Any] | None, items: int) -> None:
        """One answer.

        Args:
            capacity: Its ConsumedCapacity, with or without its indexes; None: the server tells none.
        """
        tally = self.of(pattern)
        tally.requests += 1
        tally.items += items
        for place, units in places(capacity or {}).items():
            tally.units[place] = tally.units.get(place, 0.0) + units

    def of(self, pattern: str) -> Tally:
        """The tally of a pattern, which may still be empty."""
        return self.tallies.setdefault(pattern, Tally())

    @property
    def units(self) -> float:
        """Over all patterns."""
        return sum(tally.total for tally in self.tallies.values())

    @property
    def requests(self) -> int:
        return sum(tally.requests for tally in self.tallies.values())


def places(capacity: Mapping[str, Any]) -> dict[str, float]:
    """Units by table and ``table/index`` of one ConsumedCapacity; what it does not divide is the table's."""
    table = str(capacity.get("TableName", ""))
    indexes = capacity.get("GlobalSecondaryIndexes") or {}
    found = {f"{table}/{name}": float(one["CapacityUnits"]) for name, one in indexes.items()}
    own = capacity.get("Table", {}).get("CapacityUnits")
    if own is None:
        own = float(capacity.get("CapacityUnits", 0.0)) - sum(found.values())
    return {place: units for place, units in ({table: float(own)} | found).items() if units > 0}
