"""``python -m benchmarks.cluster_backfill``: one backfill with one worker host and with two, side by side.

Hosts are network namespaces (root, Linux). The target takes all and answers after a pause, so that waiting
and not the cores of this machine, which all hosts share, decides how long a run takes. Each date has a table
of its own: dates of one table that are validated and delivered in one backfill wait for each other
(docs/decisions/0004).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.cluster_running import Cluster, cluster, show
from benchmarks.cluster_services import services
from benchmarks.cluster_watching import Watch, accounts
from benchmarks.frame import ALL_CORES, service
from benchmarks.jobs import s3_of
from benchmarks.samples import Record, message, write_dump
from ingest_project.entities.messages.spec import SPEC
from ingest_project.io_managers.cells import cell
from ingest_project.testing.hosts import Hosts, heed_sigterm, hosts, lacking
from ingest_project_tests.e2e.running import wait_until

MB = 1 << 20
FIRST_DAY = date(2026, 3, 1)
LONGEST = 3600.0
APART = 10_000_000
"""Numbers of one date's records to the next one's: no key occurs twice."""


def days_of(turn: int, count: int) -> list[str]:
    """The dates of one turn; no other turn has them, so that nothing is sealed already."""
    return [(FIRST_DAY + timedelta(days=turn * count + number)).isoformat() for number in range(count)]


def put_dumps(variables: Mapping[str, str], folder: Path, days: Sequence[str], each: int, table: str) -> int:
    """A dump of about ``each`` bytes in the bucket for every date, and a table; the bytes of all.

    The files stay in the folder for the next call of the same size.
    """
    client, total = s3_of(variables), 0
    for number, day in enumerate(days):

        def make(at: int, first: int = number * APART) -> Record:
            return message(first + at)

        path = folder / f"dump-{number}-{each}.json"
        if not path.exists():
            write_dump(path, each, make)
        key = f"inbox/messages/{day}/{table}-{number}-dump.json"
        client.upload_file(str(path), variables["INGEST_BUCKET"], key)
        total += path.stat().st_size
    client.close()
    return total


def received(url: str) -> int:
    """Bytes that the null service has taken."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/received") as answer:
        return int(answer.read())


