"""What a table with a write quota takes: the Loader beside boto3's batch_writer, one after another.

``python benchmarks/dynamodb_quota.py [--seconds N] [--quota N] [--saved S] [--rounds N] [--plot FILE]``. The
table is the fault server's, in its own process and new for each client, with ``--saved`` seconds of unused
quota. Afterwards what it kept is compared with what each client was given. A boto3 client that stops with an
error is let stop. Writes results/dynamodb_quota.json and, with matplotlib (the extra ``bench``), the plot.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from botocore.exceptions import ClientError

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import Signer, StaticCredentials
from ingest_project.testing.doubles import InMemoryLedger
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project.wire.http import Endpoint, run

RESULTS = Path(__file__).with_name("results") / "dynamodb_quota.json"
REGION, TABLE = "us-east-1", "bench"
LATENCY = 0.01
SETTLED = 10
"""Seconds after the start from which on a rate counts as settled."""
TEXT = "lorem ipsum dolor sit amet " * 34


@dataclass(slots=True, kw_only=True)
class Round:
    """One client's minute, as the server saw it second by second.

    Attributes:
        given: Items handed to the client.
        lost: Of them, those that the server does not have, or not as they were.
        stopped: The error with which the client gave up.
        pace: The governor's pace in units a second, by second.
    """

    given: int
    seconds: float
    seen: list[dict[str, int]]
    lost: int = 0
    stopped: str = ""
    pace: list[float | None] = field(default_factory=list)

    def settled(self) -> list[dict[str, int]]:
        """The seconds from SETTLED on, but for the last, which is not whole."""
        last = int(self.seconds)
        by_second = {one["second"]: one for one in self.seen}
        empty = {"accepted": 0, "refused": 0, "in_flight": 0}
        return [by_second.get(second, empty) for second in range(SETTLED, max(SETTLED + 1, last))]

    @property
    def rates(self) -> list[int]:
        return [one["accepted"] for one in self.settled()]

    @property
    def refused(self) -> float:
        """Share of the units that were refused, once settled."""
        no = sum(one["refused"] for one in self.settled())
        return no / max(1, no + sum(self.rates))


def item(number: int) -> dict[str, dict[str, str]]:
    """Just under 1 KB, as a part line too: one unit."""
    return {"id": {"S": f"item-{number:09d}"}, "number": {"N": str(number)}, "text": {"S": TEXT}}


def digest(items: Iterator[dict[str, Any]]) -> list[str]:
    """One short hash an item."""
    return [hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()[:16] for one in items]


def serve(quota: float, saved: float) -> None:
    """Be the table: prints the URL, and at the end of standard input what was kept and seen."""

    async def main() -> None:
        bucket = WriteQuota(quota, burst_seconds=300.0, start=saved * quota)
        async with FaultServer(keys={TABLE: ("id",)}, quota=bucket, delay=LATENCY) as server:
            print(json.dumps({"url": server.url}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            kept = digest(iter(server.tables.items[TABLE].values()))
            print(json.dumps({"kept": kept, "seen": server.meter.record()}), flush=True)

    run(main)


@contextmanager
def table(quota: float, saved: float) -> Iterator[tuple[str, Callable[[], Any]]]:
    """A table in its own process: its URL, and what ends it and returns what it kept and saw."""
    command = [sys.executable, __file__, "--serve", "--quota", str(quota), "--saved", str(saved)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None

        def end() -> Any:
            found, _ = process.communicate()
            return json.loads(found)

        yield json.loads(process.stdout.readline())["url"], end


class Timed:
    """An ItemStream of items until the time is over."""

    def __init__(self, until: float) -> None:
        self._until = until
        self.given = 0

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        while time.monotonic() < self._until:
            first, self.given = self.given, self.given + 100
            lines = [json.dumps({"Item": item(number)}).encode() for number in range(first, self.given)]
            yield ItemBlock(first=first, entries=lines, plain=True)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=body)


def loader(url: str, seconds: float) -> Round:
    """The Loader over DynamoDBSink; up to 64 requests in flight."""
    governor = RateGovernor(time.monotonic)
    paces: list[float | None] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(1.0)
            paces.append(governor.pace)

    async def main() -> Round:
        watching = asyncio.create_task(watch())
        signer = Signer(StaticCredentials(access_key="a", secret_key="b"), region=REGION, service="dynamodb")
        start = time.monotonic()
        stream = Timed(start + seconds)
        async with DynamoDBSink(DynamoDBApi(Endpoint(url, connections=64), signer), TABLE) as sink:
            result = await Loader(
                sink=sink,
                ledger=InMemoryLedger(time.monotonic),
                retry=RetryPolicy(),
                budget=MemoryBudget(32 << 20),
                governor=governor,
                clock=time.monotonic,
                sleep=asyncio.sleep,
                rng=Random(1),
            ).load(sample_work(sample_chunk()), stream, "bench")
        watching.cancel()
        assert result.counts.written == stream.given
        return Round(given=stream.given, seconds=time.monotonic() - start, seen=[], pace=paces)

    return run(main)


def batch_writer(url: str, seconds: float, threads: int) -> Round:
    """boto3's batch_writer, one in each thread."""
    import boto3

    start = time.monotonic()
    given, errors = [0] * threads, list[str]()

    def work(place: int) -> None:
        session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=REGION)
        target = session.resource("dynamodb", endpoint_url=url).Table(TABLE)
        try:
            with target.batch_writer() as writer:
                while time.monotonic() < start + seconds:
                    number = place + threads * given[place]
                    given[place] += 1
                    text = item(number)
                    writer.put_item(Item={"id": text["id"]["S"], "number": number, "text": TEXT})
        except ClientError as error:
            errors.append(str(error))

    team = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for one in team:
        one.start()
    for one in team:
        one.join()
    found = Round(given=sum(given), seconds=time.monotonic() - start, seen=[])
    found.stopped = f"{len(errors)} of {threads}: {errors[0]}" if errors else ""
    return found


