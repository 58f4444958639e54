"""One call after another to a service with moods: what is tried again, how often, and who is to blame."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from ingest_project.core.breaking import CLOSED, OPEN, CircuitBreaker
from ingest_project.core.errors import (
    AnswerTooLarge,
    CircuitOpen,
    HarmfulRequest,
    PermanentFailure,
    TransientFailure,
)
from ingest_project.testing.doubles import FakeClock
from ingest_project.wire.guarded import CallLimits
from ingest_project.wire.http import Endpoint
from ingest_project_tests.wire.moody import BREAK, STALL, Mood, Moody, Naps, client_of, repeated


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def naps(clock: FakeClock) -> Naps:
    return Naps(clock)


@pytest.mark.parametrize("mood", [408, 429, 500, 502, 503, 504, BREAK])
async def test_what_may_pass_is_tried_again_until_it_has_passed(
    mood: Mood, clock: FakeClock, naps: Naps
) -> None:
    moody = Moody(mood, mood)
    async with moody.serve() as url, client_of(url, clock, naps) as client:
        answer = await client.call("PUT", "/a?b=c", body=b"document")
    assert (200, b"document") == (answer.status, answer.body)
    assert [("PUT", "/a?b=c", 8)] * 3 == moody.seen
    assert (client.status.calls, client.status.tries, client.status.failures) == (1, 3, 2)


async def test_an_answer_that_does_not_come_in_time_is_tried_again(clock: FakeClock, naps: Naps) -> None:
    moody = Moody(STALL)
    async with moody.serve() as url, client_of(url, clock, naps, timeout=0.1) as client:
        assert (await client.call("GET", "/")).status == 200
    assert client.status.tries == 2


@pytest.mark.parametrize("status", [301, 304, 400, 404, 409, 413, 415, 422, 501])
async def test_any_other_answer_is_for_the_caller_and_not_held_against_the_service(
    status: int, clock: FakeClock, naps: Naps
) -> None:
    breaker = CircuitBreaker(clock, threshold=1)
    moody = Moody(*repeated(status, 3))
    async with moody.serve() as url, client_of(url, clock, naps, breaker=breaker) as client:
        assert [status] * 3 == [(await client.call("PUT", "/")).status for _ in range(3)]
    assert (breaker.state, len(moody.seen), naps.taken) == (CLOSED, 3, [])


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credentials_are_permanent(status: int, clock: FakeClock, naps: Naps) -> None:
    moody = Moody(status)
    async with moody.serve() as url, client_of(url, clock, naps) as client:
        with pytest.raises(PermanentFailure, match=f"GET .*/: HTTP {status}: said so"):
            await client.call("GET", "/?key=secret")
    assert len(moody.seen) == 1


async def test_no_secret_of_a_query_is_told(clock: FakeClock, naps: Naps) -> None:
    async with Moody(403).serve() as url, client_of(url, clock, naps) as client:
        with pytest.raises(PermanentFailure) as caught:
            await client.call("GET", "/pages?key=secret")
    assert "secret" not in str(caught.value)


async def test_tries_are_finite_and_the_error_says_how_many(clock: FakeClock, naps: Naps) -> None:
    moody = Moody(*repeated(503, 99))
    async with moody.serve() as url, client_of(url, clock, naps, attempts=4) as client:
        with pytest.raises(TransientFailure, match=r"gave up after 4 tries .*HTTP 503: said so"):
            await client.call("GET", "/")
    assert (len(moody.seen), client.status.given_up) == (4, 1)


async def test_waits_are_jittered_below_a_growing_ceiling(clock: FakeClock, naps: Naps) -> None:
    async with Moody(*repeated(503, 99)).serve() as url, client_of(url, clock, naps) as client:
        with pytest.raises(TransientFailure):
            await client.call("GET", "/")
    assert all(0 <= nap <= ceiling for nap, ceiling in zip(naps.taken, [1, 2, 4, 8, 8, 8, 8], strict=True))
    assert len(set(naps.taken)) == 7


async def test_the_servers_advice_is_the_least_wait_for_every_call(clock: FakeClock, naps: Naps) -> None:
    started = clock()
    moody = Moody((429, {"Retry-After": "30"}))
    async with moody.serve() as url, client_of(url, clock, naps) as client:
        await client.call("GET", "/one")
        assert clock() - started >= 30
        moody = Moody((503, {"Retry-After": "40"}))
    async with moody.serve() as url, client_of(url, clock, naps, attempts=1) as client:
        with pytest.raises(TransientFailure) as caught:
            await client.call("GET", "/one")
        assert caught.value.retry_after == 40.0
        moment = clock()
        await client.call("GET", "/another")
        assert clock() - moment == 40.0


async def test_a_call_ends_when_its_time_is_over(clock: FakeClock, naps: Naps) -> None:
    limits = CallLimits(deadline=20.0)
    moody = Moody(503, (503, {"Retry-After": "3600"}))
    async with moody.serve() as url, client_of(url, clock, naps, limits=limits) as client:
        with pytest.raises(TransientFailure, match="gave up after 2 tries") as caught:
            await client.call("GET", "/")
    assert (caught.value.retry_after, len(moody.seen)) == (3600.0, 2)


async def test_a_try_is_cut_off_when_the_calls_time_is_over(clock: FakeClock, naps: Naps) -> None:
    breaker = CircuitBreaker(clock, threshold=1)
    limits = CallLimits(deadline=0.1)
    async with (
        Moody(STALL).serve() as url,
        client_of(url, clock, naps, breaker=breaker, limits=limits) as client,
    ):
        with pytest.raises(TransientFailure, match="no answer in its time"):
            await client.call("GET", "/")
    assert (breaker.state, client.status.given_up) == (CLOSED, 1)


async def test_requests_keep_to_their_rate(clock: FakeClock, naps: Naps) -> None:
    limits = CallLimits(rate=4.0)
    started = clock()
    async with Moody(503).serve() as url, client_of(url, clock, naps, limits=limits) as client:
        for _ in range(8):
            await client.call("GET", "/")
    assert clock() - started >= 8 / 4.0


async def test_a_large_file_is_sent_in_blocks_and_anew_at_each_try(
    clock: FakeClock, naps: Naps, tmp_path: Path
) -> None:
    path = tmp_path / "large.pdf"
    path.write_bytes(b"x" * 5_000_000)
    moody = Moody(503, BREAK, 204)
    async with moody.serve() as url, client_of(url, clock, naps) as client:
        assert (await client.call("PUT", "/", {}, path)).status == 204
    assert [("PUT", "/", 5_000_000)] * 3 == moody.seen


async def test_a_large_files_bytes_are_never_held_at_once(
    clock: FakeClock, naps: Naps, tmp_path: Path
) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(64 << 20)

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while left:
            left -= len(await reader.read(1 << 16))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, client_of(url, clock, naps, timeout=60.0) as client:
        tracemalloc.start()
        assert (await client.call("PUT", "/", {}, path)).status == 200
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 << 20


async def test_a_file_that_cannot_be_read_is_said_and_nothing_is_sent(
    clock: FakeClock, naps: Naps, tmp_path: Path
) -> None:
    moody = Moody()
    async with moody.serve() as url, client_of(url, clock, naps) as client:
        with pytest.raises(PermanentFailure, match=r"nowhere: No such file"):
            await client.call("PUT", "/", {}, tmp_path / "nowhere")
    assert (moody.seen, client.status.breaker.failures) == ([], 0)


async def test_an_answer_beyond_the_limit_is_a_clear_error(clock: FakeClock, naps: Naps) -> None:
    moody = Moody()
    async with moody.serve() as url, client_of(url, clock, naps, most=1000) as client:
        with pytest.raises(AnswerTooLarge, match="larger than 1000 bytes"):
            await client.call("PUT", "/", body=b"x" * 1001)
        assert (await client.call("PUT", "/", body=b"x" * 1000)).status == 200
    assert len(moody.seen) == 2


async def test_a_service_that_is_gone_is_left_alone_and_the_error_says_until_when(
    clock: FakeClock, naps: Naps
) -> None:
    breaker = CircuitBreaker(clock, threshold=3, cooldown=30.0)
    limits = CallLimits(deadline=25.0)
    async with client_of("http://127.0.0.1:9", clock, naps, breaker=breaker, limits=limits) as client:
        with pytest.raises(
            CircuitOpen, match=r"left alone for \d+ s .* 3 failures .*127\.0\.0\.1:9"
        ) as caught:
            await client.call("GET", "/")
        assert breaker.wait() == caught.value.retry_after
        with pytest.raises(CircuitOpen):
            await client.call("GET", "/")
    status = client.status
    assert (status.tries, status.given_up, status.breaker.state) == (3, 2, OPEN)


async def test_a_call_with_enough_time_waits_for_the_probe(clock: FakeClock, naps: Naps) -> None:
    breaker = CircuitBreaker(clock, threshold=2, cooldown=30.0)
    moody = Moody(*repeated(503, 3))
    async with moody.serve() as url, client_of(url, clock, naps, breaker=breaker) as client:
        assert (await client.call("GET", "/")).status == 200
    assert (len(moody.seen), breaker.state, breaker.status.openings) == (4, CLOSED, 1)
    assert sum(naps.taken) >= 30 + 60


async def test_the_probe_is_the_health_check_where_there_is_one(clock: FakeClock, naps: Naps) -> None:
    breaker = CircuitBreaker(clock, threshold=2, cooldown=30.0)
    moody = Moody(*repeated(503, 2), health=503)

    def recover() -> None:
        moody.health = 200 if moody.checks >= 2 else 503

    naps.then = recover
    async with moody.serve() as url, client_of(url, clock, naps, breaker=breaker, health="/health") as client:
        assert (await client.call("GET", "/")).status == 200
    assert (moody.checks, len(moody.seen), breaker.state) == (3, 3, CLOSED)


async def test_a_request_that_breaks_the_service_is_told_from_a_service_that_is_down(
    clock: FakeClock, naps: Naps
) -> None:
    breaker = CircuitBreaker(clock, threshold=5)
    moody = Moody(deadly=b"bomb")
    async with moody.serve() as url, client_of(url, clock, naps, breaker=breaker, health="/health") as client:
        with pytest.raises(HarmfulRequest, match="broke down over this request 5 times, 3 of them well"):
            await client.call("PUT", "/", body=b"bomb")
        assert (await client.call("PUT", "/", body=b"good")).status == 200
    assert (moody.checks, client.status.harmful, breaker.status.openings) == (3, 1, 0)


async def test_without_a_health_check_nobody_is_condemned(clock: FakeClock, naps: Naps) -> None:
    async with Moody(deadly=b"bomb").serve() as url, client_of(url, clock, naps, attempts=5) as client:
        with pytest.raises(TransientFailure, match="gave up after 5 tries"):
            await client.call("PUT", "/", body=b"bomb")


async def test_a_service_that_fails_at_everything_condemns_no_request(clock: FakeClock, naps: Naps) -> None:
    moody = Moody(*repeated(500, 99), health=500)
    async with moody.serve() as url, client_of(url, clock, naps, health="/health") as client:
        with pytest.raises(TransientFailure, match="gave up after 8 tries"):
            await client.call("PUT", "/", body=b"document")
    assert (len(moody.seen), moody.checks, client.status.harmful) == (2, 6, 0)


def test_one_client_serves_several_loops_one_after_the_other(clock: FakeClock, naps: Naps) -> None:
    endpoint = Endpoint("http://127.0.0.1:1")
    client = client_of(endpoint, clock, naps)

    async def main() -> int:
        async with Moody(503).serve() as endpoint.url, client:
            return (await client.call("GET", "/")).status

    assert [200, 200] == [asyncio.run(main()) for _ in range(2)]
