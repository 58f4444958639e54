"""A mirror of a warehouse in Dagster's pages: a slice cannot be read, is one red partition, and is repaired
by a backfill. The warehouse is simulated; one of its pages is torn until the test mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project import local
from ingest_project.core.errors import IngestError
from ingest_project.local import ui
from ingest_project.testing.wms_running import RunningWms, Simulators
from ingest_project_tests.conftest import missing
from ingest_project_tests.e2e.running import Deployment, open_deployment, wait_until
from ingest_project_tests.readback import items

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

GROUP = "/locations/ingest_project/asset-groups/wms"
GRID = ("pages", "records", "current", "history", "index")
ENTITY, TABLE = "wms/allocation", "wms-allocation"
ROWS, PAGE_ROWS = 160, 5
SLOTS = [f"{slot:02d}" for slot in range(16)]
SYNCED = 300.0
"""Seconds for runs that a sensor begins, each 5 to 30 s here, on a machine that runs other tests as well."""

Picture = Callable[[str], None]


@pytest.fixture(scope="module")
def warehouse() -> Iterator[RunningWms]:
    """A warehouse of which no page with the lowest id arrives whole."""
    simulators = Simulators()
    found = simulators("--rows", f"allocation={ROWS}", "--seed", "5", "--user", "demo", "--password", "demo")
    found.control("curse/allocation", ids=[next(found.truth("allocation"))["id"]])
    yield found
    simulators.close()


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, chromium: str, warehouse: RunningWms
) -> Iterator[Deployment]:
    """Services and Dagster that know the warehouse, and no dumps."""
    home = tmp_path_factory.mktemp("e2e-wms")
    access = {"URL": warehouse.url, "USER": "demo", "PASSWORD": "demo", "QUOTA": "500"}
    access |= {"PAGE_SIZE": str(PAGE_ROWS)}
    try:
        yield open_deployment(home, {f"INGEST_WMS_{name}": value for name, value in access.items()})
    except IngestError as error:
        missing(str(error))
    finally:
        ui.down(home)
        local.down(home, grace=0.5)


def test_a_full_sync_that_is_begun_in_the_ui_is_read_but_for_the_torn_page(
    page: Page, deployment: Deployment
) -> None:
    known = deployment.from_ui()
    page.goto("/locations/ingest_project/jobs/wms_allocation_full")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog").first
    _choose_date(dialog, deployment.day)
    dialog.get_by_role("button", name="Launch 1 run").click()
    run = deployment.ended_run(known)
    assert (run.status, run.job, run.assets) == ("SUCCESS", "wms_allocation_full", [f"{ENTITY}/planned"])

    def cells(stage: str, state: str) -> list[str]:
        return deployment.slots(f"{ENTITY}/{stage}")[state]

    wait_until("one slice has failed", lambda: len(cells("pages", "failed")) == 1, timeout=SYNCED)
    rest = [slot for slot in SLOTS if slot not in cells("pages", "failed")]
    assert rest == cells("pages", "materialized")
    delivered = "what landed is delivered"
    wait_until(delivered, lambda: set(rest) <= set(cells("index", "materialized")), timeout=SYNCED)


def test_the_red_partition_says_which_request_was_not_answered(
    page: Page, deployment: Deployment, picture: Picture
) -> None:
    (failed,) = deployment.slots(f"{ENTITY}/pages")["failed"]
    page.goto(GROUP)
    for stage in ("planned", *GRID):
        page.get_by_text(stage, exact=True).first.wait_for()
    page.goto(f"/assets/{ENTITY}/pages?view=partitions")
    page.get_by_text("Failed (1)").wait_for()
    page.get_by_text("Materialized (15)").wait_for()
    page.get_by_text(deployment.day, exact=True).first.click()
    page.get_by_text(failed, exact=True).first.click()
    page.get_by_text("failed, and did not materialize this asset").wait_for()
    picture("wms-partition-failed")
    page.get_by_role("button", name="View all historical events").click()
    page.get_by_role("dialog").get_by_text(f"{deployment.day}|{failed}", exact=True).click()
    page.get_by_text("no whole page").first.wait_for()


def test_a_backfill_reads_the_slice_again_and_brings_its_rows_to_every_target(
    page: Page, deployment: Deployment, picture: Picture, warehouse: RunningWms, dynamodb_here: Any
) -> None:
    (failed,) = deployment.slots(f"{ENTITY}/pages")["failed"]
    warehouse.control("curse/allocation", ids=[])
    requests = warehouse.control("state")["asked"]["list"]
    known = deployment.from_ui()
    page.goto(GROUP)
    page.get_by_text("records", exact=True).first.wait_for()
    page.locator(".CodeMirror").first.click()
    page.keyboard.type(f'key:"{ENTITY}/pages"+')
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Materialize all…").click()
    dialog = page.get_by_role("dialog").first
    dialog.get_by_text("Launch runs to materialize 5 assets").wait_for()
    _choose_date(dialog, deployment.day)
    dialog.get_by_role("button", name="All", exact=True).last.click()
    dialog.get_by_text("Backfill only failed and missing partitions").click()
    dialog.get_by_text("Only 1 failed and missing partition").wait_for()
    picture("wms-backfill-dialog")
    dialog.get_by_role("button", name="Launch 1 run").click()
    run = deployment.ended_run(known)
    assert (run.status, run.assets) == ("SUCCESS", sorted(f"{ENTITY}/{stage}" for stage in GRID))
    assert run.tags["dagster/partition"] == f"{deployment.day}|{failed}"

    # Behind a run's end its pages may still be counting: a range that is counted is not told meanwhile.
    whole = {"materialized": SLOTS, "failed": []}
    for stage in GRID:
        wait_until(f"{stage} is whole", lambda of=f"{ENTITY}/{stage}": deployment.slots(of) == whole)
    # Two pages of rows and one without, or a little more where a slice has some rows more.
    assert warehouse.control("state")["asked"]["list"] - requests <= 5
    page.goto(f"/assets/{ENTITY}/pages?view=partitions&partition={deployment.day}|{failed}")
    page.get_by_text("Failed (0)").wait_for()
    page.get_by_text("Materialized (16)").wait_for()
    picture("wms-partition-repaired")
    page.goto(GROUP)
    page.get_by_text("pages", exact=True).first.wait_for()
    picture("wms-asset-graph")
    mirrored = {int(key): int(item["version"]["N"]) for key, item in items(dynamodb_here, TABLE).items()}
    assert sorted(row["id"] for row in warehouse.truth("allocation")) == sorted(mirrored)


def _choose_date(dialog: Locator, day: str) -> None:
    field = dialog.get_by_role("textbox").first
    field.fill(day)
    field.press("Tab")
