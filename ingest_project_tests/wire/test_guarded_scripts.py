"""The guarded client behind the fault server, in front of a service: whatever the script, no answer is lost
or mixed up."""

from __future__ import annotations

import asyncio

import pytest

from ingest_project.core.breaking import CLOSED, CircuitBreaker
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.fault_server import FaultServer
from ingest_project.wire.guarded import CallLimits
from ingest_project_tests.wire.moody import Moody, Naps, client_of

CALLS = 60
FAULTS = [
    faults.reset(after=False),
    faults.reset(after=True),
    faults.cut(),
    faults.stalled(),
    faults.slow(0.01),
    faults.page(502),
    faults.page(503, b""),
    faults.error("", status=429, retry_after="2"),
    faults.error("", status=503, retry_after="1"),
    faults.error("", status=500, after=True),
]


@pytest.mark.parametrize("seed", range(25))
async def test_every_call_ends_with_its_own_answer(seed: int) -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(clock, threshold=4, cooldown=5.0)
    moody = Moody()
    bodies = [b"document %d" % number for number in range(CALLS)]
    async with (
        moody.serve() as upstream,
        FaultServer(
            upstream=upstream,
            service="http",
            script=faults.at_random(seed, FAULTS, 0.5),
            counts=lambda call: call.method == "PUT",
        ) as server,
        client_of(
            server.url,
            clock,
            Naps(clock),
            timeout=0.5,
            attempts=60,
            breaker=breaker,
            limits=CallLimits(at_once=12, deadline=1e6),
        ) as client,
    ):
        calls = (client.call("PUT", f"/{number}", {}, body) for number, body in enumerate(bodies))
        answers = await asyncio.gather(*calls)
    assert bodies == [answer.body for answer in answers]
    status = client.status
    assert (status.calls, status.given_up, status.harmful) == (CALLS, 0, 0)
    assert server.requests <= status.tries == CALLS + status.failures
    assert status.breaker.state == CLOSED
