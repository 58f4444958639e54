"""``python -m benchmarks.cluster_quota``: a table's write quota, held by two hosts that load into it at once.

Hosts are network namespaces (root; without them: processes of this host). Once with the quota written down
(INGEST_SHARED_WRITE_UNITS, taken by turns from the ledger in PostgreSQL), once each for itself. The table is
a fault server on the control host. Prints a line a round; ``--plot`` draws docs/images/cluster-quota.png.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cluster_running import show
from benchmarks.cluster_services import listening
from benchmarks.dynamodb_quota import Timed, item
from benchmarks.our_way import KEYS, usual_loader
from benchmarks.plots import IMAGES
from ingest_project import local
from ingest_project.core.governing import RateGovernor
from ingest_project.core.model import Batch, ItemBlock, Position, WriteReport
from ingest_project.core.ports import Sink
from ingest_project.local.ports import LOOPBACK
from ingest_project.local.postgresql import THROW_AWAY, ensure_database
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.deployments import load_settings
from ingest_project.resources.destinations import TableDestination
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.hosts import Hosts, hosts, lacking
from ingest_project.testing.samples import sample_chunk, sample_work

TABLE, LATENCY = "null", 0.01
SHARED, ALONE = "shared", "each for itself"
BURST = 3.0
"""Seconds of the quota that the table saves up: a grant for each host, and room for late requests."""

SETTLED = 5
"""Seconds that are left out at the start."""


class Lines(Timed):
    """The same items as parts have them: JSON without spaces."""

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        while time.monotonic() < self._until:
            first, self.given = self.given, self.given + 100
            made = ({"Item": item(number)} for number in range(first, self.given))
            lines = [json.dumps(one, separators=(",", ":")).encode() for one in made]
            yield ItemBlock(first=first, entries=lines, plain=True)


class Counting:
    """A sink that counts the items which its target takes, by second from ``begin``."""

    def __init__(self, sink: Sink, begin: float) -> None:
        self._sink, self._begin, self.limits = sink, begin, sink.limits
        self.taken = Counter[int]()

    async def identity(self) -> str:
        return await self._sink.identity()

    async def flush(self) -> None:
        await self._sink.flush()

    async def write(self, batch: Batch) -> WriteReport:
        report = await self._sink.write(batch)
        self.taken[int(time.monotonic() - self._begin)] += len(batch) - len(report.retry)
        return report


async def load(seconds: float) -> None:
    """Body of a host: loads from the moment on that it is told, tells what it counted."""
    settings = load_settings()
    destination = TableDestination(settings, create=False)
    plain = await destination.open(TABLE, KEYS)
    show("ready")
    begin = float(await asyncio.to_thread(sys.stdin.readline))
    sink = Counting(plain, begin)
    await asyncio.sleep(max(0.0, begin - time.monotonic()))
    loader = usual_loader(sink, RateGovernor(time.monotonic))
    await loader.load(sample_work(sample_chunk()), Lines(begin + seconds), "bench")
    await destination.close()
    show(sink.taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the servers are heard and what stands before a host's command."""

    address: str
    hosts: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Units by second: what each host sent and was taken, and what the table took and refused."""

    hosts: Sequence[Sequence[int]]
    taken: Sequence[int]
    refused: Sequence[int]


async def measure(place: Place, ledger: str, quota: float, seconds: float, how: str) -> Round:
    bucket = WriteQuota(quota, burst=BURST * quota)
    server = FaultServer(keys={TABLE: ("id",)}, null=False, quota=bucket, delay=LATENCY)
    await server.start(host=place.address)
    with tempfile.TemporaryDirectory() as home:
        given = {
            "INGEST_HOME": home,
            "INGEST_LEDGER_URL": ledger,
            "AWS_ENDPOINT_URL_DYNAMODB": server.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "INGEST_ALLOW_REMOTE_WRITES": f"dynamodb:{server.url.removeprefix('http://')}/*",
            "NO_PROXY": place.address,
            "INGEST_SHARED_WRITE_UNITS": f"{TABLE}={quota:g}" if how == SHARED else "",
        }
        words = (sys.executable, "-m", "benchmarks.cluster_quota", "--load", "--seconds", str(seconds))
        loads = [await begun([*prefix, *words], given) for prefix in place.hosts]
        begin = str(time.monotonic() + 1.0).encode()
        found = await asyncio.gather(*(counted(one, begin) for one in loads))
    seen = {str(one["second"]): one for one in server.meter.record()}
    await server.stop()
    nothing, at = {"accepted": 0, "refused": 0}, [str(second) for second in range(int(seconds) - 1)]
    return Round(
        hosts=[[one.get(second, 0) for second in at] for one in found],
        taken=[seen.get(second, nothing)["accepted"] for second in at],
        refused=[seen.get(second, nothing)["refused"] for second in at],
    )


async def begun(command: Sequence[str], given: Mapping[str, str]) -> asyncio.subprocess.Process:
    """A host's process that is ready to load."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **given}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    if b"ready" not in await process.stdout.readline():
        raise RuntimeError(f"a host did not begin: {command}")
    return process


