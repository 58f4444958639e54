"""What a run on a cluster's worker costs: taken for loads that nobody has measured yet.

Data with its date, as in resources.prices. Nothing is computed here but a pace for rows of some size.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from ingest_project.core.experience import RunRate
from ingest_project.core.run_pace import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured or chosen number: what it is of, from where, as of when."""

    value: float
    unit: str
    source: str
    as_of: str


def _row(value: float, unit: str) -> Figure:
    return Figure(value=value, unit=unit, source="benchmarks/results/dynamodb-*-json-*", as_of="2026-11-23")


def _hosts(value: float, unit: str) -> Figure:
    """Of five backfills on hosts of one machine of two cores, which its servers share: other clusters are
    quicker rather than slower."""
    return Figure(value=value, unit=unit, source="benchmarks/cluster_capacity.py", as_of="2026-11-23")


def _taken(value: float, unit: str) -> Figure:
    return Figure(value=value, unit=unit, source="taken, not measured", as_of="2026-11-23")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCosts:
    """Attributes are named after what takes the time. Rows are JSON of messages' kind, validated into S3 and
    written to DynamoDB by one process; no index."""

    start_seconds: Figure
    start_cores: Figure
    end_seconds: Figure
    chunk_seconds: Figure
    submit_seconds: Figure
    launch_seconds: Figure
    dequeue_seconds: Figure
    read_row: Figure
    read_byte: Figure
    write_row: Figure
    write_byte: Figure
    request_seconds: Figure
    spread: Figure

    def pace(
        self,
        row_bytes: float,
        in_flight: int,
        request_seconds: float | None = None,
        learned: RunRate | None = None,
    ) -> Pace:
        """Of rows of this size; with ``learned``, of rows that take as long as those did."""
        asked = self.request_seconds.value if request_seconds is None else request_seconds
        pace = Pace(
            start_seconds=self.start_seconds.value,
            start_cores=self.start_cores.value,
            end_seconds=self.end_seconds.value,
            chunk_seconds=self.chunk_seconds.value,
            row_seconds=self.read_row.value + self.read_byte.value * row_bytes,
            write_cpu=self.write_row.value + self.write_byte.value * row_bytes,
            request_seconds=asked,
            in_flight=in_flight,
        )
        if learned is None:
            return pace
        each = 1 / learned.rate.likely
        written = (1 - learned.reading) * each
        # How much of the writing is waiting nobody told; a core does not do more than it does here.
        return replace(
            pace,
            chunk_seconds=0.0,
            row_seconds=learned.reading * each,
            write_cpu=min(written, pace.write_cpu),
            request_seconds=written * pace.rows_a_request * pace.in_flight,
        )

    def listed(self) -> list[tuple[str, Figure]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


COSTS = RunCosts(
    start_seconds=_hosts(0.85, "s from a worker's taking a run to its first chunk"),
    start_cores=_taken(0.8, "cores busy meanwhile"),
    end_seconds=_taken(0.5, "s from a run's last chunk to its end"),
    chunk_seconds=_hosts(0.3, "s of a chunk beside its rows"),
    submit_seconds=_hosts(1.5, "s between two runs on their way into the queue"),
    launch_seconds=_hosts(1.2, "s of the daemon for a launch"),
    dequeue_seconds=Figure(
        value=1.0,
        unit="s between looks into the queue",
        source="deploy/cluster/dagster.yaml",
        as_of="2026-11-23",
    ),
    read_row=_row(8e-6, "s of a core to read, validate and store a row"),
    read_byte=_row(5e-9, "s of a core for each byte of it"),
    write_row=_row(4e-6, "s of a core to write a row"),
    write_byte=_row(3.5e-9, "s of a core for each byte of it"),
    request_seconds=_taken(0.010, "s from a write to the table to its answer"),
    spread=_taken(0.1, "spread of a run's time, of its logarithm"),
)
