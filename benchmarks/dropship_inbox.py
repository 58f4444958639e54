"""``python -m benchmarks.dropship_inbox``: a hundred CSV exports dropped into the inbox, and not a word more.

Dagster's sensors copy, plan, load, index and book them, on embedded servers or on some that keep nothing.
Every row is accounted for by name; the peak is that of the largest process of a run, as the kernel counts it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dagster as dg
import psutil

from benchmarks.dropship_import import CLAIM, DAY, KEY, account, counted, desk_of, environment, totals
from benchmarks.frame import service
from ingest_project import local
from ingest_project.entities.dropship.book_assets import MARK_TAG, MOST_ATTEMPTS, ripe
from ingest_project.entities.dropship.passes import entity_of
from ingest_project.entities.dropship.posting import ORDERS
from ingest_project.entities.dropship.spec import SPEC
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import ui
from ingest_project.local.demo import is_run
from ingest_project.local.sample_rows import RowFile, write_row_files
from ingest_project.resources.assembly import plan_store
from ingest_project.resources.connect import dynamodb_client
from ingest_project.resources.deployments import Settings, child_environment, load_settings, project_folder

JOBS = ("mirror", "plan", "load", "books")
STAGES = ("validated", "table", "index")
RESULTS = Path(__file__).with_name("results")
POLL, PATIENCE = 0.5, 3600.0
BOOKS = ("dropship-lines", "dropship-orders", "dropship-journal")


@contextmanager
def deployment(target: str, home: Path) -> Iterator[Settings]:
    """``null``: DynamoDB and OpenSearch that keep nothing; ``dynalite``: with OpenSearch.

    S3 is SeaweedFS. osmem is left out: it stopped answering at 38,000 lines.
    """
    with ExitStack() as stack:
        stack.callback(local.down, home)
        names = ("s3",) if target == "null" else ("s3", "dynalite", "opensearch-node")
        given = dict(local.up(home, names=names, usual_ports=False).variables)
        if target == "null":
            table = stack.enter_context(service("benchmarks.null_service", "--key", KEY)).url
            options = ("--index", BOOKS[0])
            index = stack.enter_context(service("ingest_project.testing.fault_server", *options)).url
            given |= {"AWS_ENDPOINT_URL_DYNAMODB": table, "OPENSEARCH_URL": index}
        stack.enter_context(
            environment({**given, "INGEST_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")})
        )
        yield load_settings(home)


@contextmanager
def dagster(settings: Settings) -> Iterator[ui.Ui]:
    """Web server, daemon and code server; the sensors run by themselves."""
    try:
        yield ui.up(settings.home, project_folder(), child_environment(settings))
    finally:
        ui.down(settings.home)


class Peaks(threading.Thread):
    """Looks four times a second at Dagster's run processes and keeps the greatest VmHWM of each."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._over = pid, threading.Event()
        self.of: dict[int, int] = {}

    def run(self) -> None:
        while not self._over.wait(POLL / 2):
            with suppress(psutil.NoSuchProcess):
                for process in psutil.Process(self._pid).children(recursive=True):
                    self._look(process)

    def _look(self, process: psutil.Process) -> None:
        with suppress(psutil.Error, OSError):
            if is_run(process):
                self.of[process.pid] = max(self.of.get(process.pid, 0), _high_water(process.pid))

    def stop(self) -> int:
        """The largest, bytes."""
        self._over.set()
        self.join()
        return max(self.of.values(), default=0)