def measured(work: Callable[[str], Round], quota: float, saved: float, threads: int) -> Round:
    with table(quota, saved) as (url, end):
        found = work(url)
        known = end()
    found.seen = known["seen"]
    # Threads may have been given different numbers of items: what is kept must be a part of this.
    numbers = range(found.given) if threads == 1 else range(threads * max(1, found.given))
    kept = set(known["kept"])
    found.lost = found.given - sum(1 for one in digest(item(number) for number in numbers) if one in kept)
    return found


def spread(numbers: Sequence[float], form: str) -> str:
    """Median, and the tenth and ninetieth percentile."""
    ordered = sorted(numbers)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    return f"{statistics.median(ordered):{form}} ({low:{form}}-{high:{form}})"


def row(name: str, rounds: Sequence[Round], quota: float) -> str:
    rates = [rate for one in rounds for rate in one.rates]
    mean = statistics.fmean(rates) / quota
    refused = statistics.fmean(one.refused for one in rounds)
    lost, given = sum(one.lost for one in rounds), sum(one.given for one in rounds)
    stopped = "; ".join(one.stopped for one in rounds if one.stopped)
    seconds = statistics.fmean(one.seconds for one in rounds)
    figures = f"{mean:>10.1%}{spread(rates, ',.0f'):>24}{refused:>9.1%}{f'{lost:,} of {given:,}':>18}"
    return f"{name:<28}{figures}{seconds:>9.1f}{'  stopped: ' + stopped if stopped else ''}"


def plot(rounds: dict[str, Round], quota: float, path: Path) -> None:
    """Accepted and refused units and requests in flight, second by second, a column a client."""
    try:
        from matplotlib import pyplot
    except ImportError:
        print("no plot: matplotlib is not installed (pip install -e '.[bench]')")
        return
    figure, axes = pyplot.subplots(2, len(rounds), figsize=(5 * len(rounds), 6), sharex=True, sharey="row")
    for column, (name, found) in enumerate(rounds.items()):
        seen = [one for one in found.seen if one["second"] < int(found.seconds)]
        at = [one["second"] for one in seen]
        above, below = axes[0][column], axes[1][column]
        above.axhline(quota, color="black", linewidth=0.8, linestyle=":", label="quota")
        above.plot(at, [one["accepted"] for one in seen], color="tab:blue", label="taken")
        above.plot(at, [one["refused"] for one in seen], color="tab:red", label="refused")
        if found.pace:
            pace = [one if one is not None else float("nan") for one in found.pace]
            above.plot(range(1, len(pace) + 1), pace, color="tab:green", linestyle="--", label="pace")
        above.set_title(name)
        above.set_ylim(0, 3 * quota)
        above.grid(alpha=0.3)
        above.legend(loc="upper right", fontsize="small")
        below.step(at, [one["in_flight"] for one in seen], color="tab:purple", where="post")
        below.set_ylim(bottom=0)
        below.set_xlabel("seconds")
        below.grid(alpha=0.3)
    axes[0][0].set_ylabel("write units a second")
    axes[1][0].set_ylabel("requests in flight, most in a second")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def compare(quota: float, saved: float, seconds: float, rounds: int) -> dict[str, list[Round]]:
    known: dict[str, tuple[int, Callable[[str], Round]]] = {
        "Loader": (1, lambda url: loader(url, seconds)),
        "batch_writer": (1, lambda url: batch_writer(url, seconds, 1)),
        "batch_writer, 4 threads": (4, lambda url: batch_writer(url, seconds, 4)),
    }
    found: dict[str, list[Round]] = {name: [] for name in known}
    for _ in range(rounds):
        for name, (threads, work) in known.items():
            found[name].append(measured(work, quota, saved, threads))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quota", type=float, default=2000.0)
    parser.add_argument("--saved", type=float, default=5.0, help="seconds of the quota saved up at the start")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    quota, saved = arguments.quota, arguments.saved
    if arguments.serve:
        serve(quota, saved)
        return
    found = compare(quota, saved, arguments.seconds, arguments.rounds)
    print(f"{quota:g} units a second, {saved:g} s of them saved up, {LATENCY:g} s a write;", end=" ")
    print(f"from second {SETTLED} on; median (10-90 % of the seconds)")
    heads = f"{'of quota':>10}{'units/s':>24}{'refused':>9}{'lost':>18}{'seconds':>9}"
    print(f"{'client':<28}{heads}")
    for name, rounds in found.items():
        print(row(name, rounds, quota))
    ours, *peers = found
    for peer in peers:
        pairs = zip(found[ours], found[peer], strict=True)
        ratios = [a / max(1, b) for one, other in pairs for a, b in zip(one.rates, other.rates, strict=False)]
        print(f"units a second, {ours} : {peer}: {spread(ratios, '.2f')}")
    RESULTS.parent.mkdir(exist_ok=True)
    written = {name: [asdict(one) for one in rounds] for name, rounds in found.items()}
    RESULTS.write_text(json.dumps({"quota": quota, "saved": saved, "rounds": written}))
    if arguments.plot:
        plot({name: rounds[0] for name, rounds in found.items()}, quota, arguments.plot)
    if any(one.lost for one in found[ours]):
        raise SystemExit("the Loader lost items")


if __name__ == "__main__":
    main()
