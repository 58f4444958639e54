"""What becomes of a request in a fault server: counted, refused, taken in part, and how it is answered.

Knows no connection: an outcome says what is sent, and in which manner.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import NamedTuple, Protocol

from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_dialects import SKEWED, Dialect, Write
from ingest_project.testing.fault_dynamodb import DynamoDB, operation_of
from ingest_project.testing.fault_http import S3, PlainHttp
from ingest_project.testing.fault_messages import Call, Reply
from ingest_project.testing.fault_opensearch import OpenSearch
from ingest_project.testing.fault_quotas import Meter, RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import Fault, Script
from ingest_project.testing.fault_signatures import scope_of, signature_denial
from ingest_project.testing.fault_standing import Standing

DIALECTS: Mapping[str, Dialect] = {
    "dynamodb": DynamoDB(),
    "opensearch": OpenSearch(),
    "s3": S3(),
    "http": PlainHttp(),
}


PARTIAL = (scripts.ITEMS, scripts.DAMAGED, scripts.WRONG)
"""Kinds that may keep single items out."""


class Backend(Protocol):
    """What stands behind the faults."""

    async def answer(self, call: Call) -> Reply: ...


class Outcome(NamedTuple):
    """How a request is answered.

    Attributes:
        reply: What is sent; ``None``: the connection is reset.
        manner: A fault's kind: CUT, STALLED, SLOW; empty: at once and whole.
        seconds: Before it is sent.
    """

    reply: Reply | None
    manner: str = ""
    seconds: float = 0.0


class Engine:
    """Decides for each request. The arguments and attributes are FaultServer's."""

    def __init__(
        self,
        backend: Backend,
        *,
        script: Script,
        credentials: tuple[str, str] | None,
        clock: Callable[[], float] | None,
        delay: float,
        quota: WriteQuota | None,
        request_quota: RequestQuota | None,
        timer: Callable[[], float],
        dialect: Dialect | None,
        counts: Callable[[Call], bool] | None,
    ) -> None:
        self._backend, self._script = backend, script
        self._credentials, self._clock, self._delay = credentials, clock, delay
        self._quota, self._request_quota = quota, request_quota
        self._dialect, self._counts = dialect, counts
        self.requests = 0
        self.met, self.standing, self.meter = Counter[str](), Standing(), Meter(timer)

    def record(self) -> dict[str, object]:
        """What ``GET /_faults/stats`` says."""
        return {"requests": self.requests, "faults": dict(self.met), "seconds": self.meter.record()}

    async def answer(self, call: Call) -> Outcome:
        """One request."""
        dialect = self._dialect or _spoken(call)
        denied = self._denied(call, dialect)
        if denied is not None:
            return Outcome(self._refusal(dialect, denied))
        if (self._counts or dialect.writes)(call):
            fault = self._script(self.requests)
            self.requests += 1
            with self.meter.request():
                if self._delay:
                    await asyncio.sleep(self._delay)
                return await self._write(call, dialect, fault)
        refused = self.standing.refusal(call, dialect)
        if refused is not None:
            return Outcome(self._refusal(dialect, refused))
        return Outcome(self._dated(await self._backend.answer(call)))

    async def _write(self, call: Call, dialect: Dialect, fault: Fault | None) -> Outcome:
        wait = self._request_quota.take() if self._request_quota is not None else 0.0
        if wait:
            self.meter.refusal()
            busy = scripts.error("too_many_requests", status=429, retry_after=str(math.ceil(wait)))
            return Outcome(self._refusal(dialect, busy))
        if fault is None or 0 < fault.over >= len(call.body):
            return Outcome(self._dated(await self._taken(call, dialect, None)))
        self.met[fault.kind] += 1
        self.standing.turn(fault, call)
        if fault.kind == scripts.RESET_BEFORE:
            return Outcome(None)
        if fault.kind == scripts.ERROR and not fault.after:
            return Outcome(self._refusal(dialect, fault))
        if fault.kind == scripts.SKEWED:
            return Outcome(self._skewed(dialect, fault.seconds))
        return self._spoiled(self._dated(await self._taken(call, dialect, fault)), dialect, fault)

    def _spoiled(self, reply: Reply, dialect: Dialect, fault: Fault) -> Outcome:
        """The write took effect, as far as it did; what the client hears of it."""
        if fault.kind == scripts.RESET_AFTER:
            return Outcome(None)
        if fault.kind == scripts.ERROR:
            return Outcome(self._refusal(dialect, fault))
        if fault.kind == scripts.DAMAGED:
            return Outcome(dialect.damaged(reply))
        if fault.kind == scripts.WRONG and reply.status < 300:
            return Outcome(dialect.wrong(reply))
        return Outcome(reply, fault.kind, fault.seconds if fault.kind == scripts.SLOW else 0.0)

    async def _taken(self, call: Call, dialect: Dialect, fault: Fault | None) -> Reply:
        """The write without what faults and quota keep out, and the answer to all of it."""
        refused = self.standing.refusal(call, dialect)
        if refused is not None:
            return self._refusal(dialect, refused)
        named = fault is not None and fault.kind in PARTIAL
        looked_at = named or self._quota is not None or self.standing.gone or self.standing.blocked
        write = dialect.take_apart(call) if looked_at else None
        if write is None:
            return await self._undivided(call, dialect, fault if named else None)
        out = self.standing.items(write, dialect)
        out |= _named(write, fault) if fault is not None and named else {}
        over, taken = self._over(write, out)
        if over and len(over) == len(write.entries) and dialect.whole_throttle:
            self.meter.refusal()
            return dialect.error(dialect.throttle())
        out |= dict.fromkeys(over, dialect.throttle())
        if not out:
            return await self._passed(call, taken)
        rest = write.without(out)
        return write.merged(await self._passed(rest, taken) if rest is not None else None, out)

    async def _undivided(self, call: Call, dialect: Dialect, fault: Fault | None) -> Reply:
        """A write that is one item, or that cannot be taken apart."""
        if fault is not None and (0 in fault.indices or fault.target in dialect.targets(call)):
            return self._refusal(dialect, fault if fault.name else dialect.throttle())
        units = 0
        if self._quota is not None:
            units = self._quota.units(len(call.body))
            if self._quota.take([units]):
                self.meter.units(0, units)
                self.meter.refusal()
                return dialect.error(dialect.throttle())
        return await self._passed(call, units)

    async def _passed(self, call: Call, units: int) -> Reply:
        """The service's answer. What it refuses for its own reasons costs nothing."""
        reply = await self._backend.answer(call)
        if self._quota is not None:
            if reply.status < 400:
                self.meter.units(units, 0)
            else:
                self._quota.give_back(units)
        return reply

    def _over(self, write: Write, out: Mapping[int, Fault]) -> tuple[list[int], int]:
        """Places that the quota has no room for, and the units of the others."""
        if self._quota is None:
            return [], 0
        places = [place for place in range(len(write.entries)) if place not in out]
        units = [self._quota.units(write.entries[place].size) for place in places]
        refused = self._quota.take(units)
        lost = sum(units[one] for one in refused)
        self.meter.units(0, lost)
        return [places[one] for one in refused], sum(units) - lost

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
