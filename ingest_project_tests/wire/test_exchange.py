"""What servers do to a connection, byte by byte: each way to end an answer, and each way not to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.wire.http import Endpoint, Upload

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    """A server that does with each connection what the test says."""
    open_ones: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in open_ones:
        writer.close()
    await asyncio.sleep(0)


async def heard(reader: asyncio.StreamReader) -> bytes:
    """One request: its head and as many bytes as it announces."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(size)


def answering(*pieces: bytes, close: bool = True) -> Serve:
    """Sends these pieces, each in a packet of its own, to the first request of a connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        if not close:
            await reader.read()

    return serve


@pytest.mark.parametrize(
    "pieces",
    [
        [OK],
        [OK[:1], OK[1:20], OK[20:-1], OK[-1:]],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n", b"1\r\nk\r\n0\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\n\r\no", b"k"],
        [b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
        [b"HTTP/1.1 100 Continue\r\n\r\n" + OK],
        [b"HTTP/1.1 100 Continue\r\n\r\n", OK],
    ],
    ids=["whole", "in pieces", "chunked", "to the end", "1.0", "100 in one", "100 before"],
)
async def test_an_answer_is_complete_however_it_is_framed(pieces: list[bytes]) -> None:
    ends = b"Length" not in b"".join(pieces) and b"chunked" not in b"".join(pieces)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await answering(*pieces)(reader, writer)
            if ends:
                return

    async with served(serve) as url, Endpoint(url) as endpoint:
        for _ in range(3):
            answer = await endpoint.send("POST", "/", {}, b"body")
            assert (200, b"ok") == (answer.status, answer.body)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n"],
)
async def test_an_answer_without_a_body_leaves_the_connection_usable(answer: bytes) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await heard(reader)
            writer.write(answer)

    async with served(serve) as url, Endpoint(url) as endpoint:
        assert [b"", b""] == [(await endpoint.send("GET", "/", {})).body for _ in range(2)]
    assert connections == 1


async def test_the_answer_to_head_has_no_body_whatever_it_announces() -> None:
    head = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nX-A: 1\r\n\r\n", close=False)
    async with served(head) as url, Endpoint(url) as endpoint:
        for _ in range(2):
            answer = await endpoint.send("HEAD", "/", {})
            assert (200, b"", "1") == (answer.status, answer.body, answer.headers["x-a"])


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([], "before an answer came"),
        ([OK[:-1]], "closed after"),
        ([b"HTTP/1.1 200 OK\r\nContent-L"], "closed before an answer|closed after"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"], "closed after"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "not an HTTP answer"),
    ],
    ids=["nothing", "cut", "cut in the head", "cut chunk", "another protocol"],
)
async def test_an_answer_that_is_not_whole_is_no_answer(pieces: list[bytes], reason: str) -> None:
    async with served(answering(*pieces)) as url, Endpoint(url) as endpoint:
        with pytest.raises(TransientFailure, match=reason):
            await endpoint.send("POST", "/", {}, b"body")


async def test_an_answer_that_stalls_ends_with_its_time_and_its_connection() -> None:
    async with served(answering(OK[:-1], close=False)) as url, Endpoint(url, timeout=0.2) as endpoint:
        with pytest.raises(TransientFailure, match=r"no answer within 0\.2 s"):
            await endpoint.send("POST", "/", {}, b"body")


async def test_an_answer_beyond_the_limit_is_refused_while_it_comes() -> None:
    endless = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x" * 2000, close=False)
    async with served(endless) as url, Endpoint(url, most=1000) as endpoint:
        with pytest.raises(PermanentFailure, match="larger than 1000 bytes"):
            await endpoint.send("GET", "/", {})


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(OK)
        await writer.drain()
        writer.close()
        closed.set()

    async with served(serve) as url, Endpoint(url) as endpoint:
        for _ in range(5):
            closed.clear()
            assert (await endpoint.send("POST", "/", {}, b"body")).body == b"ok"
            await closed.wait()
            await asyncio.sleep(0.01)


async def test_words_that_nobody_asked_for_are_never_taken_for_the_next_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await heard(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + request[-2:])
            await asyncio.sleep(0.01)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray")

    async with served(serve) as url, Endpoint(url) as endpoint:
        for number in (b"11", b"22", b"33"):
            assert number == (await endpoint.send("POST", "/", {}, number)).body
            await asyncio.sleep(0.03)


async def test_a_request_that_was_given_up_does_not_leave_its_answer_to_another() -> None:
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await heard(reader)
            asked.set()
            if request.endswith(b"slow"):
                await asyncio.sleep(0.05)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + request[-4:])

    async with served(serve) as url, Endpoint(url, connections=1) as endpoint:
        given_up = asyncio.create_task(endpoint.send("POST", "/", {}, b"slow"))
        await asked.wait()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert (await endpoint.send("POST", "/", {}, b"fast")).body == b"fast"


@pytest.mark.parametrize("place", ["/a\r\nX-Evil: 1", "/a\nb"])
async def test_nobody_smuggles_a_line_into_a_request(place: str) -> None:
    async with served(answering(OK)) as url, Endpoint(url) as endpoint:
        with pytest.raises(ValueError, match="line break"):
            await endpoint.send("GET", place, {})
        with pytest.raises(ValueError, match="line break"):
            await endpoint.send("GET", "/", {"X": place})


async def blocks(count: int, size: int, read: list[int]) -> AsyncIterator[bytes]:
    for number in range(count):
        read.append(number)
        yield bytes([number % 256]) * size


async def test_an_upload_is_read_no_faster_than_the_server_takes_it() -> None:
    read: list[int] = []
    held = asyncio.Event()
    seen: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await held.wait()
        seen.append(len(await reader.readexactly(200 * 65536)))
        writer.write(OK)

    async with served(serve) as url, Endpoint(url) as endpoint:
        body = Upload(size=200 * 65536, blocks=blocks(200, 65536, read))
        sending = asyncio.create_task(endpoint.send("PUT", "/", {}, body))
        before = -1
        while before != len(read):
            before = len(read)
            await asyncio.sleep(0.05)
        assert len(read) < 200
        held.set()
        assert (await sending).body == b"ok"
    assert (200, [200 * 65536]) == (len(read), seen)


async def test_an_upload_stops_when_the_server_has_heard_enough() -> None:
    read: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with served(serve) as url, Endpoint(url) as endpoint:
        answer = await endpoint.send("PUT", "/", {}, Upload(size=2**40, blocks=blocks(2**24, 65536, read)))
    assert answer.status == 413
    assert len(read) < 2**24
