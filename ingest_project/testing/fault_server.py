"""An HTTP server that misbehaves on demand: in front of a real one, over memory, or over nothing.

``python -m ingest_project.testing.fault_server`` runs one in its own process (fault_command).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_dialects import Dialect, Write
from ingest_project.testing.fault_dynamodb import DynamoDB, operation_of
from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.fault_opensearch import OpenSearch
from ingest_project.testing.fault_quotas import Meter, RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import Fault, Script
from ingest_project.testing.fault_services import Memory
from ingest_project.testing.fault_signatures import signature_fault

WELL_BEHAVED = scripts.in_order()
STATS = "/_faults/stats"


class FaultServer:
    """Serves on a free loopback port while entered; ``url`` is its address.

    Args:
        keys: DynamoDB tables with their key attributes.
        indices: OpenSearch indices.
        script: Which write request meets which fault.
        credentials: (access key, secret key); with them every call must be signed.
        clock: The server's wall clock; an offset of more than five minutes makes signatures invalid.
        null: Take everything and keep nothing (no parsing; for measurements).
        delay: Seconds that every write takes.
        quota: Write units a second; what does not fit is refused item by item, as the service does.
        request_quota: Write requests a second; 429 with Retry-After beyond it.
        timer: What the meter's seconds are counted with.

    Attributes:
        requests: Write requests seen so far.
        meter: What was asked and taken each second; also ``GET /_faults/stats``.
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
        quota: WriteQuota | None = None,
        request_quota: RequestQuota | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backend = Memory(keys or {}, indices, null=null)
        self.tables, self.indices = self._backend.tables, self._backend.indices
        self.script = script
        self.requests = 0
        self.meter = Meter(timer)
        self.url = ""
        self._credentials = credentials
        self._clock = clock
        self._delay = delay
        self._quota, self._request_quota = quota, request_quota
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1."""
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._backend.aclose()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.method, request.raw_path, tuple(request.headers.items()), await request.read())
        if urlsplit(call.target).path == STATS:
            record = {"requests": self.requests, "seconds": self.meter.record()}
            return await self._answer(request, json_reply(200, record))
        dialect: Dialect = DynamoDB() if operation_of(call) else OpenSearch()
        if self._credentials is not None and isinstance(dialect, DynamoDB):
            url = f"http://{call.header('Host')}{call.target}"
            fault = signature_fault(url, request.headers, call.body, self._credentials, self._clock())
            if fault is not None:
                return await self._answer(request, dialect.error(fault))
        if not dialect.writes(call):
            return await self._answer(request, await self._backend.answer(call))
        fault = self.script(self.requests)
        self.requests += 1
        with self.meter.request():
            if self._delay:
                await asyncio.sleep(self._delay)
            return await self._write(request, call, dialect, fault)

    async def _write(
        self, request: web.Request, call: Call, dialect: Dialect, fault: Fault | None
    ) -> web.StreamResponse:
        kind = fault.kind if fault is not None else ""
        wait = self._request_quota.take() if self._request_quota is not None else 0.0
        if wait:
            self.meter.refusal()
            busy = scripts.error("too_many_requests", status=429, retry_after=str(math.ceil(wait)))
            return await self._answer(request, _refusal(dialect, busy))
        if fault is not None and kind == scripts.ERROR and not fault.after:
            return await self._answer(request, _refusal(dialect, fault))
        if kind == scripts.RESET_BEFORE:
            return _broken(request)
        reply = await self._taken(call, dialect, fault)
        if kind == scripts.RESET_AFTER:
            return _broken(request)
        if fault is not None and kind == scripts.ERROR:
            reply = _refusal(dialect, fault)
        if fault is not None and kind == scripts.SLOW:
            await asyncio.sleep(fault.seconds)
        if kind == scripts.DAMAGED:
            reply = reply.having({"x-amz-crc32": "1"})
        return await self._answer(request, reply, whole=kind != scripts.CUT)

    async def _taken(self, call: Call, dialect: Dialect, fault: Fault | None) -> Reply:
        """The write without what the fault and the quota keep out, and the answer to all of it."""
        named = fault is not None and fault.kind == scripts.ITEMS
        write = dialect.take_apart(call) if named or self._quota is not None else None
        if write is None:
            return await self._backend.answer(call)
        out = _named(write, fault) if fault is not None and named else {}
        refused = self._over(write, out)
        if refused and len(refused) == len(write.entries) and isinstance(dialect, DynamoDB):
            self.meter.refusal()
            return dialect.error(dialect.throttle())
        out |= dict.fromkeys(refused, dialect.throttle())
        if not out:
            return await self._backend.answer(call)
        rest = write.without(out)
        return write.merged(await self._backend.answer(rest) if rest is not None else None, out)

    def _over(self, write: Write, out: Mapping[int, Fault]) -> list[int]:
        """Places that the quota has no room for."""
        if self._quota is None:
            return []
        places = [place for place in range(len(write.entries)) if place not in out]
        units = [self._quota.units(write.entries[place].size) for place in places]
        refused = self._quota.take(units)
        lost = sum(units[one] for one in refused)
        self.meter.units(sum(units) - lost, lost)
        return [places[one] for one in refused]

    async def _answer(self, request: web.Request, reply: Reply, *, whole: bool = True) -> web.StreamResponse:
        headers = dict(reply.having({"Date": formatdate(self._clock(), usegmt=True)}).headers)
        if whole:
            return web.Response(status=reply.status, body=reply.body, headers=headers)
        response = web.StreamResponse(status=reply.status, headers=headers)
        response.content_length = len(reply.body)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response


def _named(write: Write, fault: Fault) -> dict[int, Fault]:
    """The items that a fault concerns."""
    entries = write.entries
    places = {place for place in fault.indices if place < len(entries)}
    if fault.target:
        places |= {place for place, entry in enumerate(entries) if entry.target == fault.target}
    return dict.fromkeys(places, fault)


def _refusal(dialect: Dialect, fault: Fault) -> Reply:
    reply = dialect.error(fault)
    if fault.body is not None:
        kind = "text/html" if fault.body else "text/plain"
        reply = Reply(fault.status, fault.body, (("Content-Type", kind),))
    return reply.having({"Retry-After": fault.retry_after}) if fault.retry_after else reply


def _broken(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


if __name__ == "__main__":
    from ingest_project.testing.fault_command import main

    main()
