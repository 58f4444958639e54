"""`ingest sync`: a simulated warehouse into the embedded services, begun, stopped short and gone on with."""

from __future__ import annotations

import pytest

from ingest_project.testing.wms_running import RunningWms
from ingest_project_tests.cli.conftest import Ingest, know

pytestmark = pytest.mark.slow

ROWS = 120


@pytest.fixture
def api(warehouse: RunningWms, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """Calls with the warehouse's settings."""
    know(monkeypatch, warehouse.url, quota=1000, page_size=20)
    return ingest


def test_a_sync_is_begun_read_and_delivered_and_the_next_one_follows(api: Ingest) -> None:
    first = api("sync", "wms.allocation", "--full", "--json")
    assert first.status == 0, first.err
    report = first.report
    assert (True, 120, "done") == (report["ok"], report["rows"], report["sync"]["state"])
    sent = {stage: counts["sent"] for stage, counts in report["stages"].items()}
    assert dict.fromkeys(("records", "current", "history", "index"), 120) == sent
    since = api("sync", "wms.allocation")
    assert since.status == 0, since.err
    status = api("sync", "wms.allocation", "--status", "--json").report["syncs"]
    assert [("since", "done"), ("full", "done")] == [(one["mode"], one["state"]) for one in status]
    ledger = api("status", "--json").report
    assert {"loaded"} == {file["state"] for file in ledger["files"]}
    assert {1.0} == {one["share"] for one in ledger["imports"]}
    (line,) = [text for text in api("status").out.splitlines() if " of wms.allocation " in text]
    assert "121" in line.split()


def test_what_has_nothing_to_follow_is_said(api: Ingest) -> None:
    done = api("sync", "wms.order_dtl", "--deletes")
    assert (1, True) == (done.status, "no full sync is through" in done.err)


def test_an_entity_of_files_cannot_be_synced(api: Ingest) -> None:
    done = api("sync", "messages", "--full")
    assert (2, True) == (done.status, "not read from an API" in done.err)


def test_without_an_api_that_is_said(ingest: Ingest) -> None:
    done = ingest("sync", "wms.allocation", "--full")
    assert (2, True) == (done.status, "INGEST_WMS_URL is not set" in done.err)
