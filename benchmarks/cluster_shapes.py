"""``python -m benchmarks.cluster_shapes --out FILE``: backfills of several shapes on one cluster, for
``benchmarks.cluster_capacity``.

As ``benchmarks.cluster_backfill``, but dates are planned by this process, each is bound for a table of its
own (dates of one table wait for each other, docs/decisions/0004), and the shapes are a list: hosts, runs at
once, dates, bytes of a date, requests in flight. A write takes half a second, so that waiting decides. Ends
within seven minutes on a quiet machine of two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.cluster_backfill import days_of, put_dumps, used
from benchmarks.cluster_running import Cluster, cluster, show
from benchmarks.cluster_services import services
from benchmarks.frame import ALL_CORES, service
from ingest_project.entities.messages.spec import SPEC
from ingest_project.io_managers.cells import cell
from ingest_project.resources.assembly import Assembly, plan_store
from ingest_project.resources.importing import find_files
from ingest_project.resources.knobs import knobs_of
from ingest_project.testing.hosts import Hosts, hosts, lacking
from ingest_project_tests.e2e.running import Run, wait_until

DELAY = 0.5
LONGEST = 1800.0
MOST_HOSTS, MOST_AT_ONCE, MOST_DATES = 2, 4, 8
CALIBRATE = ("1x1x2x740000x1", "1x4x4x1480000x1")
HELD_OUT = ("2x1x4x740000x1", "2x2x8x740000x1", "2x3x6x1480000x2")


def plan(found: Cluster, days: Sequence[str]) -> None:
    """Make the plans of some days."""
    settings = found.settings
    plans = plan_store(settings)
    assembly = Assembly(settings=settings, spec=SPEC, owner="plan", knobs=knobs_of(settings))
    with assembly.engine() as engine:
        for day in days:
            files = find_files((f"s3://{settings.bucket}/inbox/messages/{day}/",), settings, "*")
            plans.write(assembly.planner(engine).plan(None, day, files, lambda text: None).plan)


def measured(found: Cluster, number: int, shape: str) -> dict[str, Any]:
    """One backfill: workers start, take its runs, and stop."""
    workers, at_once, dates, size, in_flight = map(int, shape.split("x"))
    days = days_of(0, MOST_DATES * (number + 1))[MOST_DATES * number :][:dates]
    total = sum(
        put_dumps(found.environ, found.home, [day], size, f"null-{number}-{place}")
        for place, day in enumerate(days)
    )
    plan(found, days)
    found.at_once = at_once
    found.environ = {**found.environ, "INGEST_IN_FLIGHT": str(in_flight)}
    found.limit_pool("ingest_files", workers * at_once)
    for host in found.hosts.workers[:workers]:
        found.start_worker(host)
    wait_until("the workers are ready", lambda: ready(found) >= workers, timeout=600.0, pause=2.0)
    before, launched = used(), time.time()
    backfill = found.backfill([cell(day, slot) for day in days for slot in range(SPEC.slots)])

    def over() -> bool:
        runs = found.runs_of(backfill)
        return len(runs) == dates and all(run.ended for run in runs)

    wait_until("all runs have ended", over, timeout=LONGEST, pause=2.0)
    runs = [account(found, run) for run in found.runs_of(backfill)]
    assert {"SUCCESS"} == {run["status"] for run in runs}, runs
    wall = max(run["ended"] for run in runs) - min(run["queued"] for run in runs)
    found.stop_workers()
    return {
        "workers": workers,
        "at_once": at_once,
        "most_runs": MOST_HOSTS * MOST_AT_ONCE,
        "partitions": dates * SPEC.slots,
        "bytes": total,
        "records": sum(run["records"] for run in runs),
        "delay": DELAY,
        "in_flight": in_flight,
        "wall_s": round(wall, 2),
        "our_cores": round((used() - before) / (time.time() - launched), 3),
        "load": round(os.getloadavg()[1], 1),
        "runs": runs,
    }


def account(found: Cluster, run: Run) -> dict[str, Any]:
    """A run's times, seconds since the epoch and between its borders."""
    events = sorted(found.events(run.id), key=lambda event: event.at)
    known = {event.kind.rpartition("_")[2]: event.at for event in events if event.kind.startswith(RUN_KINDS)}
    began = {event.step: event.at for event in events if event.kind == "STEP_START"}
    steps = {e.step: e.at - began[e.step] for e in events if e.kind == "STEP_SUCCESS" and e.step in began}
    queued = known.get("ENQUEUED", events[0].at)
    dequeued = known.get("DEQUEUED", queued)
    starting = known.get("STARTING", dequeued)
    start, ended = known.get("START", starting), known.get("SUCCESS", events[-1].at)
    day = min((tag for name, tag in run.tags.items() if name.startswith("dagster/asset_partition_range")))
    rows = found.deployment.ledger.status("messages", day.partition("|")[0])
    return {
        "status": run.status,
        "queued": queued,
        "ended": ended,
        "wait_s": round(dequeued - queued, 3),
        "taken_s": round(starting - dequeued, 3),
        "start_s": round(start - starting, 3),
        "run_s": round(ended - start, 3),
        "records": sum(row.counts.written for row in rows if row.stage == "table"),
        "steps": {name: round(seconds, 3) for name, seconds in steps.items()},
    }


RUN_KINDS = ("RUN_", "PIPELINE_")


def ready(found: Cluster) -> int:
    """Workers that have said so since they were started."""
    count = 0
    for host in found.workers:
        with suppress(OSError):
            text = (found.home / "logs" / f"{host.rpartition('-')[2]}.log").read_text()
            count += text.rpartition("Warm shutdown")[2].count(" ready.") > 0
    return count


def inside(wanted: argparse.Namespace) -> None:
    """On the control host."""
    made = Hosts.parse(wanted.hosts)
    results = []
    with tempfile.TemporaryDirectory(prefix="ingest-cluster-") as name:
        home = Path(name)
        # PostgreSQL runs as somebody else.
        home.chmod(0o755)
        null = service(
            "benchmarks.null_service", "--host", made.address, "--delay", str(DELAY), cores=ALL_CORES
        )
        with (
            services(made, home) as stack,
            null as target,
            cluster(made, stack, home, target.url, {"INGEST_WORKERS": "1"}, MOST_AT_ONCE) as found,
        ):
            os.environ.update(found.environ)
            for number, shape in enumerate(wanted.shapes):
                results.append(measured(found, number, shape))
                wanted.out.write_text(json.dumps(results, indent=1) + "\n")
                show({name: value for name, value in results[-1].items() if name != "runs"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "shapes",
        nargs="*",
        default=(*CALIBRATE, *HELD_OUT),
        help="hosts x runs at once x dates x bytes x in flight",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hosts", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.hosts:
        inside(wanted)
    elif reason := lacking():
        show(f"not measured: {reason}")
    else:
        with hosts(MOST_HOSTS) as made:
            sys.exit(made.run("benchmarks.cluster_shapes", *sys.argv[1:]))


if __name__ == "__main__":
    main()
