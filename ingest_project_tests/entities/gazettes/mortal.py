"""A process that takes gazettes through one step and dies by SIGKILL at a given moment of what it does there.

Started by forkserver, which has imported all of this: a life costs no start-up. Wraps our own classes only.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from ingest_project.core.bucket_standing import by_month
from ingest_project.entities.gazettes.archive import enroll, open_desk
from ingest_project.entities.gazettes.register import GazetteRegister
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.ledgers.database import Database
from ingest_project.resources.deployments import Settings
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.s3 import BucketObjects
from ingest_project.sources.extract_workers import ExtractWorkers
from ingest_project.sources.plain_text import PlainText
from ingest_project_tests.faults.mortal import Fate

LISTED = "listed"
KILLED = -9
PATIENCE = 120.0
"""Seconds after which a life that neither ends nor dies fails its test."""


def make_mortal(journal: Path, kill_at: int) -> Fate:
    """From now on this process dies at that step: before and behind each request and file, and in, before and
    behind each transaction of the ledger."""
    fate = Fate(journal, kill_at)
    for name in ("put", "get", "piece"):
        fate.call(BucketObjects, name)
    fate.call(GazetteRegister, "mark_processed")
    fate.call(GazetteRegister, "_document")
    for name in ("call", "send"):
        fate.request(OpenSearchApi, name, name)
    for extractor in (ExtractWorkers, PlainText):
        fate.request(extractor, "text", "text")
    _watch_transactions(fate, "writing")
    return fate


def _watch_transactions(fate: Fate, name: str) -> None:
    inner = getattr(Database, name)

    @contextmanager
    def outer(database: Database) -> Iterator[Connection]:
        fate.step()
        with inner(database) as connection:
            yield connection
            fate.step()
        fate.step()

    setattr(Database, name, outer)


def live(variables: Mapping[str, str], step: str, kill_at: int, folder: str) -> None:
    """The whole life of a process; leaves the number of its steps in the folder."""
    fate = make_mortal(Path(folder, "journal"), kill_at)
    settings = Settings.from_env(variables)
    if step == LISTED:
        enroll(settings, "UNPROCESSED", lambda text: None)
    else:
        _run(settings, step)
    Path(folder, "steps").write_text(str(fate.steps))


def _run(settings: Settings, step: str) -> None:
    with open_desk(settings) as desk:
        months = by_month(desk.books.states(COLLECTION.name))
        buckets = [bucket for month in sorted(months) for bucket in COLLECTION.buckets(month)]
        for done in desk.run(step, buckets):
            reasons = [reason for report in done.reports for reason in report.reasons]
            if done.stopped or reasons:
                raise AssertionError(f"{step}: {done.stopped} {reasons}")


def lived(variables: Mapping[str, str], step: str, folder: Path, *, kill_at: int = 0) -> int:
    """Let a process live; the number of its steps, or 0: it was killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "steps").unlink(missing_ok=True)
    process = context.Process(target=live, args=(dict(variables), step, kill_at, str(folder)))
    process.start()
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"{step} did not end within {PATIENCE} s")
    if process.exitcode not in (0, KILLED):
        raise AssertionError(f"{step} ended with {process.exitcode}")
    return 0 if process.exitcode else int((folder / "steps").read_text())
