"""Buckets in Dagster's words: a step over a run's cells, one materialization a cell, and one Failure at the
end for the cells that it did not get through."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import dagster as dg

from ingest_project.core.progress import ProgressMeter
from ingest_project.core.staging import StageReport
from ingest_project.core.steps import CollectionSpec, Step
from ingest_project.io_managers.live import MIN_GAP_SECONDS
from ingest_project.io_managers.metadata import MOST_ROWS, Metadata
from ingest_project.orchestration.buckets import cell, parse_cell
from ingest_project.resources.documents.desk import BucketRun, Desk
from ingest_project.resources.process import peak_rss

COUNTS = ("done", "unchanged", "waiting", "parked", "newly_parked", "delayed", "busy")


class StageTeller:
    """A Progress that says in the run's log how far a stage is, not too often."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock, self._last = write, clock, clock()
        self._meters: dict[str, ProgressMeter] = {}

    def __call__(self, report: StageReport) -> None:
        if report.stage not in self._meters:
            self._meters[report.stage] = ProgressMeter(total=report.total, clock=self._clock)
        meter = self._meters[report.stage]
        meter.update(report.seen, report.total)
        if self._clock() - self._last >= MIN_GAP_SECONDS:
            self._last = self._clock()
            trouble = f", {report.parked:,} parked, {report.delayed:,} delayed"
            self._write(f"{report.stage}: {meter}{trouble * bool(report.parked or report.delayed)}")


def run_cells(context: dg.AssetExecutionContext, desk: Desk, spec: CollectionSpec, step: Step) -> None:
    """The step over the run's buckets. Documents that are parked or delayed do not make a cell red: the
    others must go on, checks and the sensor look after these.

    Raises:
        dg.Failure: Something stopped the step in some cells. The sensor tries again, nothing does so here.
    """
    buckets = [parse_cell(spec, key) for key in sorted(context.partition_keys)]
    bad: list[BucketRun] = []
    for done in desk.run(step.name, buckets, StageTeller(context.log.info)):
        key, metadata = cell(done.bucket), run_metadata(done.reports)
        if done.stopped:
            bad.append(done)
            context.log.error(f"{key}: {done.stopped}")
            continue
        context.add_asset_metadata(metadata, partition_key=key)
        if len(buckets) > 1:
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata=metadata))
    if bad:
        raise _failure(step, bad, len(buckets))


def run_metadata(reports: Sequence[StageReport]) -> Metadata:
    """Sums over the stages of a step, what a document took, causes and reasons as tables.

    Times are there only where something was worked on: a zero would pull the plots down.
    """
    sums = {name: sum(getattr(report, name) for report in reports) for name in COUNTS}
    numbers: dict[str, int | float] = {"dagster/row_count": sums["done"] + sums["unchanged"], **sums}
    worked = [report for report in reports if report.tried]
    if worked:
        tried, seconds = sum(one.tried for one in worked), sum(one.seconds for one in worked)
        numbers |= {
            "seconds": round(seconds, 3),
            "documents_per_hour": round(3600 * tried / seconds, 1) if seconds else 0.0,
            "mean_seconds": round(sum(one.mean * one.tried for one in worked) / tried, 4),
            "p95_seconds": round(max(one.p95 for one in worked), 4),
            "peak_memory_mb": round(peak_rss() / 2**20, 1),
            "failure_rate": round(sum(one.newly_parked for one in worked) / tried, 6),
        }
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.float(value)
        for name, value in numbers.items()
    }
    if any(report.causes for report in reports):
        causes = [
            (report.stage, cause, f"{count:,}")
            for report in reports
            for cause, count in sorted(report.causes.items(), key=lambda item: (-item[1], item[0]))
        ]
        metadata["parked_now"] = table(("stage", "cause", "documents"), causes)
    if reasons := [(report.stage, reason) for report in reports for reason in report.reasons]:
        metadata["delayed_for"] = table(("stage", "reason"), reasons)
    if len(reports) > 1:
        rows = [(one.stage, *(f"{getattr(one, name):,}" for name in COUNTS)) for one in reports]
        metadata["stages"] = table(("stage", *COUNTS), rows)
    return metadata


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> dg.MetadataValue:
    """Markdown; rows beyond MOST_ROWS are counted."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(word.replace('|', ' ') for word in row)} |" for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        lines.append(f"\nand {len(rows) - MOST_ROWS:,} more")
    return dg.MetadataValue.md("\n".join(lines))


def _failure(step: Step, bad: Sequence[BucketRun], cells: int) -> dg.Failure:
    rows = [(str(cell(one.bucket)), one.stopped) for one in bad]
    numbers: Mapping[str, dg.MetadataValue] = {
        "failed_buckets": dg.MetadataValue.int(len(bad)),
        "failed": table(("partition", "reason"), rows),
    }
    return dg.Failure(
        description=f"{step.name}: {len(bad)} of {cells} partitions are not through. {bad[0].stopped}",
        metadata=dict(numbers),
        allow_retries=False,
    )
