"""``python -m benchmarks.conversations_context``: contexts and similarity searches behind a network of 5 ms.

A migrated memory on dynalite, each request delayed by our fault server; one user and twenty at once: the
first question of a conversation, a further one behind a new message, one that the cache answers. Read units
beside those of the old table for the same questions. Questions are encoded by the hashing encoder: what the
real one takes for a question is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import psutil

from ingest_project import local
from ingest_project.core.caching import CacheSettings, MemoryCache
from ingest_project.core.consumption import Consumption
from ingest_project.entities.conversations.metering import Meter, quantile
from ingest_project.entities.conversations.migrating import move_all
from ingest_project.entities.conversations.migration import Migration
from ingest_project.entities.conversations.queries import LAST_OF_SESSION, OLD_OF_SESSION, OLD_RECENT
from ingest_project.entities.conversations.remembering import Message
from ingest_project.entities.conversations.serving import ChatMemory, assembled
from ingest_project.entities.conversations.sketch_shelf import Shelf
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.entities.conversations.vectors_in_table import VectorsInTable
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.conversation_access import ConversationAccess
from ingest_project.resources.encoders.choosing import encoder_of
from ingest_project.resources.process import own_rss
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import Signer, StaticCredentials
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.sinks.table_reading import TableReader
from ingest_project.testing.conversation_messages import Messages, write_messages
from ingest_project.wire.http import Endpoint, run

TABLES = tables_of()
DELAY = 0.005
TARGETS = "targets of the domain: context 10-50 ms (alert above 100), search 50-200 ms (alert above 500)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Who asks what."""

    user: str
    session: str
    text: str


@asynccontextmanager
async def api_of(url: str, connections: int = 48) -> AsyncIterator[DynamoDBApi]:
    keys = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    signer = Signer(keys, region="us-east-1", service="dynamodb")
    async with DynamoDBApi(Endpoint(url, connections=connections), signer) as api:
        yield api


