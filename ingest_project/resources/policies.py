"""Batching, retry and memory limits as Dagster resources: what a user turns in the Launchpad. Values, no
behaviour.

A field that is not set leaves the deployment's own value (docs/configuration.md).
"""

from typing import Any

import dagster as dg
from pydantic import Field


class BatchingPolicy(dg.ConfigurableResource[Any]):
    """How much goes out at once."""

    in_flight: int | None = Field(default=None, description="Requests under way at once, at most.")
    files_at_once: int | None = Field(
        default=None, description="Files (their chunks) that a step works on at once."
    )
    workers: int | None = Field(default=None, description="Processes over the chunks of a step.")
    part_mb: int = Field(default=16, description="Uncompressed MiB of one validated part.")
    min_chunk_mb: int = Field(default=8, description="No file is cut into chunks smaller than this, MiB.")

    def knobs(self) -> dict[str, Any]:
        """The fields of resources.knobs.Knobs that this policy sets."""
        sizes = {"part_bytes": self.part_mb * 2**20, "min_chunk_bytes": self.min_chunk_mb * 2**20}
        turned = _set(in_flight=self.in_flight, workers=self.workers, at_once=self.files_at_once)
        return turned | sizes


class RetryingPolicy(dg.ConfigurableResource[Any]):
    """When a request is tried again: only what the target did not take, with full jitter, finitely often."""

    attempts: int | None = Field(
        default=None,
        description="Attempts in a row without progress; a throttled one counts only if nobody gets through.",
    )
    base_seconds: float | None = Field(default=None, description="Upper bound of the first wait.")
    cap_seconds: float | None = Field(default=None, description="Upper bound of any wait.")

    def knobs(self) -> dict[str, Any]:
        """The fields of resources.knobs.Knobs that this policy sets."""
        return _set(attempts=self.attempts, base_seconds=self.base_seconds, cap_seconds=self.cap_seconds)


class MemoryPolicy(dg.ConfigurableResource[Any]):
    """How much memory a run may use, and how much it takes at once.

    From 40, 60 and 80 % of the budget on, rows, parts and requests under way shrink to 75, 50 and 25 %; from
    90 % on nothing is taken until it is less.
    """

    in_flight_mb: int | None = Field(default=None, description="MiB of request bodies held at most.")
    budget_mb: int | None = Field(default=None, description="MiB that a run may use, workers included.")
    check_seconds: float | None = Field(default=None, description="Seconds from one reading to the next.")
    batch_rows: int | None = Field(default=None, description="Rows taken at once while nothing presses.")

    def knobs(self) -> dict[str, Any]:
        """The fields of resources.knobs.Knobs that this policy sets."""
        return _set(
            memory_bytes=_mib(self.in_flight_mb),
            memory_budget=_mib(self.budget_mb),
            memory_every=self.check_seconds,
            batch_rows=self.batch_rows,
        )


def _mib(number: int | None) -> int | None:
    return None if number is None else number * 2**20


def _set(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