async def counted(process: asyncio.subprocess.Process, begin: bytes) -> dict[str, int]:
    answer, _ = await process.communicate(begin + b"\n")
    told: dict[str, int] = json.loads(answer)
    return told


def figures(found: Round, quota: float) -> dict[str, Any]:
    """Of the seconds from SETTLED on; the last, which is not whole, was left out."""
    taken, refused = found.taken[SETTLED:], sum(found.refused[SETTLED:])
    # Whoever is late by a moment has it in the next second: three in a row are looked at.
    smooth = [statistics.fmean(taken[at : at + 3]) for at in range(len(taken) - 2)]
    sent = [sum(host[SETTLED:]) for host in found.hosts]
    return {
        "of_quota": round(statistics.fmean(taken) / quota, 3),
        "least_of_3s": round(min(smooth) / quota, 3),
        "most_of_3s": round(max(smooth) / quota, 3),
        "within_10_per_cent": round(statistics.fmean(0.9 <= one / quota <= 1.1 for one in smooth), 3),
        "shares": [round(one / sum(sent), 3) for one in sent],
        "refused": round(refused / (refused + sum(taken)), 4),
    }


def draw(rounds: Mapping[str, Round], quota: float) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(rounds), figsize=(12, 4), sharey=True, squeeze=False)
    for place, (how, found) in zip(axes[0], rounds.items(), strict=True):
        at = range(len(found.taken))
        names = [f"host {number}" for number in range(1, len(found.hosts) + 1)]
        place.stackplot(at, *found.hosts, labels=names, colors=("tab:blue", "lightblue"))
        place.plot(at, found.refused, color="tab:red", label="refused")
        place.axhline(quota, color="black", linewidth=0.8, linestyle=":", label="quota")
        place.set(title=how, xlabel="seconds", ylim=(0, 2 * quota))
        place.grid(alpha=0.3)
        place.legend(loc="upper right", fontsize="small")
    axes[0][0].set_ylabel("write units a second")
    figure.tight_layout()
    figure.savefig(IMAGES / "cluster-quota.png", dpi=80, metadata={"Software": None})


def run(wanted: argparse.Namespace) -> None:
    made = Hosts.parse(wanted.hosts) if wanted.hosts else None
    address = made.address if made else LOOPBACK
    prefixes = [made.within(worker) for worker in made.workers] if made else [(), ()]
    with tempfile.TemporaryDirectory(prefix="ingest-quota-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        settings = listening(made, home)["postgresql"] if made else THROW_AWAY
        stack = local.up(
            home, names=("postgresql",), settings={"postgresql": settings}, usual_ports=False, tied=True
        )
        try:
            server = stack.servers["postgresql"].endpoint.replace(LOOPBACK, address)
            rounds = {}
            for number, how in enumerate((SHARED, ALONE)):
                ledger = ensure_database(server, f"ledger{number}")
                place = Place(address=address, hosts=prefixes)
                rounds[how] = asyncio.run(measure(place, ledger, wanted.quota, wanted.seconds, how))
                load_now = round(os.getloadavg()[0], 1)
                told = figures(rounds[how], wanted.quota)
                show({"how": how, "hosts": "namespaces" if made else "processes", **told, "load": load_now})
        finally:
            local.down(home, grace=1.0)
    if wanted.plot:
        draw(rounds, wanted.quota)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quota", type=float, default=500.0, help="write units a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--plot", action="store_true", help="draw docs/images/cluster-quota.png")
    parser.add_argument("--hosts", default="", help=argparse.SUPPRESS)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.load:
        asyncio.run(load(wanted.seconds))
    elif wanted.hosts:
        run(wanted)
    elif reason := lacking():
        show(f"no namespaces: {reason}")
        run(wanted)
    else:
        with hosts(2) as made:
            sys.exit(made.run("benchmarks.cluster_quota", *sys.argv[1:]))


if __name__ == "__main__":
    main()
