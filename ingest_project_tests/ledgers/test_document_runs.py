"""Runners over real ledgers: several at once in threads, and a process that is killed at work."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from ingest_project.core.documents import COMPLETED, Document, Done, Outcome
from ingest_project.core.staging import StageReport
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.resources.documents.runner import StageRunner
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.testing.doubles_stages import StageDouble
from ingest_project.testing.laws_documents import BUCKET, listed

SETTINGS = RunnerSettings(at_once=3, page=10)
IDS = [f"{number:02d}" for number in range(40)]
LAST_WORDS = 20
"""Documents that the victim works on before it ends."""


def run(url: str, stage: StageDouble) -> StageReport:
    """One run of one process."""
    ledger = SqlDocumentLedger(url)
    try:
        runner = StageRunner(ledger, owner=new_owner(), settings=SETTINGS, rng=Random(0), is_dead=is_dead)
        return asyncio.run(runner.run(stage, BUCKET))
    finally:
        ledger.close()


class Writing(StageDouble):
    """A stage whose effects are files; kills its own process behind the n-th."""

    def __init__(self, folder: Path, *, last: int) -> None:
        super().__init__("texts", state=COMPLETED)
        self._folder, self._last = folder, last

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        for one in documents:
            (self._folder / one.id).write_text("done")
            self._last -= 1
            if self._last == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0)
        return [Done(output=one.id) for one in documents]


def victim(url: str, folder: Path) -> None:
    """Body of the process that dies."""
    run(url, Writing(folder, last=LAST_WORDS))


def test_runners_in_threads_share_a_bucket(ledger_url: str) -> None:
    ledger = SqlDocumentLedger(ledger_url)
    ledger.enroll([listed(id) for id in IDS])
    stages = [StageDouble("texts", latency=0.002, rng=Random(seed)) for seed in range(3)]
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(partial(run, ledger_url), stages))
    assert sorted(IDS) == sorted(id for stage in stages for call in stage.log for id in call)
    assert [40, 40, 40] == [report.seen for report in reports]
    through = ledger.stage_counts(BUCKET.collection, BUCKET.month)["texts"]["done"]
    assert 40 == sum(report.done for report in reports) == through
    ledger.close()


def test_a_run_behind_a_kill_does_what_has_no_mark(ledger_url: str, tmp_path: Path) -> None:
    ledger, effects = SqlDocumentLedger(ledger_url), tmp_path / "effects"
    effects.mkdir()
    ledger.enroll([listed(id) for id in IDS])
    process = multiprocessing.get_context("spawn").Process(target=victim, args=(ledger_url, effects))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    through = ledger.stage_counts(BUCKET.collection, BUCKET.month)["texts"]["done"]
    assert 0 < through < LAST_WORDS == len(list(effects.iterdir()))
    report = run(ledger_url, Writing(effects, last=0))
    assert (40 - through, through, 0) == (report.done, report.unchanged, report.busy)
    assert sorted(IDS) == sorted(path.name for path in effects.iterdir())
    assert {COMPLETED: 40} == {one.state: one.documents for one in ledger.states("gazettes")}
    ledger.close()
