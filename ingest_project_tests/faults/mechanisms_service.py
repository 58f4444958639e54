"""What keeps calls to an HTTP service whole, each with its scenario and its removal."""

from __future__ import annotations

import pytest

from ingest_project.core.breaking import CLOSED, CircuitBreaker
from ingest_project.core.errors import HarmfulRequest, TransientFailure
from ingest_project.wire import guarded
from ingest_project.wire.entrance import Course
from ingest_project.wire.guarded import CallLimits
from ingest_project.wire.pacing import Pace, Room
from ingest_project_tests.faults.acting import Mechanism, replaced
from ingest_project_tests.wire.played import ALL, CALLERS, Case


def one_probe_goes_through() -> None:
    case = Case(down=(0.0, 5.0))
    assert case.all_calls() == ALL
    first = case.endpoint.sent[0][0]
    moments = [moment - first for moment, _ in case.endpoint.sent]
    probe = moments[CALLERS]
    assert [moment for moment in moments[CALLERS:] if moment < probe + 0.05] == [probe]
    assert case.breaker.state == CLOSED


def an_outage_is_left_alone() -> None:
    case = Case(down=(0.0, 300.0))
    assert case.all_calls() == ALL
    assert len(case.endpoint.sent) < 4 * CALLERS


def refused_documents_are_answers_and_no_outage() -> None:
    case = Case(play=lambda target, one: 422 if target == "/" else 200, threshold=1)
    assert case.all_calls() == ALL
    assert (len(case.endpoint.sent), case.breaker.status.openings) == (CALLERS, 0)


def passing_trouble_is_tried_again() -> None:
    moody = iter([408, 429, 500, 502, 503, 504])
    case = Case(play=lambda target, one: next(moody, 200))
    assert case.all_calls() == ALL
    assert len(case.endpoint.sent) == CALLERS + 6


def only_deadly_requests_are_blamed() -> None:
    case = Case(deadly=ALL[16:19], health="/health", latency=2.0)
    outcomes = case.all_calls()
    assert all(isinstance(one, HarmfulRequest) for one in outcomes[16:19])
    assert [one for one in outcomes if isinstance(one, bytes)] == [*ALL[:16], *ALL[19:]]


def no_call_takes_longer_than_its_time() -> None:
    case = Case(down=(0.0, 3600.0), threshold=10_000, limits=CallLimits(at_once=CALLERS, deadline=60.0))
    began = case.clock()
    assert all(isinstance(one, TransientFailure) for one in case.all_calls())
    assert case.clock() - began <= 60.0


def requests_keep_to_their_rate() -> None:
    case = Case(limits=CallLimits(at_once=CALLERS, rate=8.0))
    began = case.clock()
    assert case.all_calls() == ALL
    assert case.clock() - began >= (CALLERS - 1) / 8.0


def _all_probe(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        CircuitBreaker, "ready", property(lambda self: self._since is None or self._clock() >= self._until)
    )


def _never_opens(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CircuitBreaker, "failure", lambda self, ticket, reason, retry_after=None: None)


def _blamed_in_company(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Room, "alone", Room.beside_others)


MECHANISMS = [
    Mechanism(name="the breaker opens", scenario=an_outage_is_left_alone, remove=_never_opens),
    Mechanism(name="half-open lets one call through", scenario=one_probe_goes_through, remove=_all_probe),
    Mechanism(
        name="a refused document is not held against the service",
        scenario=refused_documents_are_answers_and_no_outage,
        remove=replaced(guarded, "FAILING", guarded.FAILING | {422}),
    ),
    Mechanism(
        name="5xx are tried again",
        scenario=passing_trouble_is_tried_again,
        remove=replaced(guarded, "FAILING", frozenset()),
    ),
    Mechanism(
        name="408 and 429 are tried again",
        scenario=passing_trouble_is_tried_again,
        remove=replaced(guarded, "SLOW_DOWN", frozenset()),
    ),
    Mechanism(
        name="a suspect is tried alone before it is blamed",
        scenario=only_deadly_requests_are_blamed,
        remove=_blamed_in_company,
    ),
    Mechanism(
        name="a call has a deadline",
        scenario=no_call_takes_longer_than_its_time,
        remove=replaced(Course, "left", 1e9),
    ),
    Mechanism(
        name="requests have a rate",
        scenario=requests_keep_to_their_rate,
        remove=replaced(Pace, "reserve", lambda self: 0.0),
    ),
]
