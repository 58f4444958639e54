"""The page of an import in Dagster's UI: its files, its plan and its rejections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from ingest_project.local.sample_rows import write_row_files
from ingest_project_tests.e2e.running import Deployment, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FILES, ROWS = 12, 600
Picture = Callable[[str], None]


@pytest.fixture(scope="module")
def imported(deployment: Deployment) -> Deployment:
    """Twelve exports, five of them problems, dropped into the inbox; the sensors have made orders of them."""
    inbox = deployment.settings.inbox
    write_row_files(inbox / "draft", files=FILES, rows=ROWS)
    (inbox / "dropship").mkdir(parents=True, exist_ok=True)
    (inbox / "draft").rename(inbox / "dropship" / deployment.day)
    register, ledger = deployment.ledger.files, deployment.ledger

    def settled() -> bool:
        return register.states("dropship") == {"consumed": FILES - 3, "failed": 3}

    def booked() -> bool:
        rows = ledger.status("dropship-orders", deployment.day)
        return bool(rows) and all(row.state == "sealed" for row in rows)

    wait_until("the exports are loaded", settled, timeout=300)
    wait_until("orders are made", booked, timeout=300)
    return deployment


def test_the_page_of_an_import_tells_of_its_files_its_plan_and_its_rejections(
    page: Page, imported: Deployment, picture: Picture
) -> None:
    page.set_viewport_size({"width": 1600, "height": 2300})
    page.goto(f"/assets/dropship/planned?view=partitions&partition={imported.day}")
    for name in ("import_files", "import_rejections", "plan", "broken"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.get_by_text("expected a closing quote").first.wait_for()
    picture("dropship-import")
    page.set_viewport_size({"width": 1360, "height": 800})
    for name, seen in (("import_rejections", "is not a number"), ("plan", "lines-27")):
        row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True)).first
        row.get_by_text("[Show Markdown]").click()
        page.get_by_role("dialog").get_by_text(seen).first.wait_for()
        picture(f"dropship-{name.removeprefix('import_')}")
        page.keyboard.press("Escape")
        page.get_by_role("dialog").first.wait_for(state="detached")
