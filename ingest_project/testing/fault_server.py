"""An HTTP server that misbehaves on demand: in front of a real one, over memory, or over nothing.

``python -m ingest_project.testing.fault_server`` runs one in its own process (fault_command).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web

from ingest_project.testing import fault_answers as answers
from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_dialects import SKEWED, Dialect, Write
from ingest_project.testing.fault_dynamodb import DynamoDB, operation_of
from ingest_project.testing.fault_http import S3, PlainHttp
from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.fault_opensearch import OpenSearch
from ingest_project.testing.fault_quotas import Meter, RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import Fault, Script
from ingest_project.testing.fault_services import Memory
from ingest_project.testing.fault_signatures import scope_of, signature_denial
from ingest_project.testing.fault_standing import Standing
from ingest_project.testing.fault_upstream import Upstream

WELL_BEHAVED = scripts.in_order()
STATS = "/_faults/stats"
DIALECTS: Mapping[str, Dialect] = {
    "dynamodb": DynamoDB(),
    "opensearch": OpenSearch(),
    "s3": S3(),
    "http": PlainHttp(),
}


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
        requests: Write requests seen so far.
        met: Faults met so far, by kind.
        standing: What is gone, blocked or expired now.
        meter: What was asked and taken each second; also ``GET /_faults/stats``.
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
        self.tables, self.indices = memory.tables, memory.indices
        self._backend: Memory | Upstream = Upstream(upstream) if upstream else memory
        self.script, self.requests, self.url = script, 0, ""
        self.met, self.standing, self.meter = Counter[str](), Standing(), Meter(timer)
        self._credentials, self._clock, self._delay = credentials, clock, delay
        self._quota, self._request_quota = quota, request_quota
        self._service, self._counts = DIALECTS[service] if service else None, counts
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

    def record(self) -> dict[str, object]:
        """What ``GET /_faults/stats`` says."""
        return {"requests": self.requests, "faults": dict(self.met), "seconds": self.meter.record()}

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        call = Call(request.method, request.raw_path, tuple(request.headers.items()), await request.read())
        if urlsplit(call.target).path == STATS:
            return await answers.send(request, json_reply(200, self.record()))
        dialect = self._service or _spoken(call)
        denied = self._denied(call, dialect)
        if denied is not None:
            return await answers.send(request, self._refusal(dialect, denied))
        if (self._counts or dialect.writes)(call):
            fault = self.script(self.requests)
            self.requests += 1
            with self.meter.request():
                await asyncio.sleep(self._delay)
                return await self._write(request, call, dialect, fault)
        refused = self.standing.refusal(call, dialect)
        if refused is not None:
            return await answers.send(request, self._refusal(dialect, refused))
        return await answers.send(request, self._dated(await self._backend.answer(call)))

    async def _write(
        self, request: web.Request, call: Call, dialect: Dialect, fault: Fault | None
    ) -> web.StreamResponse:
        wait = self._request_quota.take() if self._request_quota is not None else 0.0
        if wait:
            self.meter.refusal()
            busy = scripts.error("too_many_requests", status=429, retry_after=str(math.ceil(wait)))
            return await answers.send(request, self._refusal(dialect, busy))
        if fault is None:
            return await answers.send(request, self._dated(await self._taken(call, dialect, None)))
        self.met[fault.kind] += 1
        self.standing.turn(fault, call)
        if fault.kind == scripts.RESET_BEFORE:
            return answers.broken(request)
        if fault.kind == scripts.ERROR and not fault.after:
            return await answers.send(request, self._refusal(dialect, fault))
        if fault.kind == scripts.SKEWED:
            return await answers.send(request, self._skewed(dialect, fault.seconds))
        reply = self._dated(await self._taken(call, dialect, fault))
        return await self._spoiled(request, reply, dialect, fault)

    async def _spoiled(
        self, request: web.Request, reply: Reply, dialect: Dialect, fault: Fault
    ) -> web.StreamResponse:
        """The write took effect, as far as it did; what the client hears of it."""
        if fault.kind == scripts.RESET_AFTER:
            return answers.broken(request)
        if fault.kind == scripts.CUT:
            return await answers.cut(request, reply)
        if fault.kind == scripts.STALLED:
            return await answers.stall(request, reply)
        if fault.kind == scripts.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault.kind == scripts.ERROR:
            reply = self._refusal(dialect, fault)
        if fault.kind == scripts.DAMAGED:
            reply = dialect.damaged(reply)
        if fault.kind == scripts.WRONG and reply.status < 300:
            reply = dialect.wrong(reply)
        return await answers.send(request, reply)

    async def _taken(self, call: Call, dialect: Dialect, fault: Fault | None) -> Reply:
        """The write without what faults and quota keep out, and the answer to all of it."""
        refused = self.standing.refusal(call, dialect)
        if refused is not None:
            return self._refusal(dialect, refused)
        named = fault is not None and fault.kind == scripts.ITEMS
        looked_at = named or self._quota is not None or self.standing.gone or self.standing.blocked
        write = dialect.take_apart(call) if looked_at else None
        if write is None:
            return await self._undivided(call, dialect, fault if named else None)
        out = self.standing.items(write, dialect)
        out |= _named(write, fault) if fault is not None and named else {}
        refused_places = self._over(write, out)
        if refused_places and len(refused_places) == len(write.entries) and dialect.whole_throttle:
            self.meter.refusal()
            return dialect.error(dialect.throttle())
        out |= dict.fromkeys(refused_places, dialect.throttle())
        if not out:
            return await self._backend.answer(call)
        rest = write.without(out)
        return write.merged(await self._backend.answer(rest) if rest is not None else None, out)

    async def _undivided(self, call: Call, dialect: Dialect, fault: Fault | None) -> Reply:
        """A write that is one item, or that cannot be taken apart."""
        if fault is not None and (0 in fault.indices or fault.target in dialect.targets(call)):
            return self._refusal(dialect, fault if fault.name else dialect.throttle())
        if self._quota is not None:
            units = self._quota.units(len(call.body))
            refused = bool(self._quota.take([units]))
            self.meter.units(0 if refused else units, units if refused else 0)
            if refused:
                self.meter.refusal()
                return dialect.error(dialect.throttle())
        return await self._backend.answer(call)

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

    def _denied(self, call: Call, dialect: Dialect) -> Fault | None:
        if self._credentials is None:
            return None
        denial = signature_denial(call, self._credentials, self._now())
        return None if denial is None else dialect.denial(*denial)

    def _refusal(self, dialect: Dialect, fault: Fault) -> Reply:
        """An error as the fault wants it said."""
        reply = dialect.error(fault)
        if fault.body is not None:
            kind = "text/html" if fault.body.startswith(b"<") else "application/json"
            reply = Reply(fault.status, fault.body, (("Content-Type", kind),))
        later = fault.retry_after
        if fault.retry_date is not None:
            later = formatdate(self._now() + fault.retry_date, usegmt=True)
        return self._dated(reply.having({"Retry-After": later}) if later else reply)

    def _skewed(self, dialect: Dialect, seconds: float) -> Reply:
        reply = self._refusal(dialect, dialect.denial(SKEWED, "Signature expired"))
        return reply.having({"Date": formatdate(self._now() + seconds, usegmt=True)})

    def _dated(self, reply: Reply) -> Reply:
        """With this server's time, unless a real service's is to pass."""
        if self._clock is None and reply.header("Date"):
            return reply
        return reply.having({"Date": formatdate(self._now(), usegmt=True)})

    def _now(self) -> float:
        return time.time() if self._clock is None else self._clock()


def _spoken(call: Call) -> Dialect:
    if operation_of(call):
        return DIALECTS["dynamodb"]
    scope = scope_of(call)
    return DIALECTS["s3" if scope is not None and scope.service == "s3" else "opensearch"]


def _named(write: Write, fault: Fault) -> dict[int, Fault]:
    """The items that a fault concerns."""
    entries = write.entries
    places = {place for place in fault.indices if place < len(entries)}
    if fault.target:
        places |= {place for place, entry in enumerate(entries) if entry.target == fault.target}
    return dict.fromkeys(places, fault)


if __name__ == "__main__":
    from ingest_project.testing.fault_command import main

    main()
