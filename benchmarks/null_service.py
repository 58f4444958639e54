"""A service that takes every write, keeps nothing and answers as DynamoDB or OpenSearch, after a pause.

``python -m benchmarks.null_service [--delay SECONDS]`` serves on 127.0.0.1 until standard input ends. It
reads no more of a request than it has to, so that a client is measured and not its server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import cast

from isal import igzip_lib

from ingest_project.wire.http import run


def described(key: str) -> bytes:
    """Answer to DescribeTable: a table with this key, as ``id`` or ``order,line:N``: texts, or numbers."""
    parts = [part.partition(":") for part in key.split(",")]
    names = [name for name, _, _ in parts]
    table = {
        "TableStatus": "ACTIVE",
        "TableId": "00000000-0000-0000-0000-000000000000",
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for name, role in zip(names, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind or "S"} for name, _, kind in parts
        ],
    }
    return json.dumps({"Table": table}).encode()


TAKEN = b'{"UnprocessedItems":{}}'
NOTHING = b'{"Items":[],"Count":0,"ScannedCount":0}'

BRIEF = b'{"index":{"status":201}}'
"""A document's outcome when the request asks for status and error only; in full it is the next one."""
FULL = (
    b'{"index":{"_index":"null","_id":"message-000000000000","_version":1,"result":"created",'
    b'"_shards":{"total":2,"successful":1,"failed":0},"_seq_no":1000,"_primary_term":1,"status":201}}'
)


class NullService(asyncio.Protocol):
    """One connection; requests without ``Content-Length`` have no body.

    Attributes:
        received: Bytes on all connections.
    """

    received = 0

    def __init__(self, delay: float, tables: Mapping[str, bytes]) -> None:
        self._delay, self._tables = delay, tables
        self._blocks: list[bytes] = []
        self._size = self._wanted = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        NullService.received += len(data)
        self._blocks.append(data)
        self._size += len(data)
        if self._size >= self._wanted:
            self._look(b"".join(self._blocks))

    def _look(self, heard: bytes) -> None:
        """Answer what is complete; keep the rest."""
        while heard:
            end = heard.find(b"\r\n\r\n") + 4
            self._wanted = end + _length(heard[:end]) if end > 3 else len(heard) + 1
            if len(heard) < self._wanted:
                break
            self._reply(heard[:end], heard[end : self._wanted])
            heard = heard[self._wanted :]
            self._wanted = 0
        self._blocks, self._size = [heard] if heard else [], len(heard)

    def _reply(self, head: bytes, body: bytes) -> None:
        kind, said, write = answer(head, body, self._tables)
        message = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            kind,
            len(said),
            said,
        )
        if write and self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send, message)
        else:
            self._send(message)

    def _send(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.write(message)


def answer(head: bytes, body: bytes, tables: Mapping[str, bytes]) -> tuple[bytes, bytes, bool]:
    """Content type and body of the answer, and whether the request writes."""
    line = head[: head.find(b"\r\n")]
    if b"_bulk" in line:
        if b"gzip" in head[head.lower().find(b"\r\ncontent-encoding:") :][:32]:
            body = igzip_lib.decompress(body, igzip_lib.DECOMP_GZIP)
        one = BRIEF if b"filter_path" in line else FULL
        items = b",".join([one] * (body.count(b"\n") // 2))
        took = b"" if b"filter_path" in line else b'"took":10,'
        return b"application/json", b'{%b"errors":false,"items":[%b]}' % (took, items), True
    if line.startswith(b"GET /received"):
        return b"application/json", b"%d" % NullService.received, False
    if b".DescribeTable" in head:
        table = json.loads(body).get("TableName", "")
        return b"application/x-amz-json-1.0", tables.get(table, tables[""]), False
    if b".Query" in head:
        return b"application/x-amz-json-1.0", NOTHING, False
    return b"application/x-amz-json-1.0", TAKEN, b".BatchWriteItem" in head or b".PutItem" in head


def _length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 : head.find(b"\r\n", at + 2)]) if at >= 0 else 0


async def serve(delay: float, key: str, tables: Sequence[str], address: str) -> None:
    named = dict(one.split("=", 1) for one in tables)
    known = {name: described(of) for name, of in {"": key, **named}.items()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: NullService(delay, known), address, 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that a write takes")
    parser.add_argument("--key", default="id", help="attributes of the tables' key")
    parser.add_argument("--table", action="append", default=[], help="NAME=KEY: a table with another key")
    parser.add_argument("--host", default="127.0.0.1", help="address; only of a network of your own")
    arguments = parser.parse_args()
    run(lambda: serve(arguments.delay, arguments.key, arguments.table, arguments.host))


if __name__ == "__main__":
    main()
