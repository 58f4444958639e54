"""``python -m benchmarks.cluster_kills``: a backfill during which workers are killed and links are cut.

At random (``--seed``), each time on a host that works. In the end the target must be what the dumps say, and
each loss must have cost no more than a lease and the start of a run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import psutil

from benchmarks.cluster_backfill import APART, MB, days_of
from benchmarks.cluster_running import Cluster, cluster, show
from benchmarks.cluster_services import services
from benchmarks.cluster_watching import accounts
from benchmarks.jobs import s3_of
from benchmarks.samples import Record, message, typed, write_dump
from ingest_project.entities.messages.spec import SPEC
from ingest_project.io_managers.cells import cell
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.hosts import Hosts, heed_sigterm, hosts, lacking
from ingest_project_tests import readback
from ingest_project_tests.e2e.running import Run

LOOK_SECONDS = 0.5
ASK_SECONDS = 2.0
"""Between looks at the ledger, which are cheap, and at Dagster, which are not."""

LONGEST = 3600.0
Standing = Mapping[tuple[str, str], tuple[Any, ...]]
"""(stage, chunk) -> what changes when the work on it goes on."""


def record_of(number: int) -> Record:
    """Each tenth record has the key of an earlier one, and stands in its place in the end."""
    made = message(number)
    return made | {"id": message(number - 9)["id"]} if number % 10 == 9 else made


def table_of(number: int) -> str:
    """Each date has a table of its own: dates of one table may wait for each other (docs/decisions/0004)."""
    return f"kept{number}"


def put_dumps(variables: Mapping[str, str], folder: Path, days: Sequence[str], each: int) -> dict[str, Any]:
    """A dump for every date; what the tables must hold in the end: key -> item."""
    client, items = s3_of(variables), dict[str, Any]()
    for number, day in enumerate(days):

        def make(at: int, first: int = number * APART) -> Record:
            made = record_of(first + at)
            items[made["id"]] = typed(made)["M"]
            return made

        path = write_dump(folder / f"{day}.json", each, make)
        key = f"inbox/messages/{day}/{table_of(number)}-dump.json"
        client.upload_file(str(path), variables["INGEST_BUCKET"], key)
        path.unlink()
    client.close()
    return items


@contextmanager
def keeping(address: str, delay: float, tables: int) -> Iterator[FaultServer]:
    """Tables in this process's memory, on the bridge."""
    keys = {table_of(number): ("id",) for number in range(tables)}
    server, loop = FaultServer(keys=keys, delay=delay), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(0, address), loop).result(30)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass(slots=True, kw_only=True)
class Blow:
    """One loss.

    Attributes:
        runs: Root ids of the runs that were hit.
        repair_at: When the worker is started again or the link mended.
        away: Seconds until then.
        lost: Seconds until the work of each run went on, root id -> seconds.
    """

    kind: str
    host: str
    at: float
    away: float
    runs: tuple[str, ...]
    before: Mapping[str, Standing]
    repaired: bool = False
    lost: dict[str, float] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        return len(self.lost) == len(self.runs)


