"""What somebody has to look at: numbers of contexts against the limits of the domain. Tells nobody."""

from __future__ import annotations

from dataclasses import dataclass

from ingest_project.entities.conversations.metering import Meter

MEGABYTE = 1_000_000.0
READ_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One number and its limit, both in ``unit``.

    Attributes:
        name: A word for a check.
        fired: The number is above the limit.
    """

    name: str
    what: str
    value: float
    limit: float
    unit: str

    @property
    def fired(self) -> bool:
        return self.value > self.limit

    def __str__(self) -> str:
        sign = ">" if self.fired else "<="
        return f"{self.what}: {self.value:.1f} {self.unit} {sign} {self.limit:g} {self.unit}"


def alerts(meter: Meter, read_budget: float) -> list[Alert]:
    """All of them, fired or not.

    Args:
        read_budget: Read units a second that contexts may use.
    """
    return [
        Alert(
            name="context_time",
            what="a context takes",
            value=meter.builds.mean_ms,
            limit=100.0,
            unit="ms",
        ),
        Alert(
            name="search_time",
            what="a similarity search takes",
            value=meter.searches.mean_ms,
            limit=500.0,
            unit="ms",
        ),
        Alert(
            name="read_units",
            what="reads take of their budget",
            value=100 * meter.read_rate / read_budget,
            limit=100 * READ_SHARE,
            unit="%",
        ),
        Alert(
            name="session_memory",
            what="a session takes",
            value=meter.session_bytes / MEGABYTE,
            limit=20.0,
            unit="MB",
        ),
    ]
