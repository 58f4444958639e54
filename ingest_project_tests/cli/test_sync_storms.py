"""`ingest sync` of an API that answers 429: without an end it ends in an error that says so, in bounded time;
a storm that passes is waited for, in the same call or in the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ingest_project.testing.fault_scripts import Fault, error
from ingest_project.testing.wms_api import WmsApi
from ingest_project.testing.wms_server import WmsServer
from ingest_project.testing.wms_world import World
from ingest_project_tests.cli.conftest import Done, Ingest, know
from ingest_project_tests.cli.processes import serving

pytestmark = pytest.mark.slow

ROWS, PAGE_ROWS = 200, 20
PLANNING = 12
"""Requests after which pages are being read."""

STORM = error("too_many_requests", status=429, retry_after="1")
FOR_EVER = 10**9
PATIENCE, LITTLE_PATIENCE = 60.0, 2.0
"""Seconds for one answer, tries and waits included: an hour, unless a deployment says otherwise."""

Full = Callable[[float], Done]


class Weather:
    """A script: requests from ``begin`` to ``end`` meet the storm."""

    def __init__(self) -> None:
        self.begin = self.end = 0

    def __call__(self, number: int) -> Fault | None:
        return STORM if self.begin <= number < self.end else None


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def server(weather: Weather) -> Iterator[WmsServer]:
    """A warehouse in this process."""
    with serving(WmsServer(WmsApi(World(rows={"allocation": ROWS})), script=weather)) as found:
        yield found


@pytest.fixture
def full(server: WmsServer, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Full:
    """Calls that wait so long for one answer."""

    def call(patience: float) -> Done:
        known = {"quota": 10_000, "page_size": PAGE_ROWS, "full_request_seconds": patience}
        know(monkeypatch, server.url, **known)
        return ingest("sync", "wms.allocation", "--full", "--json")

    return call


def test_a_storm_without_an_end_before_the_first_page_is_an_error_in_bounded_time(
    full: Full, ingest: Ingest, server: WmsServer, weather: Weather
) -> None:
    weather.end = FOR_EVER
    done = full(LITTLE_PATIENCE)
    assert 1 == done.status
    assert "gave up after" in done.err
    assert "HTTP 429" in done.err
    # One call of two seconds, with a silence of one between its tries.
    assert server.requests <= 3
    assert [] == ingest("sync", "wms.allocation", "--status", "--json").report["syncs"]


def test_a_storm_without_an_end_in_the_middle_leaves_what_landed_and_the_next_call_goes_on(
    full: Full, server: WmsServer, weather: Weather
) -> None:
    weather.begin, weather.end = PLANNING, FOR_EVER
    first = full(LITTLE_PATIENCE)
    assert 1 == first.status
    report = first.report
    # Those that met the storm name it; others had no turn within the silence that it asked for.
    assert {True} == {"gave up after" in reason for reason in report["left"]}
    assert any("HTTP 429" in reason for reason in report["left"])
    assert ("open", True) == (report["sync"]["state"], 0 < report["rows"] < ROWS)
    assert server.requests <= PLANNING + 4 * 3
    weather.end = 0
    rest = full(PATIENCE)
    assert 0 == rest.status, rest.err
    assert (ROWS, "done") == (report["rows"] + rest.report["rows"], rest.report["sync"]["state"])
    landed = sum(counts["sent"] for counts in (done.report["stages"]["current"] for done in (first, rest)))
    assert ROWS == landed


def test_a_storm_that_passes_is_waited_for(full: Full, server: WmsServer, weather: Weather) -> None:
    weather.begin, weather.end = PLANNING, PLANNING + 4
    done = full(PATIENCE)
    assert 0 == done.status, done.err
    assert (ROWS, "done", []) == (done.report["rows"], done.report["sync"]["state"], done.report["left"])
    assert 4 == sum(server.met.values())
