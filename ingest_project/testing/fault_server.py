"""An HTTP server that misbehaves on demand: in front of a real one, over memory, or over nothing.

``python -m ingest_project.testing.fault_server`` runs one in its own process (fault_command). What becomes of
a request is decided in fault_engine.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from ingest_project.testing import fault_answers as answers
from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_engine import DIALECTS, Engine, Outcome
from ingest_project.testing.fault_messages import Call, json_reply
from ingest_project.testing.fault_quotas import Meter, RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import Script
from ingest_project.testing.fault_services import Memory
from ingest_project.testing.fault_standing import Standing
from ingest_project.testing.fault_upstream import Upstream

WELL_BEHAVED = scripts.in_order()
STATS = "/_faults/stats"


class FaultServer:
    """Serves on a free loopback port while entered; ``url`` is its address.

    Args:
        keys: DynamoDB tables with their key attributes, kept in memory.
        indices: OpenSearch indices, kept in memory.
        script: Which write request meets which fault.
        credentials: (access key, secret key); with them every call must be signed.
        clock: The server's wall clock; an offset of more than five minutes makes signatures invalid.
        null: Take everything and keep nothing (no parsing; for measurements).
        delay: Seconds that every write takes.
        quota: Write units a second; what does not fit is refused item by item, as the service does.
        request_quota: Write requests a second; 429 with Retry-After beyond it.
        timer: What the meter's seconds are counted with.
        upstream: URL of a real service, in place of the memory: everything passes through but what a fault
            changes.
        service: One of DIALECTS. Without it each request shows whether it is DynamoDB's or S3's; any other
            is OpenSearch's. Anything else behind the server has to be called ``http``.
        counts: Which requests are write requests, instead of those that the service's protocol says.

    Attributes:
        tables: What the memory has of DynamoDB.
        indices: What it has of OpenSearch.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, tuple[str, ...]] | None = None,
        indices: tuple[str, ...] = (),
        script: Script = WELL_BEHAVED,
        credentials: tuple[str, str] | None = None,
        clock: Callable[[], float] | None = None,
        null: bool = False,
        delay: float = 0.0,
        quota: WriteQuota | None = None,
        request_quota: RequestQuota | None = None,
        timer: Callable[[], float] = time.monotonic,
        upstream: str = "",
        service: str = "",
        counts: Callable[[Call], bool] | None = None,
    ) -> None:
        memory = Memory(keys or {}, indices, null=null)
        self.tables, self.indices, self.url = memory.tables, memory.indices, ""
        self._backend: Memory | Upstream = Upstream(upstream) if upstream else memory
        self._engine = Engine(
            self._backend,
            script=script,
            credentials=credentials,
            clock=clock,
            delay=delay,
            quota=quota,
            request_quota=request_quota,
            timer=timer,
            dialect=DIALECTS[service] if service else None,
            counts=counts,
        )
        self._runner: web.AppRunner | None = None
        self._under_way: set[asyncio.Task[Outcome]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def requests(self) -> int:
        """Write requests seen so far."""
        return self._engine.requests

    @property
    def met(self) -> Counter[str]:
        """Faults met so far, by kind."""
        return self._engine.met

    @property
    def standing(self) -> Standing:
        """What is gone, blocked or expired now."""
        return self._engine.standing

    @property
    def meter(self) -> Meter:
        """What was asked and taken each second; also ``GET /_faults/stats``."""
        return self._engine.meter

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen on loopback, or on another address of a network that is nobody else's."""
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # An answer that nobody waits for any more ends; the write behind it does not.
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, auto_decompress=False, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0][1]
        self.url = f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._backend.aclose()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.method, request.raw_path, tuple(request.headers.items()), await request.read())
        if urlsplit(call.target).path == STATS:
            return await answers.send(request, json_reply(200, self._engine.record()))
        task = asyncio.create_task(self._engine.answer(call))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await answers.give(request, await asyncio.shield(task))


if __name__ == "__main__":
    from ingest_project.testing.fault_command import main

    main()