def _high_water(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


@dataclass(slots=True)
class Watched:
    """What was seen from outside: the register's states and the runs of the four jobs."""

    ledger: SqlLedger
    instance: dg.DagsterInstance
    said: str = ""

    def settled(self, files: int) -> bool:
        states = self.ledger.files.states(SPEC.name)
        return sum(states.values()) == files and set(states) <= {"consumed", "failed"}

    def booked(self) -> bool:
        """Whether the sensor's last run over the lines as they stand has ended."""
        mark = ripe(SPEC, self.ledger).get(DAY)
        runs = self.instance.get_runs(dg.RunsFilter(tags={MARK_TAG: mark or "none"}))
        return any(run.is_success for run in runs) or len(runs) >= MOST_ATTEMPTS

    def wait(self, files: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while not (self.settled(files) and self.booked()):
            if time.monotonic() > deadline:
                raise TimeoutError(self.words())
            self.tell(self.words())
            time.sleep(POLL)

    def words(self) -> str:
        done = {stage: counted(self.ledger, stage).sent for stage in STAGES}
        orders = counted(self.ledger, ORDERS, entity_of(ORDERS)).sent
        states = ", ".join(f"{count} {state}" for state, count in self.ledger.files.states(SPEC.name).items())
        return (
            f"{states}; {', '.join(f'{count:,} {stage}' for stage, count in done.items())}, {orders:,} orders"
        )

    def tell(self, text: str) -> None:
        if text != self.said:
            self.said = text
            print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)

    def spans(self) -> dict[str, tuple[float, float, int]]:
        """Job -> first start, last end, runs."""
        found = {}
        for job in JOBS:
            filters = dg.RunsFilter(job_name=f"{SPEC.name}_{job}")
            records = [one for one in self.instance.get_run_records(filters) if one.start_time]
            if records:
                first = min(one.start_time or 0.0 for one in records)
                found[job] = (first, max(one.end_time or 0.0 for one in records), len(records))
        return found


def stored(settings: Settings) -> dict[str, int]:
    """Items of each table, counted by Scan with boto3."""
    client: Any = dynamodb_client(settings)
    pages = client.get_paginator("scan")
    return {
        name: sum(page["Count"] for page in pages.paginate(TableName=name, Select="COUNT")) for name in BOOKS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("null", "dynalite"), default="null")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dropship-") as place:
        home, staged = Path(place) / "home", Path(place) / "files"
        home.mkdir()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            words = {"files": given.files, "rows": given.rows, "seed": given.seed}
            fates = pool.submit(write_row_files, staged, **words).result()
        size = sum(file.stat().st_size for file in staged.iterdir())
        rows = sum(fate.rows for fate in fates)
        print(f"{len(fates)} files, {rows:,} rows, {size / 1e6:,.0f} MB; {CLAIM}", flush=True)
        with deployment(given.target, home) as settings, dagster(settings) as page:
            found = imported(given.target, settings, page, staged, fates)
        found |= {"target": given.target, "files": len(fates), "rows": rows, "bytes": size, "made": DAY}
        text = json.dumps(found, indent=1)
        print(text)
        if given.files == 100 and not found["wrong"]:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / f"dropship-inbox-{given.target}.json").write_text(text + "\n")
        raise SystemExit(1 if found["wrong"] else 0)


def imported(
    target: str, settings: Settings, page: ui.Ui, staged: Path, fates: Sequence[RowFile]
) -> dict[str, Any]:
    """Drop the files, wait for the sensors' last run, and account for every row."""
    ledger = SqlLedger(settings.ledger_url)
    instance = dg.DagsterInstance.from_config(str(settings.dagster_home))
    watched, peaks = Watched(ledger, instance), Peaks(page.mark.pid)
    peaks.start()
    folder = settings.inbox / SPEC.name / DAY
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = shutil.copytree(staged, settings.inbox / "draft")
    dropped = time.time()
    draft.rename(folder)
    watched.wait(len(fates))
    peak, spans = peaks.stop(), watched.spans()
    ended = max(end for _, end, _ in spans.values())
    refused = {one.file.uri: one.reason for one in ledger.files.list(SPEC.name, state="failed")}
    wrong = account(ledger, refused, fates)
    print(totals(ledger))
    table = counted(ledger, "table")
    found = {
        "seconds": round(ended - dropped, 1),
        "seconds_of_jobs": {job: round(end - start, 1) for job, (start, end, _) in spans.items()},
        "runs": {job: count for job, (_, _, count) in spans.items()},
        "rows_per_second": round(sum(fate.rows for fate in fates) / (ended - dropped)),
        "peak_mb_of_a_run": round(peak / 2**20, 1),
        "read": counted(ledger, "validated").sent,
        "written": table.written,
        "superseded": table.superseded,
        "rejected": counted(ledger, "validated").rejected + table.rejected,
        "indexed": counted(ledger, "index").written,
        "orders": counted(ledger, ORDERS, entity_of(ORDERS)).sent,
        "files_failed": len(refused),
    }
    if target != "null":
        found["stored"] = stored(settings)
        wrong += read_back(settings, ledger, found)
    return {**found, "wrong": wrong}


def read_back(settings: Settings, ledger: SqlLedger, found: dict[str, Any]) -> list[str]:
    """What of the targets is not as it was counted, or as the lines make it."""
    plan = plan_store(settings).read(SPEC.name, DAY)
    assert plan is not None
    (audit,) = desk_of(settings, ledger).audit(plan)
    found["books"] = {
        "ids": audit.ids,
        "orders": audit.orders,
        "entries": audit.entries,
        "compared": audit.compared,
        "balanced": audit.balanced,
        "agree_with_lines": audit.complete,
        "debit": str(audit.debit),
        "credit": str(audit.credit),
    }
    expected = dict(zip(BOOKS, (found["written"], audit.ids, audit.ids), strict=True))
    wrong = [] if found["stored"] == expected else [f"stored {found['stored']}, expected {expected}"]
    return wrong + ([] if audit.balanced and audit.complete else ["the books are wrong"])


if __name__ == "__main__":
    main()
