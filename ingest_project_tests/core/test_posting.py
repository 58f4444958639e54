"""Poster: every body of every caller has its outcome, whatever the sink makes of the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, Refusal, WriteReport
from ingest_project.core.posting import NotTaken, Poster
from ingest_project.core.retrying import RetryPolicy


class Fickle:
    """A sink that takes a body at the try that the body says; ``bad`` ones never."""

    limits = BatchLimits(count=3, bytes=100)

    def __init__(self) -> None:
        self.tries: dict[bytes, int] = {}
        self.requests = 0
        self.inside = self.most = 0

    async def identity(self) -> str:
        return "fickle"

    async def flush(self) -> None: ...

    async def write(self, batch: Batch) -> WriteReport:
        self.requests += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0)
        self.inside -= 1
        if b"down" in batch.bodies:
            raise TransientFailure("out of order")
        if b"never" in batch.bodies:
            raise PermanentFailure("no index")
        refusals = [Refusal(index=n, reason="bad") for n, one in enumerate(batch.bodies) if one == b"bad"]
        retry = [n for n, one in enumerate(batch.bodies) if one != b"bad" and self._later(one)]
        written = len(batch) - len(refusals) - len(retry)
        return WriteReport(written=written, refusals=refusals, retry=retry, throttled=bool(retry))

    def _later(self, body: bytes) -> bool:
        self.tries[body] = self.tries.get(body, 0) + 1
        return body.isdigit() and self.tries[body] < int(body)


def poster(sink: Fickle, *, most: int = 4) -> Poster:
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)

    ticks = iter(range(10**9))
    return Poster(
        sink,
        retry=RetryPolicy(base=0, attempts=4),
        governor=RateGovernor(lambda: next(ticks), most=most),
        clock=lambda: 0.0,
        sleep=sleep,
        rng=Random(1),
    )


async def test_what_is_refused_is_named_by_its_place_and_the_rest_is_sent_until_it_is_taken() -> None:
    sink = Fickle()
    bodies = [b"a", b"bad", b"3", b"b", b"2", b"bad", b"c"]
    assert {1: "bad", 5: "bad"} == await poster(sink).post(bodies)
    assert {b"a": 1, b"3": 3, b"b": 1, b"2": 2, b"c": 1} == sink.tries


async def test_nothing_to_post_is_no_request() -> None:
    sink = Fickle()
    assert {} == await poster(sink).post([])
    assert sink.requests == 0


async def test_many_callers_share_one_window() -> None:
    sink = Fickle()
    shared = poster(sink, most=2)
    calls: list[Sequence[bytes]] = [[b"%c" % (97 + n)] * 7 for n in range(8)]
    assert [{}] * 8 == await asyncio.gather(*map(shared.post, calls))
    assert (24, 2) == (sink.requests, sink.most)


@pytest.mark.parametrize("body", [b"9", b"down"])
async def test_it_gives_up_and_says_that_nobody_need_try_at_once(body: bytes) -> None:
    sink = Fickle()
    with pytest.raises(NotTaken, match="gave up after 4 attempts"):
        await poster(sink).post([body])
    assert sink.requests == 4


async def test_what_is_of_no_use_for_any_body_is_raised_and_its_place_is_free_again() -> None:
    sink = Fickle()
    shared = poster(sink, most=1)
    with pytest.raises(PermanentFailure, match="no index"):
        await shared.post([b"never"])
    assert {} == await shared.post([b"a"])
