"""The guarded client and the real Tika: text comes back, refusals are the document's, deaths are survived."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.breaking import CLOSED, OPEN, BreakerStatus, CircuitBreaker
from ingest_project.core.errors import HarmfulRequest
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.running import RunningServer, Servers
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint

pytestmark = pytest.mark.servers

PLAIN = {"Accept": "text/plain"}
DOCUMENTS = 64


def page(number: int) -> bytes:
    return b"<html><body><p>document %d</p></body></html>" % number


def client_of(endpoint: Endpoint, breaker: CircuitBreaker) -> GuardedClient:
    return GuardedClient(
        endpoint,
        retry=RetryPolicy(base=0.1, cap=1.0, attempts=60),
        breaker=breaker,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(1),
        limits=CallLimits(at_once=8, deadline=150.0),
        health="/version",
    )


def breaker_with(watch: list[BreakerStatus]) -> CircuitBreaker:
    return CircuitBreaker(time.monotonic, threshold=5, cooldown=0.2, longest=1.0, watch=watch.append)


async def test_text_comes_back_from_bytes_and_from_a_file(tika: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"one line of a long text\n" * 200_000)
    async with client_of(Endpoint(tika.url), breaker_with([])) as client:
        short = await client.call("PUT", "/tika", PLAIN, page(1))
        long = await client.call("PUT", "/tika", PLAIN | {"Content-Type": "text/plain"}, path)
    assert (200, b"document 1") == (short.status, short.body.strip())
    assert (200, path.read_bytes().strip()) == (long.status, long.body.strip())


async def test_a_document_that_tika_refuses_is_an_answer_and_no_outage(tika: RunningServer) -> None:
    async with client_of(Endpoint(tika.url), breaker_with([])) as client:
        answers = [await client.call("PUT", "/tika", PLAIN, b"%PDF-1.4 and no more") for _ in range(10)]
    assert {422} == {answer.status for answer in answers}
    assert (client.status.tries, client.status.breaker.failures) == (10, 0)


async def test_nothing_is_lost_when_tika_is_killed_and_started_again_in_mid_work(
    start_server: Servers,
) -> None:
    server = start_server("tika", id="mortal")
    told: list[BreakerStatus] = []
    endpoint = Endpoint(server.url)
    done = 0

    async def extract(client: GuardedClient, number: int) -> bytes:
        nonlocal done
        answer = await client.call("PUT", "/tika", PLAIN, page(number))
        done += 1
        if done == DOCUMENTS // 4:
            os.kill(server.mark.pid, signal.SIGKILL)
        return answer.body.strip()

    async def start_again() -> None:
        while OPEN not in {one.state for one in told}:
            await asyncio.sleep(0.01)
        # Another port: the client finds it where the endpoint says.
        endpoint.url = (await asyncio.to_thread(start_server, "tika", id="mortal")).url

    async with client_of(endpoint, breaker_with(told)) as client:
        calls = (extract(client, number) for number in range(DOCUMENTS))
        *texts, _ = await asyncio.gather(*calls, start_again())
    assert [b"document %d" % number for number in range(DOCUMENTS)] == texts
    status = client.status
    assert (status.breaker.state, status.given_up, status.harmful) == (CLOSED, 0, 0)
    assert status.breaker.openings >= 1


async def test_a_document_that_breaks_the_parser_is_told_from_its_neighbours(start_server: Servers) -> None:
    """300 MB of text in a file of 1.6 MB: more than the server's memory holds."""
    bomb = gzip.compress(b"word " * 60_000_000, 1)
    server = start_server("tika", id="mortal")
    async with client_of(Endpoint(server.url), breaker_with([])) as client:
        outcomes = await asyncio.gather(
            client.call("PUT", "/rmeta/text", {"Content-Type": "application/gzip"}, bomb),
            *(client.call("PUT", "/tika", PLAIN, page(number)) for number in range(DOCUMENTS)),
            return_exceptions=True,
        )
    assert isinstance(outcomes[0], HarmfulRequest)
    assert all(not isinstance(outcome, BaseException) for outcome in outcomes[1:])
    assert (client.status.harmful, client.status.given_up) == (1, 0)
