"""Sixty-four callers of one service in virtual time: outages, probes, places and who stands alone."""

from __future__ import annotations

import asyncio

import pytest

from ingest_project.core.breaking import CLOSED, HALF_OPEN, OPEN
from ingest_project.core.errors import CircuitOpen, HarmfulRequest, TransientFailure, Unreachable
from ingest_project.wire.guarded import CallLimits
from ingest_project_tests.wire.played import ALL, CALLERS, Case, body


def test_nothing_is_lost_in_an_outage_and_each_probe_is_one_request() -> None:
    case = Case(down=(0.0, 60.0))
    assert case.all_calls() == ALL
    states = [one.state for one in case.told]
    assert [OPEN, *[HALF_OPEN, OPEN] * 2, HALF_OPEN, CLOSED] == states
    # The first burst, two failed probes and the good one, then everybody else.
    assert CALLERS + 3 + CALLERS - 1 == len(case.endpoint.sent)
    assert [10.0, 20.0, 40.0] == [round(one.next_probe) for one in case.told if one.state == OPEN]


def test_while_the_probe_is_out_nobody_else_calls() -> None:
    case = Case(down=(0.0, 5.0))
    case.all_calls()
    first = case.endpoint.sent[0][0]
    moments = [round(moment - first, 3) for moment, _ in case.endpoint.sent]
    probe = moments[CALLERS]
    assert [0.0] * CALLERS == moments[:CALLERS]
    assert all(moment >= probe + 0.1 for moment in moments[CALLERS + 1 :])


def test_a_flood_of_failures_is_one_outage() -> None:
    case = Case(down=(0.0, 1.0))
    assert case.all_calls() == ALL
    assert case.breaker.status.openings == 1


def test_callers_without_time_fail_fast_and_are_told_when_to_come_back() -> None:
    case = Case(down=(0.0, 1e9), limits=CallLimits(at_once=CALLERS, deadline=8.0))
    outcomes = case.all_calls()
    assert all(isinstance(one, TransientFailure) for one in outcomes)
    assert all(0 < (one.retry_after or 0) <= 10 for one in outcomes if isinstance(one, CircuitOpen))
    assert any(isinstance(one, CircuitOpen) for one in outcomes)
    assert len(case.endpoint.sent) == CALLERS


def test_a_probe_that_is_cancelled_leaves_its_place_to_another() -> None:
    case = Case(down=(0.0, 5.0), threshold=1)

    async def main() -> bytes:
        first = asyncio.create_task(case.call(1))
        await asyncio.sleep(10.15)
        assert case.breaker.state == HALF_OPEN
        second = asyncio.create_task(case.call(2))
        await asyncio.sleep(0.01)
        assert not case.breaker.ready
        first.cancel()
        return await second

    assert case.run(main()) == b"2"
    assert case.breaker.state == CLOSED


def test_no_more_calls_than_places_are_under_way() -> None:
    case = Case(limits=CallLimits(at_once=7))
    assert case.all_calls() == ALL
    assert case.endpoint.most == 7


def test_waiting_for_a_place_does_not_use_up_a_calls_time() -> None:
    case = Case(limits=CallLimits(at_once=1, deadline=0.5))
    assert case.all_calls() == ALL


def test_requests_of_all_callers_together_keep_to_the_rate() -> None:
    case = Case(limits=CallLimits(at_once=CALLERS, rate=8.0))
    started = case.clock()
    assert case.all_calls() == ALL
    moments = [moment - started for moment, _ in case.endpoint.sent]
    assert all(moment >= place / 8.0 - 1e-6 for place, moment in enumerate(sorted(moments)))


@pytest.mark.parametrize("bombs", [(17,), (3, 40)])
def test_requests_that_kill_the_service_are_found_among_64_and_no_other_is_blamed(
    bombs: tuple[int, ...],
) -> None:
    case = Case(deadly=[body(bomb) for bomb in bombs], health="/health", latency=1.0)
    outcomes = case.all_calls()
    assert [isinstance(one, HarmfulRequest) for one in outcomes] == [
        number in bombs for number in range(CALLERS)
    ]
    assert [ALL[number] for number in range(CALLERS) if number not in bombs] == [
        one for one in outcomes if isinstance(one, bytes)
    ]
    assert len(case.deaths) <= 5 * len(bombs)


def test_a_service_killed_three_times_in_mid_work_condemns_nobody() -> None:
    requests = 0
    killed = back = 0.0

    def play(target: str, one: bytes) -> int:
        nonlocal requests, killed, back
        requests += target == "/"
        if requests in (20, 45, 70) and case.clock() > back:
            killed, back = case.clock(), case.clock() + 3.0
        if case.clock() <= killed + 0.001:
            raise TransientFailure("connection reset")
        if case.clock() < back:
            raise Unreachable("restarting")
        return 200

    case = Case(play=play, health="/health", limits=CallLimits(at_once=16))
    assert case.all_calls() == ALL
    assert (case.client.status.harmful, case.breaker.state) == (0, CLOSED)
    assert requests > 70
