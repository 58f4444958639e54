"""``python -m benchmarks.conversations_migration``: 200,000 messages moved, killed on the way, and compared.

The work is done by processes of their own: movers are killed by SIGKILL at random moments until so many are
dead, the last one ends; one compares everything. Prints counts, rates, differences and peak memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from ingest_project.core.loading import LoadSettings
from ingest_project.core.model import Counts
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration import Handling, Migration, MigrationSettings
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.resources.process import peak_rss
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import Signer, StaticCredentials
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.testing.conversation_messages import NOW, Messages, write_messages
from ingest_project.testing.running import Servers
from ingest_project.wire.http import Endpoint

TABLES: Mapping[str, TableDefinition] = tables_of()
KILL_AFTER = (5.0, 40.0)
"""Seconds of a mover's life."""
PLAN_MOMENT = NOW.timestamp()
TIMEOUT = 300.0


def api_of(url: str) -> DynamoDBApi:
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    signer = Signer(credentials, region="us-east-1", service="dynamodb")
    return DynamoDBApi(Endpoint(url, connections=32, timeout=TIMEOUT), signer)


def migration_of(api: DynamoDBApi, ledger: SqlLedger) -> Migration:
    return Migration(
        api,
        TABLES,
        ledger,
        HashingEncoder(),
        owner=new_owner(),
        settings=MigrationSettings(segments=8),
        handling=Handling(in_flight=16, page=1_000, load=LoadSettings(lease=900.0)),
        clock=lambda: PLAN_MOMENT,
    )


async def fill(url: str, messages: Messages) -> None:
    async with api_of(url) as api:
        await ensure_table(api, TABLES["old"])
        await write_messages(messages, DynamoDBSink(api, TABLES["old"].name))


async def move(url: str, ledger_url: str, *, again: bool) -> list[dict[str, Any]]:
    with Upkeep(ledger_url) as upkeep:
        upkeep.release_dead("conversations", is_dead, now=time.time())
    ledger = SqlLedger(ledger_url)
    async with api_of(url) as api:
        migration = migration_of(api, ledger)
        plan = await migration.make_plan()
        await migration.prepare(plan)
        told = []
        for step in (migration.copy, migration.embed):
            moved = await step(plan, again=again)
            if moved.failures:
                raise next(iter(moved.failures.values()))
            done = {"counts": asdict(moved.counts), "new": moved.new.sent}
            told.append({"stage": moved.stage, "seconds": round(moved.seconds, 1), **done})
    ledger.close()
    return told


async def compare(url: str, ledger_url: str) -> list[dict[str, Any]]:
    ledger, begun = SqlLedger(ledger_url), time.monotonic()
    async with api_of(url) as api:
        migration = migration_of(api, ledger)
        verdict, _ = await migration.verify(await migration.plan())
    ledger.close()
    told: dict[str, Any] = {"read": dict(verdict.read), "rejected": verdict.rejected}
    told |= {"differences": verdict.differences, "named": verdict.named, "clean": verdict.clean}
    return [told | {"seconds": time.monotonic() - begun}]


async def plant(url: str) -> list[dict[str, Any]]:
    """Ten corruptions, of five kinds in each table."""
    planted = []
    async with api_of(url) as api:
        for word in ("history", "embeddings"):
            table = TABLES[word]
            found = (await api.call("Scan", {"TableName": table.name, "Limit": 10}))["Items"]
            lost, text, ttl, moved, extra = found[:5]
            first, second = (name for name, _ in table.keys.parts)
            await api.call(
                "DeleteItem", {"TableName": table.name, "Key": {name: lost[name] for name in (first, second)}}
            )
            await api.call(
                "DeleteItem",
                {"TableName": table.name, "Key": {name: moved[name] for name in (first, second)}},
            )
            name = "content" if word == "history" else "vector_compressed"
            other = next(one for one in found[5:] if one[name] != text[name])
            user = moved[first]["S"].rpartition("#")[0]
            place = "2020-01-01" if word == "history" else "999"
            for item in (
                text | {name: other[name]},
                ttl | {"ttl": {"N": "2000000000"}},
                moved | {first: {"S": f"{user}#{place}"}},
                extra | {second: {"S": f"{'0' * 32}"}},
            ):
                await api.call("PutItem", {"TableName": table.name, "Item": item})
            planted.append({"table": word, "corruptions": 5})
    return planted


def worker(step: str, url: str, ledger_url: str) -> None:
    work: Mapping[str, Callable[[], Coroutine[Any, Any, list[dict[str, Any]]]]] = {
        "move": lambda: move(url, ledger_url, again=False),
        "again": lambda: move(url, ledger_url, again=True),
        "compare": lambda: compare(url, ledger_url),
        "plant": lambda: plant(url),
    }
    told = asyncio.run(work[step]())
    print(json.dumps({"told": told, "peak": peak_rss(), "cpu": time.process_time()}))


def start(step: str, url: str, ledger_url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.conversations_migration", "--step", step]
    command += ["--url", url, "--ledger", ledger_url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def ended(step: str, url: str, ledger_url: str) -> dict[str, Any]:
    process = start(step, url, ledger_url)
    text, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{step} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(text)
    return found


def kill_some(count: int, rng: Random, url: str, ledger_url: str) -> int:
    """Kill movers, each in the midst of its work; how many were killed before one came to its end."""
    for done in range(count):
        process = start("move", url, ledger_url)
        try:
            process.wait(rng.uniform(*KILL_AFTER))
            return done
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    return count


def show(title: str, done: Mapping[str, Any]) -> None:
    for told in done["told"]:
        rate = ""
        if "counts" in told:
            counts = Counts(**told.pop("counts"))
            rate = f", {told.pop('new') / max(told['seconds'], 1e-9):,.0f} rows/s"
            told |= {name: getattr(counts, name) for name in ("sent", "written", "unchanged", "superseded")}
            told |= {"rejected": counts.rejected, "balanced": counts.balanced, "requests": counts.requests}
        print(f"{title}: {json.dumps(told, default=str)}{rate}", flush=True)
    print(f"{title}: peak {done['peak'] / 2**20:.0f} MiB, {done['cpu']:.0f} s of CPU", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--server", choices=("dynalite", "moto"), default="dynalite")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--twice", action="store_true", help="a second round, which changes nothing")
    parser.add_argument("--plant", action="store_true", help="ten corruptions, and compare once more")
    for hidden in ("--step", "--url", "--ledger"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        worker(given.step, given.url, given.ledger)
        return
    servers = Servers(cache=None, required=True)
    try:
        run(given, servers(given.server).url)
    finally:
        servers.close()


def run(given: argparse.Namespace, url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger_url, begun = f"sqlite:///{Path(folder) / 'ledger.db'}", time.monotonic()
        asyncio.run(fill(url, Messages(count=given.messages, users=given.users)))
        print(
            f"{given.messages:,} messages of {given.users} users in {given.server}: "
            f"{time.monotonic() - begun:.0f} s",
            flush=True,
        )
        begun = time.monotonic()
        killed = kill_some(given.kills, Random(1), url, ledger_url)
        print(f"killed {killed} movers in {time.monotonic() - begun:.0f} s", flush=True)
        show("the last mover", ended("move", url, ledger_url))
        print(f"moved after {time.monotonic() - begun:.0f} s in all", flush=True)
        show("compared", ended("compare", url, ledger_url))
        if given.twice:
            show("second round", ended("again", url, ledger_url))
        if given.plant:
            show("planted", ended("plant", url, ledger_url))
            show("compared", ended("compare", url, ledger_url))


if __name__ == "__main__":
    main()
