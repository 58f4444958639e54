"""Progress of buckets that are under way at once, told as one report a stage. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ingest_project.core.staging import StageReport

_COUNTS = ("total", "done", "unchanged", "waiting", "parked", "newly_parked", "delayed", "busy")


class Together:
    """Adds up what buckets tell; the total grows with every bucket that is begun.

    Args:
        progress: Told the sums.
    """

    def __init__(self, progress: Callable[[StageReport], None]) -> None:
        self._progress = progress
        self._sums: dict[str, Counter[str]] = {}

    def bucket(self) -> Callable[[StageReport], None]:
        """A Progress for the visits to one bucket, one stage after the other."""
        before = StageReport(stage="")

        def tell(report: StageReport) -> None:
            nonlocal before
            if report.stage != before.stage:
                before = StageReport(stage=report.stage)
            sums = self._sums.setdefault(report.stage, Counter())
            sums.update({name: getattr(report, name) - getattr(before, name) for name in _COUNTS})
            before = report
            added: dict[str, Any] = {name: sums[name] for name in _COUNTS}
            self._progress(replace(report, **added))

        return tell
