"""StageExport: what the stages of a collection do, as OpenMetrics text in a small file a stage.

``HOME/metrics/COLLECTION.STAGE.prom``, whole at any moment, of the process that ran the stage last.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from ingest_project.core.metrics import Metric, as_openmetrics
from ingest_project.core.staging import StageReport
from ingest_project.resources.process import peak_rss


class StageExport:
    """Adds up the reports of this process, stage by stage.

    Args:
        folder: Where the files go; made when missing.
        peak: Bytes of this process at most so far.
    """

    def __init__(self, folder: Path, collection: str, *, peak: Callable[[], int] = peak_rss) -> None:
        self._folder, self._collection, self._peak = folder, collection, peak
        self._sums: dict[str, Counter[str]] = {}
        self._causes: dict[str, Counter[str]] = {}

    def add(self, report: StageReport) -> None:
        """One bucket is done. No file is worth a failed run: where none can be written, there is none."""
        sums = self._sums.setdefault(report.stage, Counter())
        sums.update({name: getattr(report, name) for name in _COUNTERS})
        causes = self._causes.setdefault(report.stage, Counter())
        causes.update(report.causes)
        text = as_openmetrics(stage_metrics(self._collection, report, sums, causes, self._peak()))
        name = f"{self._collection}.{report.stage.replace('/', '.')}.prom"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = self._folder / f"{name}.{os.getpid()}"
            beside.write_text(text)
            beside.replace(self._folder / name)
        except OSError:
            return


_COUNTERS = ("done", "newly_parked", "delayed", "busy", "unchanged", "seconds")
_OUTCOMES = ("done", "newly_parked", "delayed", "busy", "unchanged")
_WORDS = {"newly_parked": "parked"}


def stage_metrics(
    collection: str, latest: StageReport, sums: Mapping[str, float], causes: Mapping[str, int], peak: int
) -> list[Metric]:
    """Sums over all buckets of this process, and the times of the latest one."""
    labels = {"collection": collection, "stage": latest.stage}
    metrics = [
        Metric(
            name="ingest_stage_documents",
            value=sums[name],
            help="Documents that the stage has looked at, by what became of them.",
            kind="counter",
            labels={**labels, "outcome": _WORDS.get(name, name)},
        )
        for name in _OUTCOMES
    ]
    metrics += [
        Metric(
            name="ingest_stage_parked",
            value=count,
            help="Documents that the stage has parked, by cause.",
            kind="counter",
            labels={**labels, "cause": cause},
        )
        for cause, count in sorted(causes.items())
    ]
    seconds = sums["seconds"]
    worked = sums["done"] + sums["newly_parked"]
    numbers = (
        ("ingest_stage_documents_per_second", worked / seconds if seconds else 0.0, "", "Rate."),
        ("ingest_stage_document_mean_seconds", latest.mean, "seconds", "Mean time of a document."),
        ("ingest_stage_document_p95_seconds", latest.p95, "seconds", "Time that 95 % of them stay under."),
        ("ingest_stage_peak_memory_bytes", float(peak), "bytes", "Greatest resident set of the process."),
    )
    return metrics + [
        Metric(name=name, value=value, unit=unit, help=about, labels=labels)
        for name, value, unit, about in numbers
    ]
