"""Transfers: bounded, off the event loop, made again while a store does not answer, and no oftener."""

from __future__ import annotations

import asyncio
import threading
from random import Random

import pytest

from ingest_project.core.errors import TargetMissing, Throttled, TransientFailure
from ingest_project.core.retrying import RetryPolicy
from ingest_project.resources.documents.transfers import Transfers, together


class Store:
    """Fails as told, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = iter(errors)
        self.calls = 0

    def call(self) -> str:
        self.calls += 1
        if (error := next(self._errors, None)) is not None:
            raise error
        return "answer"


async def tried(store: Store) -> tuple[str, list[float]]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    policy = RetryPolicy(base=1.0, factor=2.0, attempts=3)
    async with Transfers(at_once=2, retry=policy, sleep=sleep, rng=Random(1)) as transfers:
        return await transfers.make(store.call), slept


async def test_a_store_that_does_not_answer_is_called_again_and_its_advice_is_the_least_wait() -> None:
    store = Store(TransientFailure("busy"), Throttled("slow down", retry_after=7.0))
    answer, slept = await tried(store)
    assert ("answer", 3, 7.0) == (answer, store.calls, slept[1])
    assert 0 <= slept[0] <= 1.0


async def test_tries_are_finite_and_other_errors_are_not_tried_again() -> None:
    store = Store(*[TransientFailure(f"failure {number}") for number in range(5)])
    with pytest.raises(TransientFailure, match="failure 2"):
        await tried(store)
    missing = Store(TargetMissing("no bucket"))
    with pytest.raises(TargetMissing):
        await tried(missing)
    assert (3, 1) == (store.calls, missing.calls)


async def test_no_more_calls_are_under_way_than_allowed_and_none_on_the_loop() -> None:
    most, inside, lock = 0, 0, threading.Lock()
    full, main = threading.Barrier(3), threading.get_ident()
    threads = set()

    def call() -> None:
        nonlocal most, inside
        with lock:
            inside += 1
            most = max(most, inside)
            threads.add(threading.get_ident())
        full.wait(30)
        with lock:
            inside -= 1

    async with Transfers(at_once=3) as transfers:
        await asyncio.gather(*(transfers.make(call) for _ in range(9)))
    assert 3 == most
    assert main not in threads


async def test_when_one_of_several_raises_the_others_are_ended_before_it_is_told() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async def stop() -> None:
        raise TargetMissing("no bucket")

    with pytest.raises(TargetMissing):
        await together([wait(), stop(), wait()])
    assert ["ended", "ended"] == ended


async def test_closed_transfers_open_again_when_they_are_asked() -> None:
    store, transfers = Store(), Transfers()
    await transfers.make(store.call)
    await transfers.aclose()
    assert "answer" == await transfers.make(store.call)
    await transfers.aclose()
