"""The ledger under several processes and threads at once, and under kill -9, on SQLite and on PostgreSQL."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from ingest_project.core.errors import ChunkBusy
from ingest_project.core.model import Chunk, Claim, Counts, Position, Rejection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.samples import sample_chunk, sample_work

SPAWN = multiprocessing.get_context("spawn")
CHUNKS, STEPS, STEP = 24, 5, 10
LEASE = 600.0


def chunk_at(number: int) -> Chunk:
    return sample_chunk(f"{number:03d}", records=STEPS * STEP)


def step(ledger: SqlLedger, claim: Claim, ordinal: int, *, raw: bytes = b"{}") -> None:
    """One durable step of ten records, the first of which is refused."""
    letter = Rejection(ordinal=ordinal - STEP, offset=ordinal, reason="refused", raw=raw)
    counts = Counts(sent=STEP, written=STEP - 1, rejected=1, bytes=STEP * 100, requests=1)
    ledger.advance(claim, Position(ordinal, str(ordinal)), counts, [letter], lease=LEASE)


def work_through(ledger: SqlLedger, owner: str, stage: str, numbers: list[int]) -> list[int]:
    """Claim what is free, take it to its seal; returns what this owner sealed."""
    sealed: list[int] = []
    for number in numbers:
        try:
            work = sample_work(chunk_at(number), stage, identity="same")
            claim = ledger.claim(work, owner=owner, lease=LEASE)
        except ChunkBusy:
            continue
        if not claim.sealed:
            for ordinal in range(claim.position.ordinal + STEP, STEPS * STEP + 1, STEP):
                step(ledger, claim, ordinal)
            ledger.seal(claim, seconds=0.25)
            sealed.append(number)
    return sealed


def worker(url: str, name: str, gate: Any, answer: Connection) -> None:
    """Body of one process: both stages of all chunks, in an order of its own."""
    ledger = SqlLedger(url)
    shuffled = list(range(CHUNKS))
    random.Random(name).shuffle(shuffled)
    gate.wait()
    answer.send([work_through(ledger, name, stage, shuffled) for stage in ("validated", "table")])
    ledger.close()


def endless(url: str, answer: Connection) -> None:
    """Body of a process that advances until it is killed, telling each step that is durable."""
    ledger = SqlLedger(url)
    work = sample_work(sample_chunk(), identity="same")
    claim = ledger.claim(work, owner="victim", lease=LEASE)
    ordinal = claim.position.ordinal
    while True:
        ordinal += STEP
        step(ledger, claim, ordinal, raw=b"x" * 40_000)
        answer.send(ordinal)


def started(target: Callable[..., None], *args: Any) -> tuple[BaseProcess, Connection]:
    here, there = SPAWN.Pipe(duplex=False)
    process = SPAWN.Process(target=target, args=(*args, there), daemon=True)
    process.start()
    there.close()
    return process, here


def received(pipe: Connection) -> Any:
    assert pipe.poll(120), "the process says nothing"
    return pipe.recv()


def assert_all_sealed_once(ledger: SqlLedger, claimed: list[int]) -> None:
    assert sorted(claimed) == list(range(CHUNKS))
    records = CHUNKS * STEPS * STEP
    for stage in ("validated", "table"):
        rows = [row for row in ledger.status() if row.stage == stage]
        assert {row.state for row in rows} == {"sealed"}
        total = sum((row.counts for row in rows), Counts())
        assert (total.sent, total.written, total.rejected) == (records, records * 9 // 10, records // 10)
    assert ledger.dead_letters.count() == 2 * records // 10
    assert ledger.horizon("messages", "messages") == CHUNKS


def test_four_processes_share_the_work_and_lose_nothing(ledger_url: str) -> None:
    gate = SPAWN.Barrier(4)
    running = [started(worker, ledger_url, f"worker-{number}", gate) for number in range(4)]
    answers = [received(pipe) for _, pipe in running]
    for process, pipe in running:
        process.join(120)
        pipe.close()
        assert process.exitcode == 0
    for stage in (0, 1):
        claimed = [number for answer in answers for number in answer[stage]]
        assert len(claimed) == len(set(claimed)), "two processes did the same chunk"
    ledger = SqlLedger(ledger_url)
    assert len(work_through(ledger, "last", "validated", list(range(CHUNKS)))) == 0
    assert_all_sealed_once(ledger, [number for answer in answers for number in answer[1]])
    ledger.close()


def test_eight_threads_share_one_ledger(ledger_url: str) -> None:
    ledger = SqlLedger(ledger_url)

    def run(name: int) -> list[int]:
        shuffled = list(range(CHUNKS))
        random.Random(name).shuffle(shuffled)
        work_through(ledger, f"thread-{name}", "validated", shuffled)
        return work_through(ledger, f"thread-{name}", "table", shuffled)

    with ThreadPoolExecutor(8) as pool:
        claimed = [number for done in pool.map(run, range(8)) for number in done]
    assert_all_sealed_once(ledger, claimed)
    ledger.close()


@pytest.mark.parametrize("seed", range(4))
def test_kill_9_in_the_middle_of_an_advance_leaves_a_whole_account(ledger_url: str, seed: int) -> None:
    process, pipe = started(endless, ledger_url)
    told = 0
    for _ in range(random.Random(seed).randint(1, 15)):
        told = received(pipe)
    process.kill()
    process.join(30)
    while pipe.poll():
        try:
            told = pipe.recv()
        except EOFError:
            break
    pipe.close()

    ledger = SqlLedger(ledger_url)
    work = sample_work(sample_chunk(), identity="same")
    with pytest.raises(ChunkBusy):
        ledger.claim(work, owner="next", lease=LEASE)
    again = ledger.claim(work, owner="victim", lease=LEASE)
    stands = again.position.ordinal
    assert stands in (told, told + STEP), "a step that was told as durable is gone"
    assert again.position.token == str(stands)
    steps = stands // STEP
    expected = Counts(sent=stands, written=stands - steps, rejected=steps, bytes=stands * 100, requests=steps)
    assert expected == again.counts
    assert [n * STEP for n in range(steps)] == [r.ordinal for r in ledger.rejections(sample_chunk(), "table")]
    step(ledger, again, stands + STEP)
    ledger.seal(again, seconds=1.0)
    ledger.close()


def test_a_forked_child_opens_connections_of_its_own(ledger_url: str) -> None:
    ledger = SqlLedger(ledger_url)
    work_through(ledger, "parent", "validated", [0])
    here, there = multiprocessing.Pipe(duplex=False)
    fork = multiprocessing.get_context("fork")

    def child() -> None:
        there.send(work_through(ledger, "child", "validated", [0, 1, 2]))

    process = fork.Process(target=child, daemon=True)
    process.start()
    assert received(here) == [1, 2]
    process.join(30)
    assert work_through(ledger, "parent", "validated", [0, 1, 2, 3]) == [3]
    for pipe in (here, there):
        pipe.close()
    ledger.close()
