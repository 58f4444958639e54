"""An HTTP server that misbehaves on demand: enough of BatchWriteItem and _bulk, over memory or over nothing.

``python -m ingest_project.testing.fault_server`` runs one in its own process (the null sink of benchmarks).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web

from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_scripts import Fault, Script
from ingest_project.testing.fault_services import DynamoDBTables, OpenSearchIndices, Reply
from ingest_project.testing.fault_signatures import signature_fault

WELL_BEHAVED = scripts.in_order()


class FaultServer:
    """Serves on a free loopback port while entered; ``url`` is its address.

    Args:
        keys: DynamoDB tables with their key attributes.
        indices: OpenSearch indices.
        script: Which write request meets which fault.
        credentials: (access key, secret key); with them every DynamoDB call must be signed.
        clock: The server's wall clock; an offset of more than five minutes makes signatures invalid.
        null: Take everything and keep nothing (no parsing; for measurements).

    Attributes:
        requests: Write requests seen so far.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, tuple[str, ...]] | None = None,
        indices: tuple[str, ...] = (),
        script: Script = WELL_BEHAVED,
        credentials: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        null: bool = False,
        delay: float = 0.0,
    ) -> None:
        self.tables = DynamoDBTables(keys or {}, null=null)
        self.indices = OpenSearchIndices(indices, null=null)
        self.script = script
        self.requests = 0
        self.url = ""
        self._credentials = credentials
        self._clock = clock
        self._delay = delay
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1."""
        app = web.Application(client_max_size=128 * 1024 * 1024)
        app.router.add_post("/", self._dynamodb)
        app.router.add_route("*", "/{index}", self._opensearch)
        app.router.add_route("*", "/{index}/{verb}", self._opensearch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _dynamodb(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if self._credentials is not None:
            url = f"http://{request.headers['Host']}{request.path}"
            fault = signature_fault(url, request.headers, body, self._credentials, self._clock())
            if fault is not None:
                return await self._answer(request, self.tables.error(fault))
        if operation != "BatchWriteItem":
            return await self._answer(request, self.tables.call(operation, body))
        return await self._write(request, body, self.tables.error, self.tables.write)

    async def _opensearch(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        index, verb = request.match_info["index"], request.match_info.get("verb", "")
        if index == "_bulk":
            index, verb = "", index
        if verb != "_bulk":
            return await self._answer(request, self.indices.call(request.method, index, verb, body))

        def write(fault: Fault | None, body: bytes) -> Reply:
            return self.indices.write(index, fault, body)

        return await self._write(request, body, self.indices.error, write)

    async def _write(
        self,
        request: web.Request,
        body: bytes,
        error: Callable[[Fault], Reply],
        write: Callable[[Fault | None, bytes], Reply],
    ) -> web.StreamResponse:
        fault = self.script(self.requests)
        self.requests += 1
        kind = fault.kind if fault is not None else ""
        if self._delay:
            await asyncio.sleep(self._delay)
        if fault is not None and kind == scripts.ERROR:
            return await self._answer(request, error(fault))
        if kind == scripts.RESET_BEFORE:
            return _broken(request)
        reply = write(fault if kind == scripts.ITEMS else None, body)
        if kind == scripts.RESET_AFTER:
            return _broken(request)
        if fault is not None and kind == scripts.SLOW:
            await asyncio.sleep(fault.seconds)
        if kind == scripts.DAMAGED:
            reply = Reply(reply.status, reply.body, reply.headers | {"x-amz-crc32": "1"})
        return await self._answer(request, reply, whole=kind != scripts.CUT)

    async def _answer(self, request: web.Request, reply: Reply, *, whole: bool = True) -> web.StreamResponse:
        headers = reply.headers | {"Date": formatdate(self._clock(), usegmt=True)}
        if whole:
            return web.Response(status=reply.status, body=reply.body, headers=headers)
        response = web.StreamResponse(status=reply.status, headers=headers)
        response.content_length = len(reply.body)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


def _broken(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _serve(arguments: argparse.Namespace) -> None:
    tables: dict[str, tuple[str, ...]] = {arguments.table: ("id",)}
    server = FaultServer(
        keys=tables, indices=(arguments.index,), null=not arguments.keep, delay=arguments.delay
    )
    await server.start(arguments.port)
    sys.stdout.write(json.dumps({"url": server.url}) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop()


def _fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def main(argv: list[str] | None = None) -> None:
    """Serve until standard input ends; the first line of output is ``{"url": ...}``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--table", default="null")
    parser.add_argument("--index", default="null")
    parser.add_argument("--keep", action="store_true", help="keep what is written in memory")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every write takes")
    arguments: Any = parser.parse_args(argv)
    with asyncio.Runner(loop_factory=_fast_loop) as runner:
        runner.run(_serve(arguments))


if __name__ == "__main__":
    main()
