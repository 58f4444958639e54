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
    workers: int | None = Field(default=None, description="Processes over the chunks of a step.")
    part_mb: int = Field(default=16, description="Uncompressed MiB of one validated part.")
    min_chunk_mb: int = Field(default=8, description="No file is cut into chunks smaller than this, MiB.")

    def knobs(self) -> dict[str, Any]:
        """The fields of resources.knobs.Knobs that this policy sets."""
        sizes = {"part_bytes": self.part_mb * 2**20, "min_chunk_bytes": self.min_chunk_mb * 2**20}
        return _set(in_flight=self.in_flight, workers=self.workers) | sizes


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
    """How many bytes of requests may be held."""

    in_flight_mb: int | None = Field(default=None, description="MiB of request bodies held at most.")

    def knobs(self) -> dict[str, Any]:
        """The fields of resources.knobs.Knobs that this policy sets."""
        return {} if self.in_flight_mb is None else {"memory_bytes": self.in_flight_mb * 2**20}


def _set(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