@contextmanager
def delayed(url: str, seconds: float) -> Iterator[tuple[str, int]]:
    """The fault server in front of a server, in a process of its own: its address and pid."""
    command = [sys.executable, "-m", "benchmarks.conversations_context", "--serve", url, str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip(), server.pid
        server.communicate()


async def serve(url: str, seconds: float) -> None:
    """Pass every request on, each after so many seconds, until the input ends."""
    from ingest_project.testing.fault_server import FaultServer

    faulty = FaultServer(upstream=url, service="dynamodb", delay=seconds, counts=lambda call: True)
    async with faulty as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def migrate(url: str, messages: Messages, home: Path) -> None:
    """The generated messages in the old table, and by our own migration in the new ones."""
    async with api_of(url) as api:
        await ensure_table(api, TABLES["old"])
        await write_messages(messages, DynamoDBSink(api, TABLES["old"].name))
    async with api_of(url) as api:
        ledger = SqlLedger(f"sqlite:///{home / 'ledger.db'}")
        migration = Migration(api, TABLES, ledger, encoder_of("hashing"), owner="benchmark")
        done = await move_all(migration, await migration.make_plan())
        ledger.close()
        assert done.whole, done


def questions(messages: Messages, count: int, seed: int) -> list[Question]:
    """Of different users where there are enough: what somebody said before, in other words' company."""
    rng, made = Random(seed), list[Question]()
    while len(made) < count:
        row = messages.message(rng.randrange(messages.count))
        text = f"{row['content']} {rng.randrange(10_000)}"[-120:]
        made.append(Question(user=str(row["user_id"]), session=str(row["session_id"]), text=text))
    return made


def memory_of(api: DynamoDBApi, now: datetime, *, shelf: bool = True) -> ChatMemory:
    """With an empty cache, on the day of the messages; without a shelf every question is a first one."""
    cache = MemoryCache(clock=time.monotonic, settings=CacheSettings(settle=0.0))
    made = assembled(api, TABLES, ConversationAccess(), encoder_of("hashing"), cache, cache.counts)
    made.engine.wall = made.memory.wall = now.timestamp
    if not shelf:
        assert isinstance(made.engine.vectors, VectorsInTable)
        made.engine.vectors = replace(made.engine.vectors, shelf=Shelf(clock=time.monotonic, room=0))
    return made


async def speak(memory: ChatMemory, asked: Sequence[Question], number: int) -> None:
    """Whoever asks has said something before."""
    for question in asked:
        said = Message(
            user_id=question.user,
            session_id=question.session,
            role="user",
            content=f"{question.text} {number}",
        )
        await memory.memory.remember(said)


async def ask(memory: ChatMemory, asked: Sequence[Question], users: int) -> None:
    """All of them, so many at once."""
    waiting = iter(asked)

    async def one() -> None:
        for question in waiting:
            await memory.engine.build_context(question.text, question.user, question.session)

    await asyncio.gather(*(one() for _ in range(users)))


def row(name: str, values: Sequence[float]) -> str:
    low, high = (1000 * quantile(values, share) for share in (0.5, 0.95))
    return f"  {name:<34} {low:>8.1f} {high:>8.1f}"


def server_cpu(pids: Sequence[int]) -> list[float]:
    """Seconds of CPU that servers took so far: what they need a context, however busy the machine is."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return [one.user + one.system for one in times]


async def measure(url: str, messages: Messages, users: int, count: int, pids: Sequence[int]) -> None:
    async with api_of(url) as api:
        asked = questions(messages, count, seed=users)
        await ask(memory_of(api, messages.now), questions(messages, 2 * users, seed=99), users)
        print(f"load of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"{users} at once, {len(asked)} contexts{'':<9} p50 ms   p95 ms")
        print(row("one query alone: the floor", await floor(api, asked[:20])))
        first = memory_of(api, messages.now, shelf=False)
        await timed("first question", first, asked, users, pids)
        further = memory_of(api, messages.now)
        everybody = list({question.user: question for question in asked}.values())
        await ask(further, everybody, users)
        await speak(further, everybody, users)
        new = [replace(question, text=f"{question.text} and then") for question in asked]
        await timed("further question", further, new, users, pids)
        await timed("the same again, from the cache", further, new, users, pids)


async def timed(
    name: str, memory: ChatMemory, asked: Sequence[Question], users: int, pids: Sequence[int]
) -> None:
    """Times of these questions, what they read, and whose CPU they took."""
    meter, reads = memory.meter, memory.meter.reads
    for times in (meter.builds, meter.searches):
        times.last.clear()
    requests, units = reads.requests, reads.units
    cpu, theirs = time.process_time(), server_cpu(pids)
    await ask(memory, asked, users)
    spent, count = time.process_time() - cpu, len(asked)
    server, faulty = (now - before for now, before in zip(server_cpu(pids), theirs, strict=True))
    print(row(name, [*meter.builds.last]))
    if meter.searches.last:
        print(row("  its similarity search", [*meter.searches.last]))
    print(
        f"    {(reads.requests - requests) / count:.1f} requests, {(reads.units - units) / count:.1f} units; "
        f"CPU {1000 * spent / count:.1f} ms, of dynalite {1000 * server / count:.1f}, "
        f"of the delaying server {1000 * faulty / count:.1f}; {meter.session_bytes / 1e6:.2f} MB a session"
    )


async def floor(api: DynamoDBApi, asked: Sequence[Question]) -> list[float]:
    """Seconds of single queries, one after another: what delay, server and machine take of any."""
    reader, taken = TableReader(api, TABLES, rng=Random()), list[float]()
    for question in asked:
        begun = time.perf_counter()
        await reader.query(LAST_OF_SESSION, question.session)
        taken.append(time.perf_counter() - begun)
    return taken


async def compare(url: str, messages: Messages, count: int) -> None:
    """Units by pattern, and what the old table takes for the same."""
    asked = questions(messages, count, seed=7)
    async with api_of(url) as api:
        first = memory_of(api, messages.now, shelf=False)
        await ask(first, asked, 4)
        further = memory_of(api, messages.now)
        await ask(further, asked, 4)
        await speak(further, asked, 0)
        further = remetered(api, further)
        await ask(further, [replace(question, text=f"{question.text} and") for question in asked], 4)
        old = TableReader(api, TABLES, rng=Random(), consumption=Consumption())
        for question in asked:
            await old.query(OLD_RECENT, question.user)
            await old.query(OLD_OF_SESSION, question.user, filters={"session_id": question.session})
    print(f"read units of a context ({count} questions, {messages.count // messages.users} messages a user)")
    counted = {"old": old.consumption, "new, first": first.meter.reads, "new, further": further.meter.reads}
    for title, consumption in counted.items():
        for name, tally in consumption.tallies.items():
            each, requests = tally.total / count, tally.requests / count
            print(f"  {title:<12}  {name:<28} {each:>6.1f} units in {requests:>5.1f} requests")
        whole, each = consumption.units / count, consumption.units / consumption.requests
        print(f"  {title:<12}  {'all':<28} {whole:>6.1f} units, {each:.2f} a request")


def remetered(api: DynamoDBApi, memory: ChatMemory) -> ChatMemory:
    """The same with nothing counted yet."""
    meter = Meter(clock=time.monotonic, resident=own_rss)
    reader = TableReader(api, TABLES, rng=Random(), consumption=meter.reads)
    assert isinstance(memory.engine.vectors, VectorsInTable)
    memory.engine.reader, memory.engine.meter = reader, meter
    memory.engine.vectors = replace(memory.engine.vectors, reader=reader)
    return replace(memory, meter=meter)


def encoding(count: int = 20) -> None:
    """What the real encoder takes for a question, after its first."""
    encoder, taken = encoder_of("use-multilingual"), list[float]()
    for number in range(count + 1):
        begun = time.perf_counter()
        encoder.encode([f"what did we say about the garden on day {number}"])
        taken.append(time.perf_counter() - begun)
    print(row("a question by use-multilingual", taken[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=4_000)
    parser.add_argument("--users", type=int, default=20, help="a user has the messages divided by this")
    parser.add_argument("--contexts", type=int, default=100)
    parser.add_argument("--serve", nargs=2, metavar=("URL", "SECONDS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        run(lambda: serve(given.serve[0], float(given.serve[1])))
        return
    now = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    messages = Messages(count=given.messages, users=given.users, now=now, busy=0.0)
    with tempfile.TemporaryDirectory(prefix="context-") as place:
        home = Path(place)
        try:
            stack = local.up(home, names=("dynalite",), usual_ports=False)
            url, dynalite = stack.servers["dynalite"].endpoint, stack.servers["dynalite"].mark.pid
            begun = time.monotonic()
            run(lambda: migrate(url, messages, home))
            print(f"{messages.count:,} messages migrated in {time.monotonic() - begun:.0f} s; {TARGETS}")
            with delayed(url, DELAY) as (slow, delaying):
                for users in (1, 20):
                    run(partial(measure, slow, messages, users, given.contexts, (dynalite, delaying)))
            run(lambda: compare(url, messages, min(40, given.contexts)))
        finally:
            local.down(home, grace=0.5)
    encoding()


if __name__ == "__main__":
    main()
