"""A table's write quota shared by sinks, processes and hosts: held, and used, within 10 %."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, WriteReport
from ingest_project.ledgers.budgets import LedgerBudget
from ingest_project.local.postgresql import database
from ingest_project.resources.deployments import Settings
from ingest_project.resources.destinations import TableDestination
from ingest_project.resources.shared_quota import GRANT_SECONDS, QuotaSink, parse_quotas, units_of
from ingest_project.testing.doubles_time import FakeClock, inline
from ingest_project.testing.fault_items import item_size
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.running import RunningServer
from ingest_project_tests.sinks.sending import ACCESS, SECRET, TABLE, batch_of, dynamodb_sink, line

T = TypeVar("T")
SPAWN = multiprocessing.get_context("spawn")
QUOTA, UNITS, REQUEST = 500.0, 600, 25


class Counting:
    """A sink that takes everything at once, and remembers when."""

    limits = BatchLimits(count=REQUEST, bytes=1 << 20, unit=1024)

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.seen = clock, list[tuple[float, int]]()

    async def identity(self) -> str:
        return "counting"

    async def write(self, batch: Batch) -> WriteReport:
        self.seen.append((self.clock(), len(batch)))
        return WriteReport(written=len(batch))

    async def flush(self) -> None:
        return


async def send(sink: QuotaSink, units: int) -> None:
    for _ in range(units // REQUEST):
        await sink.write(batch_of([line(str(number)) for number in range(REQUEST)]))


def test_two_that_share_a_quota_use_all_of_it_and_no_more(tmp_path: Path) -> None:
    clock = FakeClock()
    budgets = [LedgerBudget(tmp_path / "ledger.db", "dynamodb t", QUOTA, clock=clock) for _ in range(2)]
    target = Counting(clock)
    sinks = [QuotaSink(target, budget, QUOTA, sleep=clock.sleep, offload=inline) for budget in budgets]

    async def both() -> None:
        await asyncio.gather(*(send(sink, 20 * UNITS) for sink in sinks))

    began = clock()
    clock.run(both())
    for budget in budgets:
        budget.close()
    total, span = sum(count for _, count in target.seen), clock() - began
    assert 40 * UNITS == total
    assert 0.9 * QUOTA <= total / span <= 1.1 * QUOTA
    for second in range(int(span)):
        sent = sum(count for moment, count in target.seen if second <= moment - began < second + 1)
        assert sent <= QUOTA + 2 * (QUOTA * GRANT_SECONDS + REQUEST)


def test_one_whose_ledger_is_slow_still_uses_the_quota(tmp_path: Path) -> None:
    clock = FakeClock()
    budget, target = LedgerBudget(tmp_path / "ledger.db", "dynamodb t", QUOTA, clock=clock), Counting(clock)

    async def slowly(call: Callable[[], T]) -> T:
        await clock.sleep(2 * GRANT_SECONDS)
        return call()

    sink = QuotaSink(target, budget, QUOTA, clock=clock, sleep=clock.sleep, offload=slowly)
    began = clock()
    clock.run(send(sink, 20 * UNITS))
    budget.close()
    assert 0.9 * QUOTA <= 20 * UNITS / (clock() - began) <= 1.1 * QUOTA


def test_a_request_above_a_grant_waits_for_all_of_its_units(tmp_path: Path) -> None:
    clock = FakeClock()
    budget = LedgerBudget(tmp_path / "ledger.db", "dynamodb t", 10.0, clock=clock)
    sink = QuotaSink(Counting(clock), budget, 10.0, sleep=clock.sleep, offload=inline)
    began = clock()
    clock.run(send(sink, 3 * REQUEST))
    budget.close()
    assert pytest.approx(2 * REQUEST / 10.0, abs=0.1) == clock() - began


def worker(url: str, ledger: str, first: int) -> None:
    """Body of one process: items of its own, a request after the other, as fast as the budget lets it."""

    async def load() -> None:
        budget = LedgerBudget(ledger, "dynamodb t", QUOTA)
        async with dynamodb_sink(url) as plain:
            sink = QuotaSink(plain, budget, QUOTA, longest=GRANT_SECONDS)
            for start in range(first, first + UNITS, REQUEST):
                await sink.write(batch_of([line(str(key)) for key in range(start, start + REQUEST)]))
        budget.close()

    asyncio.run(load())


@pytest.fixture
def ledger(postgresql: RunningServer) -> Iterator[str]:
    with database(postgresql.url) as url:
        yield url


async def test_two_processes_keep_a_table_within_ten_per_cent_of_its_quota(ledger: str) -> None:
    """The server gives a tenth more than the quota, and what two grants may have saved up: nothing is
    refused, however the two are delayed."""
    burst = 2 * (QUOTA * GRANT_SECONDS + REQUEST)
    server = FaultServer(
        keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), quota=WriteQuota(1.1 * QUOTA, burst=burst)
    )
    async with server:
        workers = [SPAWN.Process(target=worker, args=(server.url, ledger, n * UNITS)) for n in range(2)]
        with ExitStack() as stack:
            for process in workers:
                process.start()
                stack.callback(process.kill)
            await asyncio.gather(*(asyncio.to_thread(process.join) for process in workers))
            assert [0, 0] == [process.exitcode for process in workers]
        assert 2 * UNITS == len(server.tables.items[TABLE])
        assert 0 == sum(second["refused"] for second in server.meter.record())


async def test_only_a_table_whose_quota_is_written_down_waits_for_it(tmp_path: Path) -> None:
    variables = {"INGEST_SHARED_WRITE_UNITS": "orders = 4000; cities=0.5"}
    settings = Settings.from_env({"INGEST_HOME": str(tmp_path), **variables})
    destination = TableDestination(settings, create=False)
    clock = FakeClock()
    found = [type(destination.within_quota(name, Counting(clock))) for name in ("orders", "others")]
    await destination.close()
    assert {"orders": 4000.0, "cities": 0.5} == settings.shared_write_units
    assert [QuotaSink, Counting] == found


def test_units_are_those_that_the_table_counts() -> None:
    rng = Random(1)
    ours = theirs = 0
    for _ in range(400):
        texts = {f"name-{n}": {"S": 'te"x":{"t ' * rng.randint(0, 30)} for n in range(rng.randint(1, 12))}
        numbers = {f"number-{n}": {"N": str(rng.randint(0, 10**9))} for n in range(rng.randint(0, 6))}
        more = {"M": {"inner": {"S": "x" * rng.randint(0, 500)}}}, {"L": [{"S": "a"}, {"BOOL": True}]}
        item = {"id": {"S": "key"}, **texts, **numbers, "map": more[0], "list": more[1]}
        size = item_size(item)
        ours += units_of(json.dumps({"Item": item}, separators=(",", ":")).encode())
        theirs += -(-size // 1024)
    assert pytest.approx(theirs, rel=0.1) == ours


@pytest.mark.parametrize("text", ["orders", "orders=0", "orders=-1", "orders=inf", "=5", "a=1;a=2", "a=x"])
def test_a_quota_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="INGEST_SHARED_WRITE_UNITS"):
        parse_quotas(text, "INGEST_SHARED_WRITE_UNITS")
