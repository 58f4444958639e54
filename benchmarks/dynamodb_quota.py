"""Claim: what a table with a write quota takes from a load, the Loader beside boto3's batch_writer.

The table is the fault server's, in its own process and new for each round, with some seconds of unused quota.
Afterwards what it kept is compared with what the client was given. A boto3 client that stops with an error is
let stop.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.claims import Against, Claim, Column, Scale, Stage
from benchmarks.dynamodb_peers import boto3_session
from benchmarks.frame import Done, Row, Work, service
from benchmarks.our_way import table_sink, usual_loader
from ingest_project.core.governing import RateGovernor
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project.wire.http import run

QUOTA, SAVED, LATENCY = 2000.0, 5.0, 0.01
"""Units a second, seconds of them that are saved up at the start, seconds that a write takes."""

SETTLED = 10
"""Seconds after the start from which on a rate counts as settled."""

TEXT = "lorem ipsum dolor sit amet " * 35
OURS, WRITER, FOUR = "Loader", "batch_writer", "batch_writer, 4 threads"


@dataclass(slots=True, kw_only=True)
class Load:
    """What a client did. ``stopped``: the error with which it gave up; ``pace``: the governor's."""

    given: int
    seconds: float
    stopped: str = ""
    pace: list[float | None] = field(default_factory=list)


def item(number: int) -> dict[str, dict[str, str]]:
    """Just under 1 KB: one unit."""
    return {"id": {"S": f"item-{number:09d}"}, "number": {"N": str(number)}, "text": {"S": TEXT}}


def digest(items: Iterable[dict[str, Any]]) -> list[str]:
    """One short hash an item."""
    return [hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()[:16] for one in items]


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


def loader(url: str, seconds: float) -> Load:
    """The Loader over DynamoDBSink; up to 64 requests in flight."""
    governor = RateGovernor(time.monotonic)
    paces: list[float | None] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(1.0)
            paces.append(governor.pace)

    async def main() -> Load:
        watching = asyncio.create_task(watch())
        start = time.monotonic()
        stream = Timed(start + seconds)
        async with table_sink(url, in_flight=64) as sink:
            result = await usual_loader(sink, governor).load(sample_work(sample_chunk()), stream, "bench")
        watching.cancel()
        assert result.counts.written == stream.given
        return Load(given=stream.given, seconds=time.monotonic() - start, pace=paces)

    return run(main)


def batch_writer(url: str, seconds: float, threads: int = 1) -> Load:
    """boto3's batch_writer, one in each thread."""
    start = time.monotonic()
    given, errors = [0] * threads, list[str]()

    def work(place: int) -> None:
        target = boto3_session().resource("dynamodb", endpoint_url=url).Table("null")
        try:
            with target.batch_writer() as writer:
                while time.monotonic() < start + seconds:
                    number = place + threads * given[place]
                    given[place] += 1
                    key = item(number)["id"]["S"]
                    writer.put_item(Item={"id": key, "number": number, "text": TEXT})
        except ClientError as error:
            errors.append(str(error))

    team = [threading.Thread(target=work, args=(place,)) for place in range(threads)]
    for one in team:
        one.start()
    for one in team:
        one.join()
    stopped = f"{len(errors)} of {threads}: {errors[0]}" if errors else ""
    return Load(given=sum(given), seconds=time.monotonic() - start, stopped=stopped)


def under_quota(client: Callable[..., Load], seconds: float, threads: int = 1) -> Work:
    words = {"threads": threads} if threads > 1 else {}

    def work() -> Done:
        with service(__name__) as table:
            load = client(table.url, seconds, **words)
            known = json.loads(table.end())
        # Threads may have been given different numbers of items: what is kept must be a part of this.
        numbers = range(load.given if threads == 1 else threads * load.given)
        kept = set(known["kept"])
        lost = load.given - sum(1 for one in digest(map(item, numbers)) if one in kept)
        assert client is not loader or not lost
        return done(load, known["seen"], lost)

    return work


def done(load: Load, seen: Sequence[dict[str, int]], lost: int) -> Done:
    """A round as the server saw it: the seconds from SETTLED on, but for the last, which is not whole."""
    by_second, empty = {one["second"]: one for one in seen}, {"accepted": 0, "refused": 0}
    settled = [by_second.get(at, empty) for at in range(SETTLED, max(SETTLED + 1, int(load.seconds)))]
    rates = sorted(one["accepted"] for one in settled)
    refused = sum(one["refused"] for one in settled)
    figures = {
        "mean": statistics.fmean(rates),
        "low": rates[len(rates) // 10],
        "high": rates[-1 - len(rates) // 10],
        "refused": refused / max(1, refused + sum(rates)),
        "lost": lost,
    }
    series = {"seen": seen, "pace": load.pace, "seconds": load.seconds, "stopped": load.stopped}
    return Done(units=load.given, figures=figures, series=series)


@contextmanager
def prepare(scale: Scale, folder: Path) -> Iterator[Stage]:
    seconds = scale.of(15.0, 60.0)
    rows = [
        Row(name=OURS, make=under_quota, given={"client": loader, "seconds": seconds}, warm=False, ours=True),
        Row(name=WRITER, make=under_quota, given={"client": batch_writer, "seconds": seconds}, warm=False),
        Row(
            name=FOUR,
            make=under_quota,
            given={"client": batch_writer, "seconds": seconds, "threads": 4},
            warm=False,
        ),
    ]
    yield Stage(
        rows=rows,
        note=f"{QUOTA:,.0f} units a second, {SAVED:g} s of them saved up, {LATENCY * 1000:g} ms a write, "
        f"{seconds:g} s a round; rates and refusals from second {SETTLED} on.",
    )


CLAIMS = (
    Claim(
        name="dynamodb-quota",
        family="quota",
        title="A table with a write quota",
        unit="item",
        columns=(
            Column(title="of the quota", of=lambda one: one.figures["mean"] / QUOTA, form=".1%", spread=True),
            Column(title="10 % of seconds below", of=lambda one: one.figures["low"], form=",.0f"),
            Column(title="10 % above", of=lambda one: one.figures["high"], form=",.0f"),
            Column(title="refused", of=lambda one: one.figures["refused"], form=".1%", spread=True),
            Column(title="lost", of=lambda one: one.figures["lost"], form=",.0f"),
            Column(title="given", of=lambda one: one.units, form=",.0f"),
        ),
        against=tuple(
            Against(peer=peer, title=f"x {peer}, rate", cost=lambda one: 1 / max(1, one.figures["mean"]))
            for peer in (WRITER, FOUR)
        ),
        prepare=prepare,
        rounds={"usual": 1, "full": 3},
    ),
)


def serve() -> None:
    """Be the table: prints the URL, and at the end of standard input what was kept and seen."""

    async def main() -> None:
        bucket = WriteQuota(QUOTA, burst_seconds=300.0, start=SAVED * QUOTA)
        async with FaultServer(keys={"null": ("id",)}, quota=bucket, delay=LATENCY) as server:
            print(json.dumps({"url": server.url}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
            kept = digest(server.tables.items["null"].values())
            print(json.dumps({"kept": kept, "seen": server.meter.record()}), flush=True)

    run(main)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    serve()
