"""`ingest plan wms.ENTITY`: against the simulated warehouse in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_project.testing.wms_running import RunningWms
from ingest_project_tests.cli.conftest import Ingest, know

ROWS = 3000


@pytest.fixture
def api(warehouse: RunningWms, bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """Calls with the warehouse's settings."""
    know(monkeypatch, warehouse.url, quota=100)
    return bare_ingest


def test_a_plan_says_what_a_deadline_needs(api: Ingest) -> None:
    done = api("plan", "wms.allocation", "--deadline", "24h")
    assert done.status == 0, done.err
    first, second, third = done.out.splitlines()
    assert first.startswith("allocation: 3,000 rows are 3 requests of 1,250 rows, about ")
    assert "4 workers and a quota of 100 requests a second" in second
    assert "3,000 rows in 24:00:00 need 0 rows/s" in third
    assert "feasible with 1 worker" in third


def test_a_billion_rows_are_reckoned_from_real_pages_and_told_to_be_too_many(api: Ingest) -> None:
    done = api("plan", "wms.order_hdr", "--rows", 10**9, "--deadline", "1h", "--json")
    report = done.report
    assert (done.status, report["feasible"], report["requests"]) == (1, False, 800_000)
    assert report["pages_needed"] == pytest.approx(222.2, abs=0.1)
    assert report["bytes"] > 10**12
    assert "Ask for a quota of 223 requests a second" in report["sentences"][2]
    assert report["measured"][0]["entity"] == "order_hdr"


def test_several_entities_and_openmetrics(api: Ingest) -> None:
    done = api("plan", "wms.allocation", "wms.order_dtl", "--openmetrics")
    assert done.status == 0
    assert 'ingest_plan_requests{entity="allocation+order_dtl"} 6\n' in done.out
    assert done.out.endswith("# EOF\n")


def test_an_unknown_entity_and_a_missing_api_are_told(
    api: Ingest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = api("plan", "wms.allocations")
    assert (done.status, "there is no entity allocations" in done.err) == (1, True)
    (tmp_path / "a.json").write_text("{}")
    mixed = api("plan", "wms.allocation", tmp_path / "a.json")
    assert (mixed.status, "not both" in mixed.err) == (2, True)
    monkeypatch.delenv("INGEST_WMS_URL")
    nowhere = api("plan", "wms.allocation")
    assert (nowhere.status, "INGEST_WMS_URL is not set" in nowhere.err) == (2, True)
