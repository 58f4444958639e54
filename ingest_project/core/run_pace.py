"""Pace: what a run of a cluster is made of, from its rows and from figures that were measured.

Arithmetic only; runs are carried by core.capacity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from ingest_project.core.sharing import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one run is given: its rows, the chunks they lie in, and the write units that they take."""

    rows: float
    chunks: int = 1
    units: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of a run that has a host to itself. A run works in one process: one core at most.

    Attributes:
        start_seconds: From the worker's taking it to its first chunk; ``start_cores`` are busy meanwhile.
        end_seconds: From the end of its last chunk until Dagster knows that it ended.
        chunk_seconds: A chunk takes beside its rows: claims, plans, seals.
        row_seconds: A row takes before it is written; ``row_cores`` are busy meanwhile.
        write_cpu: Seconds of a core to write a row.
        request_seconds: From a request to the target to its answer.
        rows_a_request, in_flight: Of one run.
    """

    start_seconds: float = 0.0
    start_cores: float = 0.0
    end_seconds: float = 0.0
    chunk_seconds: float = 0.0
    row_seconds: float = 0.0
    row_cores: float = 1.0
    write_cpu: float = 0.0
    request_seconds: float = 0.0
    rows_a_request: int = 25
    in_flight: int = 1

    @property
    def write_seconds(self) -> float:
        """A row takes to be written: the target's answers are waited for, or the core is busy."""
        return max(self.write_cpu, self.request_seconds / (self.rows_a_request * self.in_flight))

    @property
    def rows_per_second(self) -> float:
        """Of one run, its start and end left out."""
        each = self.row_seconds + self.write_seconds
        return 1 / each if each > 0 else 0.0

    def slowed(self, factor: float) -> Pace:
        """Rows and chunks take ``factor`` times as long."""
        return replace(
            self,
            chunk_seconds=self.chunk_seconds * factor,
            row_seconds=self.row_seconds * factor,
            write_cpu=self.write_cpu * factor,
            request_seconds=self.request_seconds * factor,
        )

    def run(self, share: Share, slower: float = 1.0) -> tuple[Phase, ...]:
        """The phases of a run: start, reading with what a chunk takes, writing, end.

        Args:
            slower: Rows take so many times as long; starts and ends do not.
        """
        pace = self.slowed(slower)
        read = share.chunks * pace.chunk_seconds + share.rows * pace.row_seconds
        cores = pace.write_cpu / pace.write_seconds if pace.write_seconds > 0 else 0.0
        return (
            Phase(seconds=self.start_seconds, cores=self.start_cores),
            Phase(seconds=read, cores=self.row_cores),
            Phase(seconds=share.rows * pace.write_seconds, cores=cores, units=share.units),
            Phase(seconds=self.end_seconds),
        )


def shares(rows: float, units: float, *, runs: int, chunk_rows: float) -> Sequence[Share]:
    """Equal shares for so many runs."""
    each = rows / runs
    return [Share(rows=each, chunks=max(1, ceil(each / chunk_rows)), units=units / runs)] * runs