class Bench:
    """One cluster, on which the turns follow each other."""

    def __init__(self, found: Cluster, wanted: argparse.Namespace, url: str) -> None:
        self.found, self.wanted, self.url = found, wanted, url
        self.turns = 0

    def turn(self, workers: int) -> dict[str, Any]:
        """The whole backfill with so many worker hosts."""
        wanted, found = self.wanted, self.found
        count = max(1, wanted.partitions // SPEC.slots)
        days = days_of(self.turns, count)
        self.turns += 1
        size = put_dumps(found.environ, found.home, days, wanted.size * MB // count, f"null{self.turns}")
        found.limit_pool("ingest_files", workers * wanted.at_once)
        with self._workers(workers):
            found.plan(days)
            idle = [watch.idle() for watch in self._watches()]
            measured = self._measured(days)
        chunks = [row for day in days for row in found.deployment.ledger.status(SPEC.name, day)]
        tables = [row for row in chunks if row.stage == "table"]
        return {
            "workers": workers,
            "at_once": wanted.at_once,
            "partitions": count * SPEC.slots,
            "bytes": size,
            "records": sum(row.counts.written for row in tables),
            "chunks": len(tables),
            "sealed": all(row.state == "sealed" for row in chunks),
            "delay": wanted.delay,
            "in_flight": wanted.in_flight,
            "idle_worker_mb": median(idle),
            **measured,
        }

    @contextmanager
    def _workers(self, count: int) -> Iterator[None]:
        for host in self.found.hosts.workers[:count]:
            self.found.start_worker(host)
        try:
            yield
        finally:
            self.found.stop_workers()

    def _watches(self) -> list[Watch]:
        return [Watch(mark.pid) for mark in self.found.workers.values()]

    def _measured(self, days: Sequence[str]) -> dict[str, Any]:
        found, watches = self.found, self._watches()
        before, first, launched = received(self.url), 0.0, time.time()
        busy, ours = psutil.cpu_times(), used()
        backfill = found.backfill([cell(day, slot) for day in days for slot in range(SPEC.slots)])

        def over() -> bool:
            nonlocal first
            for watch in watches:
                watch.look()
            if not first and received(self.url) > before + 100_000:
                first = time.time()
            return found.status_of(backfill) not in ("REQUESTED", "IN_PROGRESS")

        wait_until("the backfill ends", over, timeout=LONGEST, pause=2.0)
        ended, cores = time.time(), len(ALL_CORES)
        runs = accounts(found, found.runs_of(backfill))
        last, start = max(run["ended"] for run in runs), min(run["queued"] for run in runs)
        shares = psutil.cpu_times()
        idle = (shares.idle + shares.iowait) - (busy.idle + busy.iowait)
        return {
            "status": found.status_of(backfill),
            "wall_s": round(last - start, 2),
            "from_click_s": round(last - launched, 2),
            "noticed_s": round(ended - last, 2),
            "first_record_s": round(first - start, 2),
            "machine_busy": round(1 - idle / cores / (ended - launched), 3),
            "our_cores": round((used() - ours) / (ended - launched), 3),
            "load": round(os.getloadavg()[1], 1),
            "run_mb": max((watch.peak for watch in watches), default=0.0),
            "run_cpu_s": [round(seconds, 2) for watch in watches for seconds in watch.cpu.values()],
            "runs": runs,
        }


def used() -> float:
    """CPU seconds of this process and all below it, those that have ended included."""
    total = 0.0
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def shown(one: Mapping[str, Any]) -> Iterator[str]:
    runs = one["runs"]
    yield (
        f"{one['workers']} worker host(s): {one['wall_s']:.1f} s for {len(runs)} runs, "
        f"{one['records']:,} records; first record {one['first_record_s']:.1f} s, "
        f"{one['status']}, all sealed: {one['sealed']}"
    )
    for word, title in OVERHEAD.items():
        yield f"  {title}: {median(run[word] for run in runs):.2f} s (median of {len(runs)})"
    yield f"  records a second while a run delivers: {median(run['rate'] for run in runs):,.0f}"
    yield (
        f"  idle worker {one['idle_worker_mb']:.0f} MB, a run up to {one['run_mb']:.0f} MB; "
        f"machine {one['machine_busy']:.0%} busy, {one['our_cores']:.2f} cores ours, load {one['load']}"
    )


OVERHEAD = {
    "gap_s": "from when it could go from Dagster's queue to the broker",
    "start_s": "from the broker to the run's start",
    "step_s": "from the run's start to its first step",
    "end_s": "from its last step to its end",
}


def inside(wanted: argparse.Namespace) -> None:
    """On the control host."""
    heed_sigterm()
    made = Hosts.parse(wanted.hosts)
    # Others may enter: PostgreSQL runs as somebody else.
    with tempfile.TemporaryDirectory(prefix="ingest-cluster-") as name:
        home = Path(name)
        home.chmod(0o755)
        null = service(
            "benchmarks.null_service", "--host", made.address, "--delay", str(wanted.delay), cores=ALL_CORES
        )
        turned = {"INGEST_IN_FLIGHT": str(wanted.in_flight), "INGEST_WORKERS": "1"}
        with (
            services(made, home) as stack,
            null as target,
            cluster(made, stack, home, target.url, turned, wanted.at_once) as found,
        ):
            bench = Bench(found, wanted, target.url)
            results = [bench.turn(workers) for _ in range(wanted.rounds) for workers in wanted.workers]
    for one in results:
        for line in shown(one):
            show(line)
    compare(results)
    if wanted.out:
        wanted.out.write_text(json.dumps(results, indent=1) + "\n")


def compare(results: Sequence[Mapping[str, Any]]) -> None:
    """One host's time over several hosts'."""
    walls: dict[int, list[float]] = {}
    for one in results:
        walls.setdefault(one["workers"], []).append(one["wall_s"])
    for workers, found in walls.items():
        if workers > 1 and 1 in walls:
            show(f"1 host / {workers} hosts: {median(walls[1]) / median(found):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=954, help="MiB of all dumps together; 954 are 1 GB")
    parser.add_argument("--partitions", type=int, default=64, help="date x slot; a date has 16 slots")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds that a write takes")
    parser.add_argument("--in-flight", type=int, default=48, help="requests of a run in flight")
    parser.add_argument("--at-once", type=int, default=1, help="runs at once on a host")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="worker hosts of each turn")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file for the figures, JSON")
    parser.add_argument("--hosts", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.hosts:
        inside(wanted)
    elif reason := lacking():
        show(f"not measured: {reason}")
    else:
        with hosts(max(wanted.workers)) as made:
            sys.exit(made.run("benchmarks.cluster_backfill", *sys.argv[1:]))


if __name__ == "__main__":
    main()