class Trial:
    """One backfill and what is done to it."""

    def __init__(self, found: Cluster, wanted: argparse.Namespace, days: Sequence[str]) -> None:
        self.found, self.wanted = found, wanted
        self.random = Random(wanted.seed)
        self.days, self.blows, self.away = days, list[Blow](), set[str]()
        self.backfill, self.status, self.runs = "", "", list[Run]()
        self._asked = self._next = 0.0

    def through(self) -> None:
        """Launch the backfill, and strike until there were enough blows and it has ended."""
        self.backfill = self.found.backfill(
            [cell(day, slot) for day in self.days for slot in range(SPEC.slots)]
        )
        deadline = time.monotonic() + LONGEST
        self._next = time.monotonic() + self.random.uniform(1, 10)
        while not self._ended():
            assert time.monotonic() < deadline, "the backfill does not end"
            self._repair()
            self._note()
            if len(self.blows) < self.wanted.blows and self._calm():
                self._strike()
            time.sleep(LOOK_SECONDS)
        self._note()
        self._repair(all_of_it=True)

    def _ended(self) -> bool:
        if time.monotonic() - self._asked > ASK_SECONDS:
            self.runs = self.found.runs_of(self.backfill)
            self.status = self.found.status_of(self.backfill)
            self._asked = time.monotonic()
        return self.status not in ("", "REQUESTED", "IN_PROGRESS")

    def _calm(self) -> bool:
        """Whether the blow before is over, so that no two are told as one, and the pause behind it, too."""
        if self.blows and not self.blows[-1].over:
            self._next = time.monotonic() + self.random.uniform(1, 10)
        return time.monotonic() > self._next

    def _strike(self) -> None:
        """Kill the worker or cut the link of a host that works."""
        found = self.found
        busy = {run.id: found.host_of(run.id) for run in self.runs if not run.ended}
        there = sorted({host for host in busy.values() if host and host not in self.away})
        if not there:
            return
        # With all hosts cut off nothing could go on: of the last one only the worker dies.
        host, kind = self.random.choice(there), self.random.choice(("kill", "cut"))
        kind = "kill" if self.away else kind
        away = self.random.uniform(2, 8)
        if kind == "cut":
            lease = found.settings.limits.lease_seconds
            away = self.random.choice((self.random.uniform(5, 20), self.random.uniform(1.1, 1.5) * lease))
            found.hosts.cut(host)
        else:
            psutil.Process(found.workers[host].pid).kill()
        at = time.monotonic()
        self.away.add(host)
        # What was on its way is through by then: the state from which the work goes on.
        time.sleep(LOOK_SECONDS)
        hit = tuple(sorted(_root(run) for run in self.runs if busy.get(run.id) == host))
        before = {root: self._standing(root) for root in hit}
        self.blows.append(Blow(kind=kind, host=host, at=at, away=away, runs=hit, before=before))

    def _repair(self, *, all_of_it: bool = False) -> None:
        for blow in self.blows:
            if not blow.repaired and (all_of_it or time.monotonic() > blow.at + blow.away):
                blow.repaired = True
                self.away.discard(blow.host)
                if blow.kind == "cut":
                    self.found.hosts.mend(blow.host)
                else:
                    self.found.stop_worker(blow.host)
                    self.found.start_worker(blow.host)

    def _note(self) -> None:
        """Which of the runs that were hit go on."""
        now = time.monotonic()
        for blow in self.blows[-1:]:
            for root in set(blow.runs).difference(blow.lost):
                if self._standing(root) != blow.before[root] or self._ended_well(root):
                    blow.lost[root] = now - blow.at

    def _ended_well(self, root: str) -> bool:
        """Whether the run or a repetition has: one that was hit behind its last chunk has no work left."""
        return any(run.status == "SUCCESS" for run in self.runs if _root(run) == root)

    def _standing(self, root: str) -> Standing:
        """The ledger's rows of the dates on which the run works; no other run does."""
        (run,) = [one for one in self.runs if one.id == root]
        day = run.tags["dagster/asset_partition_range_start"].partition("|")[0]
        rows = readback.works(self._ledger)
        names = ("state", "epoch", "sent", "ordinal")
        return {key: tuple(row[name] for name in names) for key, row in rows.items() if row["date"] == day}

    @property
    def _ledger(self) -> str:
        return self.found.settings.ledger_url.replace("postgresql+psycopg2:", "postgresql:")


def _root(run: Run) -> str:
    return run.tags.get("dagster/root_run_id", run.id)


def shown(trial: Trial) -> Iterator[str]:
    """Each blow, and what it cost at most."""
    lease = trial.found.settings.limits.lease_seconds
    first = time.monotonic() if not trial.blows else trial.blows[0].at
    yield f"{'at s':>7} {'what':5} {'host':8} {'away s':>7} {'runs hit':>9} {'lost s':>7}"
    for blow in trial.blows:
        worst = f"{max(blow.lost.values(), default=0.0):7.1f}" if blow.over else "      ?"
        name = blow.host.rpartition("-")[2]
        yield f"{blow.at - first:7.1f} {blow.kind:5} {name:8} {blow.away:7.1f} {len(blow.runs):9} {worst}"
    told = accounts(trial.found, [run for run in trial.runs if run.status == "SUCCESS"])
    start = min(one["start_s"] + one["step_s"] for one in told)
    every = [seconds for blow in trial.blows for seconds in blow.lost.values()]
    states = sorted(run.status for run in trial.runs)
    yield f"runs: {', '.join(f'{states.count(state)} {state}' for state in sorted(set(states)))}"
    yield (
        f"lost at most {max(every, default=0.0):.1f} s, in the median {median(every or [0.0]):.1f} s; "
        f"a lease and the quickest run's start: {lease:.0f} + {start:.1f} s"
    )


