"""Fixtures of the browser tests: a deployment for a module, tied to the test session, and a headless browser.

Screenshots go to a temporary folder, or to the folder that INGEST_SCREENSHOTS names: with docs/images the
README's pictures are taken anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project import local
from ingest_project.core.errors import IngestError
from ingest_project.local import ui
from ingest_project.resources.connect import dynamodb_client
from ingest_project_tests.conftest import missing
from ingest_project_tests.e2e.running import PATIENCE, Deployment, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = os.environ.get("INGEST_SCREENSHOTS", "")
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without these the browser calls its maker's hosts at every start; --no-sandbox is needed by root.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Deployment]:
    """Services and Dagster on free ports, with four dumps that its sensors have dealt with."""
    home = tmp_path_factory.mktemp("e2e")
    try:
        yield started(home)
    except IngestError as error:
        missing(str(error))
    finally:
        ui.down(home)
        local.down(home, grace=0.5)


@pytest.fixture(scope="module")
def dynamodb_here(deployment: Deployment) -> Iterator[Any]:
    """A client of the deployment's DynamoDB."""
    client = dynamodb_client(deployment.settings)
    yield client
    client.close()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; none is downloaded."""
    if find_spec("playwright") is None:
        missing("the Python package playwright is not installed")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing("no Chromium is installed (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, deployment: Deployment) -> Iterator[Page]:
    """An empty page of the size of a laptop's screen."""
    context = browser.new_context(viewport={"width": 1360, "height": 800}, base_url=deployment.ui.url)
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    folder = Path(PICTURES) if PICTURES else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def picture(page: Page, pictures: Path) -> Callable[[str], Any]:
    """Take a screenshot under a name, once the page moves no more."""

    def take(name: str) -> None:
        page.wait_for_timeout(1500)
        page.screenshot(path=pictures / f"{name}.png", animations="disabled")

    return take
