"""RestApi with its guarded client against the simulated warehouse over HTTP: trouble ends in the right rows,
or in an error that names the request, in bounded time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from random import Random

import pytest

from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.errors import AccessRefused, PermanentFailure, TransientFailure
from ingest_project.core.paging import RowRef
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sources.rest_api import (
    BrokenPage,
    NoSuchEntity,
    PageOutOfOrder,
    PagingRules,
    RestApi,
)
from ingest_project.sources.rest_bodies import explain
from ingest_project.sources.rest_login import BasicLogin
from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.wms_api import WmsApi
from ingest_project.testing.wms_doors import Doors
from ingest_project.testing.wms_mischief import MISCHIEF, Mischief, PageScript, pages_at_random, pages_from
from ingest_project.testing.wms_query import Habits
from ingest_project.testing.wms_server import WmsServer
from ingest_project.testing.wms_world import World
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint

QUICK = RetryPolicy(attempts=6, base=0.002, cap=0.01)
ROWS = 700


def api_of(server: WmsServer, *, password: str = "demo", page_size: int = 100) -> RestApi:
    base = server.url.rstrip("/")
    client = GuardedClient(
        Endpoint(base, timeout=10, connections=8),
        retry=QUICK,
        breaker=CircuitBreaker(time.monotonic, threshold=100),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(1),
        limits=CallLimits(at_once=8, deadline=20.0),
        explain=explain,
    )
    return RestApi(
        client,
        base,
        BasicLogin("demo", password),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(2),
        rules=PagingRules(page_size=page_size, broken=QUICK),
    )


def warehouse(
    *, rows: int = ROWS, habits: Habits | None = None, mischief: PageScript | None = None, user: str = ""
) -> WmsApi:
    return WmsApi(
        World(rows=rows),
        habits=habits,
        doors=Doors(user=user, password="demo") if user else None,
        mischief=Mischief(mischief) if mischief else None,
    )


async def by_keyset(api: RestApi) -> list[int]:
    found: list[int] = []
    query: Mapping[str, str] = {"ordering": "-id"}
    while rows := (await api.page("allocation", query)).rows:
        found += [row.id for row in rows]
        query = {"ordering": "-id", "id__lt": str(found[-1])}
    return found


async def by_links(api: RestApi) -> list[RowRef]:
    page = await api.page("allocation", {"ordering": "id"})
    found = list(page.rows)
    while (following := await api.next(page)) is not None:
        found, page = found + list(following.rows), following
    return found


async def test_both_ways_of_paging_bring_every_row_once() -> None:
    async with WmsServer(warehouse()) as server, api_of(server) as api:
        descending = await by_keyset(api)
        ascending = [row.id for row in await by_links(api)]
        assert await api.count("allocation", {}) == len(descending)
    assert len(descending) == ROWS
    assert descending == sorted(set(descending), reverse=True)
    assert ascending == descending[::-1]


async def test_rows_of_one_moment_come_by_their_ids_behind_a_page_border() -> None:
    query = {"ordering": "mod_ts,id", "mod_ts__gte": "2020-01-01T00:00:00Z"}
    async with WmsServer(warehouse()) as server, api_of(server, page_size=50) as api:
        first = await api.page("allocation", query)
        last = first.rows[-1]
        same = {"ordering": "id", "mod_ts": last.mod_ts, "id__gt": str(last.id)}
        ties = await api.page("allocation", same)
    assert {row.mod_ts for row in ties.rows} <= {last.mod_ts}
    assert all(row.id > last.id for row in ties.rows)


async def test_pages_that_are_wrong_at_times_bring_the_same_rows() -> None:
    mischief = pages_at_random(5, MISCHIEF, 0.3)
    async with WmsServer(warehouse(mischief=mischief)) as server, api_of(server, page_size=50) as api:
        assert len(set(await by_keyset(api))) == ROWS
        assert len(server.api.mischief.met) >= 4


LASTING = [kind for kind in MISCHIEF if kind not in ("endless", "repeated")]
"""Of pages by keyset: no link is followed, and a page that was given twice is right when asked again."""


@pytest.mark.parametrize("kind", LASTING)
async def test_pages_that_stay_wrong_end_in_an_error_that_names_the_request(kind: str) -> None:
    async with WmsServer(warehouse(mischief=pages_from(2, kind))) as server, api_of(server) as api:
        with pytest.raises((BrokenPage, PageOutOfOrder), match=r"entity/allocation/\?.*id__lt="):
            await by_keyset(api)
        assert server.requests < 20


async def test_a_server_that_always_gives_the_page_before_is_asked_twice() -> None:
    async with WmsServer(warehouse(mischief=pages_from(2, "repeated"))) as server, api_of(server) as api:
        assert len(set(await by_keyset(api))) == ROWS


async def test_a_page_that_leads_to_itself_ends_the_links() -> None:
    async with WmsServer(warehouse(mischief=pages_from(1, "endless"))) as server, api_of(server) as api:
        with pytest.raises(PageOutOfOrder):
            await by_links(api)
        assert server.requests < 20


async def test_an_order_that_sequenced_mode_does_not_keep_is_noticed_and_paged_mode_helps() -> None:
    habits = Habits(sequenced_ordering=False)
    async with WmsServer(warehouse(habits=habits)) as server, api_of(server) as api:
        with pytest.raises(PageOutOfOrder, match="INGEST_WMS_PAGE_MODE=paged"):
            await api.page("allocation", {"ordering": "-id"})
        page = await api.page("allocation", {"ordering": "-id", "page_mode": "paged"})
        assert (len(page.rows), page.result_count) == (100, ROWS)


async def test_faults_of_the_way_are_got_over() -> None:
    busy = [scripts.error("busy", status=status, retry_after="0") for status in (500, 502, 503, 429)]
    faults = [*busy, scripts.reset(after=False), scripts.cut(), scripts.page(502)]
    script = scripts.at_random(3, faults, 0.3)
    async with WmsServer(warehouse(), script=script) as server, api_of(server) as api:
        assert len(set(await by_keyset(api))) == ROWS
        assert sum(server.met.values()) > 0


@pytest.mark.parametrize(("status", "said"), [(429, "HTTP 429"), (503, "HTTP 503"), (500, "HTTP 500")])
async def test_a_storm_ends_in_an_error_in_bounded_time(status: int, said: str) -> None:
    storm = scripts.error("storm", status=status, retry_after="0")
    async with WmsServer(warehouse(), script=lambda number: storm) as server, api_of(server) as api:
        with pytest.raises(TransientFailure, match=said) as caught:
            await api.page("allocation", {"ordering": "-id"})
        assert "gave up after 6 tries" in str(caught.value)
        assert "ordering=-id" in str(caught.value)
        assert server.requests == 6


async def test_nobody_gets_in_with_a_wrong_password() -> None:
    async with (
        WmsServer(warehouse(user="demo")) as server,
        api_of(server, password="hunter") as api,
        api_of(server) as right,
    ):
        assert await right.count("allocation", {}) == ROWS
        with pytest.raises(AccessRefused, match=r"HTTP 401: UNAUTHORIZED: .* \(reference ") as caught:
            await api.page("allocation", {})
        assert "hunter" not in str(caught.value)


async def test_what_is_not_there_is_told_from_what_has_no_rows() -> None:
    async with WmsServer(warehouse()) as server, api_of(server) as api:
        nothing = await api.page("allocation", {"ordering": "-id", "id__lt": "1"})
        assert (nothing.rows, nothing.next_page) == ((), "")
        assert await api.count("allocation", {"id__lt": "1"}) == 0
        with pytest.raises(NoSuchEntity, match="there is no entity allocations"):
            await api.page("allocations", {})
        with pytest.raises(PermanentFailure, match="VALIDATION_ERROR"):
            await api.page("allocation", {"no_such_field__gt": "1"})


async def test_entities_describe_themselves() -> None:
    async with WmsServer(warehouse()) as server, api_of(server) as api:
        assert {"allocation", "order_hdr", "order_dtl"} <= set(await api.entities())
        fields = {field.name: field for field in await api.describe("allocation")}
    assert fields["id"].type
    assert {"mod_ts", "alloc_qty", "order_dtl_id"} <= fields.keys()