def judged(trial: Trial, expected: Mapping[str, Any], target: FaultServer) -> Iterator[tuple[str, bool]]:
    """What must be so in the end, and whether it is."""
    items = {item["id"]["S"]: item for held in target.tables.items.values() for item in held.values()}
    rows = [row for day in trial.days for row in trial.found.deployment.ledger.status(SPEC.name, day)]
    tables = [row for row in rows if row.stage == "table"]
    counts = [row.counts for row in tables]
    told = sum(one.written + one.superseded + one.unchanged + one.rejected for one in counts)
    yield f"the backfill is complete ({trial.status})", trial.status == "COMPLETED_SUCCESS"
    yield f"{len(trial.blows)} of {trial.wanted.blows} losses", len(trial.blows) == trial.wanted.blows
    yield f"the tables equal the dumps: {len(items):,} items", items == expected
    yield f"all {len(rows)} pieces of work are sealed", all(row.state == "sealed" for row in rows)
    yield f"books balance: {told:,} records", told == sum(row.records for row in tables)
    yield (
        f"written once in the books: {sum(c.written for c in counts):,}",
        len(expected) == sum(one.written for one in counts),
    )
    yield f"{target.tables.puts:,} items sent in all", target.tables.puts >= len(expected)


def inside(wanted: argparse.Namespace) -> bool:
    """On the control host; whether all is as it must be."""
    heed_sigterm()
    made = Hosts.parse(wanted.hosts)
    with tempfile.TemporaryDirectory(prefix="ingest-cluster-") as name:
        home = Path(name)
        # Others may enter: PostgreSQL runs as somebody else.
        home.chmod(0o755)
        turned = {"INGEST_IN_FLIGHT": str(wanted.in_flight), "INGEST_WORKERS": "1"}
        turned["INGEST_LEASE_SECONDS"] = str(wanted.lease)
        # Places for the chunks of all runs: one that comes from a lost host finds some where others work.
        turned["INGEST_FILES_AT_ONCE"] = "32"
        days = days_of(0, max(1, wanted.partitions // SPEC.slots))
        with (
            services(made, home) as stack,
            keeping(made.address, wanted.delay, len(days)) as target,
            # Each host has room for all runs, and none waits: what is lost is seen alone.
            cluster(made, stack, home, target.url, turned, len(days), len(days)) as found,
        ):
            expected = put_dumps(found.environ, home, days, wanted.size * MB // len(days))
            for host in made.workers:
                found.start_worker(host)
            found.plan(days)
            trial = Trial(found, wanted, days)
            began = time.monotonic()
            trial.through()
            show(f"seed {wanted.seed}: {time.monotonic() - began:.0f} s")
            for line in shown(trial):
                show(line)
            verdicts = list(judged(trial, expected, target))
    for text, well in verdicts:
        show(f"{'ok ' if well else 'NOT'} {text}")
    return all(well for _, well in verdicts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128, help="MiB of all dumps together")
    parser.add_argument("--partitions", type=int, default=64, help="date x slot; a date has 16 slots")
    parser.add_argument("--delay", type=float, default=0.5, help="seconds that a write takes")
    parser.add_argument("--in-flight", type=int, default=2, help="requests of a run in flight")
    parser.add_argument("--blows", type=int, default=10, help="workers killed and links cut")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same choices")
    parser.add_argument("--lease", type=int, default=60, help="INGEST_LEASE_SECONDS")
    parser.add_argument("--hosts", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.hosts:
        sys.exit(not inside(wanted))
    if reason := lacking():
        show(f"not tried: {reason}")
        return
    with hosts(2) as made:
        sys.exit(made.run("benchmarks.cluster_kills", *sys.argv[1:]))


if __name__ == "__main__":
    main()
