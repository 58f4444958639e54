"""The limit: requests whose bodies were built beforehand, signed where that is needed, and sent.

Nothing is read of an answer but its status and its length.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from benchmarks.encoding import admitted
from benchmarks.frame import Done, Work
from benchmarks.our_way import KEYS, signer
from benchmarks.samples import first_lines
from ingest_project.formats.bulk import bulk_encoder
from ingest_project.sinks.signing import Shape
from ingest_project.wire.http import run

Head = Callable[[bytes], bytes]
"""Body -> everything that stands before it."""


class Bare(asyncio.Protocol):
    """One connection: the next request as soon as the answer to the last one is complete."""

    def __init__(self, bodies: Iterator[bytes], head: Head) -> None:
        self._bodies, self._head = bodies, head
        self._heard = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionResetError("the service hung up"))

    def data_received(self, data: bytes) -> None:
        heard = self._heard + data if self._heard else data
        end = heard.find(b"\r\n\r\n")
        at = heard.find(b"Content-Length: ")
        if end < 0 or len(heard) < end + 4 + int(heard[at + 16 : heard.find(b"\r\n", at)]):
            self._heard = heard
            return
        assert heard.startswith(b"HTTP/1.1 200 ")
        self._heard = b""
        self._next()

    def _next(self) -> None:
        body = next(self._bodies, None)
        if body is None:
            self.ended.set_result(None)
            self._transport.close()
        else:
            self._transport.write(self._head(body) + body)


def dynamodb_head(url: str) -> Head:
    """Signed by the project's own signer."""
    shape = Shape(
        method="POST",
        url=f"{url}/",
        headers=(
            ("Content-Type", "application/x-amz-json-1.0"),
            ("X-Amz-Target", "DynamoDB_20120810.BatchWriteItem"),
        ),
    )
    sign = signer().sign

    def head(body: bytes) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in sign(shape, body).items())
        return f"POST / HTTP/1.1\r\nHost: {shape.host}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode()

    return head


def opensearch_head(url: str) -> Head:
    opening = (
        "POST /null/_bulk?filter_path=errors,items.*.status HTTP/1.1\r\n"
        f"Host: {urlsplit(url).netloc}\r\nContent-Type: application/x-ndjson\r\n"
    ).encode()
    return lambda body: b"%bContent-Length: %d\r\n\r\n" % (opening, len(body))


HEADS: dict[str, Callable[[str], Head]] = {"table": dynamodb_head, "index": opensearch_head}


def built(path: Path, items: int, stage: str) -> list[bytes]:
    """Request bodies of a file's first records."""
    lines = admitted([line.rstrip(b"\n") for line in first_lines(path, items)])
    if stage == "index":
        bodies = bulk_encoder(KEYS)(lines)[0]
        return [b"".join(bodies[first : first + 1000]) for first in range(0, len(bodies), 1000)]
    return [
        b'{"RequestItems":{"null":[{"PutRequest":%b}]}}' % b'},{"PutRequest":'.join(lines[first : first + 25])
        for first in range(0, len(lines), 25)
    ]


def limit(url: str, path: Path, items: int, stage: str, connections: int, repeat: int = 1) -> Work:
    bodies = built(path, items, stage) * repeat

    async def main() -> None:
        loop, place = asyncio.get_running_loop(), urlsplit(url)
        waiting, head = iter(bodies), HEADS[stage](url)
        made = [
            await loop.create_connection(lambda: Bare(waiting, head), place.hostname or "", place.port or 0)
            for _ in range(connections)
        ]
        await asyncio.gather(*(protocol.ended for _, protocol in made))

    def work() -> Done:
        run(main)
        return Done(units=items * repeat)

    return work
