"""How the months of a collection stand, from counts by bucket and state. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingest_project.core.document_ledger import BucketCount
from ingest_project.core.documents import COMPLETED, FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthStanding:
    """Documents of a month or of a collection.

    Attributes:
        open: Neither through nor parked.
    """

    total: int = 0
    completed: int = 0
    failed: int = 0

    @property
    def open(self) -> int:
        return self.total - self.completed - self.failed

    @property
    def failed_share(self) -> float:
        return self.failed / self.total if self.total else 0.0

    @property
    def mark(self) -> str:
        """Changes with every progress."""
        return f"{self.total}.{self.completed}.{self.failed}"


def standing(counts: Iterable[BucketCount]) -> MonthStanding:
    """Of all these buckets together."""
    states = Counter[str]()
    for one in counts:
        states[one.state] += one.documents
    return MonthStanding(total=states.total(), completed=states[COMPLETED], failed=states[FAILED])


def by_month(counts: Iterable[BucketCount]) -> Mapping[str, MonthStanding]:
    """Month -> how it stands, the newest first."""
    months: dict[str, list[BucketCount]] = {}
    for one in counts:
        months.setdefault(one.bucket.month, []).append(one)
    return {month: standing(months[month]) for month in sorted(months, reverse=True)}
