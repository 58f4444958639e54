"""Settings of the warehouse API, and the client that is made from them, over a real HTTP server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.api_access import ApiAccess, Timing
from ingest_project.resources.api_client import api_budget, paged_api
from ingest_project.resources.deployments import Settings

URL = "https://a.wms.example/main/wms/lgfapi/v10"


def settings(home: Path, **given: str) -> Settings:
    return Settings.from_env(given, home)


def access(home: Path, **given: str) -> ApiAccess:
    return settings(home, **{f"INGEST_WMS_{name}": value for name, value in given.items()}).wms


def test_without_variables_there_is_no_api_and_the_defaults_are_those_of_the_domain(tmp_path: Path) -> None:
    found = access(tmp_path)
    assert found == ApiAccess()
    assert (found.timing("full"), found.timing("since")) == (
        Timing(request=3600.0, run=10_800.0),
        Timing(request=2700.0, run=5400.0),
    )
    with pytest.raises(ConfigurationError, match="INGEST_WMS_URL is not set"):
        found.require()


def test_a_complete_api_is_read(tmp_path: Path) -> None:
    found = access(
        tmp_path, URL=f"{URL}/", USER="me", PASSWORD="hunter-1", COMPANY="C1", FACILITY="F1", QUOTA="2.5"
    )
    found.require()
    assert (found.url, found.quota) == (URL, 2.5)
    assert found.filters == {"company_id__code": "C1", "facility_id__code": "F1"}
    assert "hunter" not in repr(found)


WRONG = [
    ({"URL": "http://a.wms.example/main"}, "INGEST_WMS_URL must begin with https://"),
    ({"URL": "https://me:hunter@a.wms.example/main"}, "INGEST_WMS_URL must be http"),
    ({"URL": f"{URL}?x=1"}, "INGEST_WMS_URL must be https://HOST"),
    ({"URL": "a.wms.example"}, "INGEST_WMS_URL must be https://HOST"),
    (
        {"TOKEN_URL": "http://x.example", "CLIENT_ID": "x", "CLIENT_SECRET": "hunter"},
        "INGEST_WMS_TOKEN_URL must begin with https://",
    ),
    ({"USER": "me"}, "INGEST_WMS_PASSWORD must be set together with INGEST_WMS_USER"),
    ({"CLIENT_ID": "x"}, "INGEST_WMS_TOKEN_URL and INGEST_WMS_CLIENT_SECRET must be set together"),
    ({"PAGE_SIZE": "1251"}, "INGEST_WMS_PAGE_SIZE must be a number from 1 to 1250"),
    ({"PAGE_MODE": "cursor"}, "INGEST_WMS_PAGE_MODE must be one of sequenced, paged"),
    ({"QUOTA": "0"}, "INGEST_WMS_QUOTA must be a number from 0.01"),
]


@pytest.mark.parametrize(("given", "said"), WRONG)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        access(tmp_path, **given)
    assert said in str(caught.value)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/a", "http://localhost/a", "http://[::1]:1/a"])
def test_this_machine_may_be_asked_by_http(tmp_path: Path, url: str) -> None:
    assert access(tmp_path, URL=url).url == url


def test_an_api_that_nobody_asks_is_no_api(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nobody to ask the API as"):
        access(tmp_path, URL=URL).require()


class Warehouse:
    """An objection, then a page; tokens at /token."""

    def __init__(self) -> None:
        self.statuses = [429]
        self.seen: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, request.headers.get("Authorization", "")))
        if request.path == "/token":
            return web.json_response({"access_token": "word", "expires_in": 60})
        if self.statuses:
            return web.Response(status=self.statuses.pop(), headers={"Retry-After": "0"})
        return web.json_response(
            {"results": [{"id": 3, "mod_ts": "2026-07-03T10:15:00Z"}], "result_count": 1}
        )


@asynccontextmanager
async def served(handler: Warehouse) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_page_comes_through_trouble_with_basic_access_and_within_the_budget(tmp_path: Path) -> None:
    warehouse = Warehouse()
    async with served(warehouse) as url:
        given = settings(
            tmp_path,
            INGEST_WMS_URL=f"{url}/main/v10",
            INGEST_WMS_USER="me",
            INGEST_WMS_PASSWORD="hunter",
            INGEST_WMS_QUOTA="1000",
        )
        async with paged_api(given) as api:
            page = await api.page("allocation", {"ordering": "-id"})
    assert [row.id for row in page.rows] == [3]
    assert {path for path, _ in warehouse.seen} == {"/main/v10/entity/allocation/"}
    assert len(warehouse.seen) == 2
    standing = api_budget(given).standing()
    assert (standing.taken, standing.objections, standing.rate < 1000) == (2, 1, True)


async def test_a_page_comes_with_a_token(tmp_path: Path) -> None:
    warehouse = Warehouse()
    warehouse.statuses = []
    async with served(warehouse) as url:
        given = settings(
            tmp_path,
            INGEST_WMS_URL=f"{url}/main",
            INGEST_WMS_TOKEN_URL=f"{url}/token",
            INGEST_WMS_CLIENT_ID="me",
            INGEST_WMS_CLIENT_SECRET="hunter",
        )
        async with paged_api(given, "full") as api:
            assert await api.count("allocation", {}) == 1
    assert [path for path, _ in warehouse.seen] == ["/token", "/main/entity/allocation/"]
    assert warehouse.seen[1][1] == "Bearer word"
