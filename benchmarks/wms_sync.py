"""``python -m benchmarks.wms_sync``: a full sync of a million orders by ``ingest sync``, killed half way.

It is gone on with; the simulated API counts what is asked. Then a part of the rows is delivered, stage by
stage, to services that keep nothing. Prints a table beside the brief's 500 to 1,000 rows a second.
With ``--whole`` all rows go through all stages in one process, undisturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from benchmarks.dropship_import import environment
from benchmarks.frame import ALL_CORES, Service, service
from ingest_project.core.errors import TransientFailure
from ingest_project.core.outcomes import SEALED
from ingest_project.core.syncing import DONE, FULL, SliceStatus
from ingest_project.entities.wms.spec import spec_of
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.assembly import Assembly, plan_store
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings, load_settings
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.process import peak_rss
from ingest_project.resources.visits import Visit

BRIEF = "500 to 1,000"
"""Rows a second."""

LOOK_SECONDS = 0.2
DAY = datetime.now(UTC).date().isoformat()
MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process of ``ingest sync``, until it was killed. ``slices``: how they stood then."""

    seconds: float
    cpu: float
    peak: int
    slices: Sequence[SliceStatus]

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.slices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A stage of some chunks; ``first`` is the peak of memory when a quarter of them was through."""

    stage: str
    rows: int
    seconds: float
    cpu: float
    first: int
    peak: int


def variables_of(api: Service, tables: Service, index: Service, home: Path) -> Mapping[str, str]:
    return {
        "INGEST_HOME": str(home),
        "INGEST_PART_STORE": "local",
        "INGEST_WORKERS": "1",
        "INGEST_WMS_URL": api.url,
        "INGEST_WMS_USER": "demo",
        "INGEST_WMS_PASSWORD": "demo",
        "INGEST_WMS_QUOTA": "1000",
        "AWS_ENDPOINT_URL_DYNAMODB": tables.url,
        "OPENSEARCH_URL": index.url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": "us-east-1",
    }


def asked(api: Service) -> Mapping[str, int]:
    """What the API was asked for so far: kind of request -> how often."""
    door = f"{api.url.partition('/demo')[0]}/_wms/state"
    with urllib.request.urlopen(urllib.request.Request(door, method="POST")) as answer:
        found: Mapping[str, int] = json.load(answer)["asked"]
        return found


def slices_of(ledger: SqlLedger, sync: int) -> Sequence[SliceStatus]:
    """Nothing while the database is busy."""
    try:
        return ledger.syncs.status(sync)
    except TransientFailure:
        return ()


def run_until(ledger: SqlLedger, sync: int, entity: str, share: float) -> Run:
    """Start ``ingest sync`` and kill it when this share of the rows has landed; 1: when all of them have."""
    ingest = Path(sys.executable).with_name("ingest")
    command = [str(ingest), "sync", f"wms.{entity}", "--full"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not _landed(slices_of(ledger, sync), share):
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break
        time.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - begun
    os.kill(process.pid, signal.SIGKILL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"ingest sync ended with {process.returncode} before it could be killed")
    return Run(
        seconds=seconds,
        cpu=used.ru_utime + used.ru_stime,
        peak=used.ru_maxrss * 1024,
        slices=ledger.syncs.status(sync),
    )


def _landed(found: Sequence[SliceStatus], share: float) -> bool:
    if share < 1:
        return sum(one.rows for one in found) >= share * max(1, sum(one.slice.rows for one in found))
    return bool(found) and all(one.state == DONE for one in found)


def read(entity: str, settings: Settings, api: Service, kill: float) -> str:
    """The table of the reading."""
    with Visit(spec_of(entity), settings, "benchmark") as visit:
        begun = visit.begin(FULL, DAY).sync
        planning = asked(api)
        runs = [run_until(visit.ledger, begun.number, entity, share) for share in (kill, 1.0)]
    lists = asked(api)["list"] - planning["list"]
    slices = runs[-1].slices
    pages, rows = sum(one.pages for one in slices), runs[-1].rows
    seconds, cpu = sum(run.seconds for run in runs), sum(run.cpu for run in runs)
    peaks = " and ".join(f"{run.peak / 1e6:,.0f}" for run in runs)
    wrong = [] if rows == begun.rows else [f"LANDED {rows:,} ROWS OF {begun.rows:,}"]
    return "\n".join(
        [
            "| | |",
            "| --- | ---: |",
            f"| rows | {rows:,} |",
            f"| rows/s, {seconds:,.0f} s with both starts | {rows / seconds:,.0f} |",
            f"| the brief's rows/s | {BRIEF} |",
            f"| rows a second of CPU ({cpu:,.1f} s) | {rows / cpu:,.0f} |",
            f"| bytes | {sum(one.bytes for one in slices) / 1e9:,.2f} GB |",
            f"| requests: planning | {sum(planning.values())} |",
            f"| requests: pages, {len(slices)} slices | {lists} |",
            f"| pages that landed | {pages} |",
            f"| killed at rows | {runs[0].rows:,} |",
            f"| pages asked for again, and ends of slices (one each) | {lists - pages} |",
            f"| peak memory, before and after the kill | {peaks} MB |",
            *wrong,
        ]
    )


def whole(entity: str, rows: int) -> str:
    """``ingest sync`` from the first page to the last document; what it took."""
    ingest, begun = Path(sys.executable).with_name("ingest"), time.perf_counter()
    process = subprocess.Popen([str(ingest), "sync", f"wms.{entity}", "--full"], stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"ingest sync ended with {process.returncode}")
    seconds, cpu = time.perf_counter() - begun, used.ru_utime + used.ru_stime
    took = f"{rows / seconds:,.0f} rows/s, {cpu / rows * 1e6:,.0f} us of CPU a row"
    return f"{rows:,} rows through all stages: {took}, {used.ru_maxrss * 1024 / MB:,.0f} MB at the peak"


def deliver(entity: str, variables: Mapping[str, str], rows: int) -> list[Delivered]:
    """Each stage of the first chunks of what has landed, in this process."""
    with environment(variables):
        settings, spec = load_settings(), spec_of(entity)
    plan = plan_store(settings).read(spec.name, DAY)
    assert plan is not None
    chunks = plan.chunks[: max(4, rows * len(plan.chunks) // max(1, sum(one.records for one in plan.chunks)))]
    quarter = len(chunks) // 4
    knobs = knobs_of(settings)
    assembly = Assembly(settings=settings, spec=spec, owner="benchmark", knobs=knobs, create_tables=True)
    found = []
    for stage in ("validated", *spec.destinations):
        wall, cpu, sent, peaks = time.perf_counter(), time.process_time(), 0, []
        with Crew(assembly) as crew:
            for some in (chunks[:quarter], chunks[quarter:]):
                ended = list(crew.run(stage, some))
                if bad := [one.reason for one in ended if one.state != SEALED]:
                    raise RuntimeError(f"{stage}: {bad[0]}")
                sent += sum(outcome.fresh.sent for outcome in ended)
                peaks.append(peak_rss())
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        found.append(
            Delivered(stage=stage, rows=sent, seconds=seconds, cpu=used, first=peaks[0], peak=peaks[1])
        )
    return found


def delivered_table(found: Sequence[Delivered]) -> str:
    lines = ["| stage | rows | CPU us a row | rows/s | peak MB, a quarter through | at the end |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
    for one in found:
        rows = max(1, one.rows)
        lines.append(
            f"| {one.stage} | {one.rows:,} | {one.cpu / rows * 1e6:,.0f} | {rows / one.seconds:,.0f} "
            f"| {one.first / MB:,.0f} | {one.peak / MB:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entity", default="order_hdr")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kill", type=float, default=0.5, help="share of the rows at which it is killed")
    parser.add_argument("--deliver", type=int, default=100_000, help="rows that go through all stages")
    parser.add_argument("--whole", action="store_true", help="all rows through all stages, in one process")
    given = parser.parse_args()
    options = ("--rows", f"{given.entity}={given.rows}", "--user", "demo", "--password", "demo")
    keys = ("--key", "id:N", "--table", f"wms-{given.entity}-history=id:N,version:N")
    with (
        tempfile.TemporaryDirectory(prefix="wms-") as home,
        service("ingest_project.testing.wms_server", *options, cores=ALL_CORES) as api,
        service("benchmarks.null_service", *keys, cores=ALL_CORES) as tables,
        service("ingest_project.testing.fault_server", cores=ALL_CORES) as index,
    ):
        variables = variables_of(api, tables, index, Path(home))
        with environment(variables):
            if given.whole:
                print(whole(given.entity, given.rows))
                return
            print(read(given.entity, load_settings(), api, given.kill), flush=True)
        # In a process of its own, whose memory is not that of the planning.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            print(delivered_table(pool.submit(deliver, given.entity, variables, given.deliver).result()))


if __name__ == "__main__":
    main()
