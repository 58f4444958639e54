"""The simulated API over HTTP: quotas, faults, latency, the back door, the command, the fixture."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPException
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.fault_quotas import RequestQuota
from ingest_project.testing.fault_scripts import NAMED, Script, cut, damaged, error, in_order, page, reset
from ingest_project.testing.wms_api import Latency, WmsApi
from ingest_project.testing.wms_command import main, parser, server_of
from ingest_project.testing.wms_mischief import MISCHIEF, UNUSUAL
from ingest_project.testing.wms_running import RunningWms, Simulators
from ingest_project.testing.wms_server import WELL_BEHAVED, WmsServer
from ingest_project.testing.wms_world import World
from ingest_project_tests.testing.asking import Heard, ask
from ingest_project_tests.testing.warehouses import ids

PAGE = Path(__file__).resolve().parents[2] / "docs" / "wms-simulator.md"


async def heard(server: WmsServer, path: str = "entity/order_hdr/?page_size=5", method: str = "GET") -> Heard:
    target = path if path.startswith("/") else server.api.root + path
    return await asyncio.to_thread(ask, server.host, method, target)


def over_rows(script: Script = WELL_BEHAVED, **settings: Any) -> WmsServer:
    return WmsServer(WmsApi(World(rows=30, seed=1)), script=script, **settings)


async def test_pages_and_links_come_over_http() -> None:
    async with over_rows() as server, aiohttp.ClientSession() as session:
        seen: list[int] = []
        following = f"{server.url}entity/order_hdr/?page_size=12&page_mode=sequenced&ordering=-id"
        while following:
            async with session.get(following) as answer:
                said = await answer.json()
            seen += ids(said["results"])
            following = said["next_page"] or ""
        assert [row.id for row in server.api.world.truth("order_hdr")][::-1] == seen
        assert (3, 3) == (server.requests, server.api.asked["list"])


async def test_a_quota_answers_429_with_retry_after_and_the_meter_knows() -> None:
    clock = FakeClock()
    quota = RequestQuota(0.5, burst=2, clock=clock)
    async with over_rows(quota=quota, timer=clock) as server:
        answers = [await heard(server) for _ in range(3)]
        assert [200, 200, 429] == [one.status for one in answers]
        assert ("2", "TOO_MANY_REQUESTS") == (answers[2].headers["Retry-After"], answers[2].json["code"])
        assert "details" in answers[2].json
        clock.advance(2.0)
        assert 200 == (await heard(server)).status
        stats = (await heard(server, "/_faults/stats")).json
        assert [(0, 3, 1), (2, 1, 0)] == [
            (one["second"], one["requests"], one["refusals"]) for one in stats["seconds"]
        ]


async def test_faults_come_by_script_in_the_apis_own_form() -> None:
    script = in_order(
        error("", status=503),
        error("", status=429, retry_after="7"),
        page(502),
        damaged(),
        None,
        reset(after=True),
        cut(),
    )
    async with over_rows(script) as server:
        down, busy, proxy, torn, right = [await heard(server) for _ in range(5)]
        assert (503, "SERVER_ERROR") == (down.status, down.json["code"])
        assert (429, "7") == (busy.status, busy.headers["Retry-After"])
        assert (502, b"<html>") == (proxy.status, proxy.body[:6])
        assert 200 == torn.status
        with pytest.raises(json.JSONDecodeError):
            json.loads(torn.body)
        assert 5 == len(right.json["results"])
        for _ in range(2):
            with pytest.raises((OSError, HTTPException)):
                await heard(server)
        assert 6 == server.met.total()


async def test_latency_is_waited_for_and_too_many_at_once_are_turned_away() -> None:
    waited: list[float] = []
    gate = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            gate.set()
        await gate.wait()

    api = WmsApi(World(rows=30), latency=Latency(each=0.5, crowd=1.0, most=2), sleep=sleep)
    async with WmsServer(api) as server:
        first, second = (asyncio.create_task(heard(server)) for _ in range(2))
        assert {200} == {(await one).status for one in (first, second)}
        assert [0.5, 1.0] == waited
        gate.clear()
        held = [asyncio.create_task(heard(server)) for _ in range(3)]
        done, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
        assert [503] == [one.result().status for one in done]
        gate.set()
        assert [200, 200, 503] == sorted([(await one).status for one in held])


async def test_the_back_door_moves_time_and_rows_and_tells_the_truth() -> None:
    async with over_rows() as server:

        async def door(door: str, **asked: object) -> Heard:
            body = json.dumps(asked).encode()
            return await asyncio.to_thread(ask, server.host, "POST", f"/_wms/{door}", body)

        new = (await door("insert/order_hdr", rows=2, late=60)).json["ids"]
        known = [row.id for row in server.api.world.truth("order_hdr")]
        assert {"ids": known[:2]} == (await door("update/order_hdr", ids=known[:2])).json
        assert {"ids": known[5:6]} == (await door("delete/order_hdr", ids=known[5:6])).json
        assert 1 == (await door("state")).json["pending"]
        assert 31 == (await door("advance", seconds=60)).json["rows"]["order_hdr"]
        lines = (await door("truth/order_hdr")).body.splitlines()
        assert [*known[:5], *known[6:], *new] == [json.loads(line)["id"] for line in lines]
        rows = (await door("truth/order_hdr", rows="1", base=f"{server.url}entity")).body.splitlines()
        assert (
            json.loads(rows[0]) == (await heard(server, "entity/order_hdr/?page_size=1")).json["results"][0]
        )
        assert 200 == (await door("field", entity="order_hdr", name="zone", kind="string", new=True)).status
        assert "zone" in (await heard(server, "entity/order_hdr/describe/")).json["fields"]
        assert 200 == (await door("settle")).status == (await door("revoke")).status
        assert (404, 400) == ((await door("nonsense")).status, (await door("advance")).status)
        assert 2 == server.requests


def test_the_fixture_starts_simulators_of_their_own(start_wms: Simulators) -> None:
    one = start_wms("--rows", "order_hdr=40", "--seed", "3", "--quota", "1000", "--quota-burst", "100")
    assert one.url.endswith("/demo/wms/lgfapi/v10/")
    assert {"order_hdr": 40, "order_dtl": 0, "allocation": 0} == one.control("state")["rows"]
    (row,) = ask(one.host, "GET", "/demo/wms/lgfapi/v10/entity/order_hdr/?page_size=1").json["results"]
    assert row == next(one.truth("order_hdr", rows=True))
    assert 40 == len(list(one.truth("order_hdr")))
    assert 1 == one.stats()["requests"]
    start_wms.stop(one)
    assert 0 == one.process.returncode
    assert isinstance(one, RunningWms)


def test_the_command_makes_the_warehouse_that_its_options_say() -> None:
    words = """--rows order_hdr=50,allocation=7 --seed 2 --skew=0,4,-2.5 --companies A,B --facilities F
        --each 60 --inserts 0.1 --updates 0.5 --deletes 0.1 --batch 4 --batch-every 300 --late 0.5 --ties 5
        --late-most 100 --field 60:order_hdr.zone:string:new --field 120:order_hdr.priority:string
        --field 180:order_hdr.ref_nbr --client c --secret s --closed order_dtl --rows-per-page 33
        --refuse-large --before-26a --ignore-ordering --steady-ties --summer 60 --delay 0.1 --delay-mib 1
        --crowd 0.1 --most 9 --quota 5 --quota-burst 2 --faults 503,cut --share 0.1 --pages torn
        --user u --password p"""
    api = server_of(parser().parse_args(words.split())).api
    world = api.world
    assert (50, 0, 7) == tuple(len(world[name].table) for name in ("order_hdr", "order_dtl", "allocation"))
    assert (("A", "B"), ("F",), (0, 4_000_000, -2_500_000)) == (world.companies, world.facilities, world.skew)
    assert (33, True, False, False, False) == (
        api.habits.rows_per_page,
        api.habits.refuse_large,
        api.habits.empty_parameter,
        api.habits.sequenced_ordering,
        api.habits.shuffled_ties,
    )
    assert Latency(each=0.1, mebibyte=1.0, crowd=0.1, most=9) == api.latency
    for _ in range(5):
        api.get("entity/")
    names = {field.name: field.kind for field in world["order_hdr"].fields}
    assert ("string", "string", False) == (names["zone"], names["priority"], "ref_nbr" in names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "nonsense=5"], "unknown: nonsense; known: allocation"),
        (["--pages", "nonsense"], "unknown: nonsense; known: repeated"),
        (["--faults", "nonsense"], "unknown: nonsense; known: throttling"),
        (["--field", "5:order_hdr"], "is not SECONDS:ENTITY.NAME"),
    ],
)
def test_a_wrong_option_says_what_is_known(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err


async def test_a_page_with_a_cursed_row_is_torn_until_the_curse_is_lifted() -> None:
    async with over_rows() as server:
        ids = [row.id for row in server.api.world.truth("order_hdr")]

        async def curse(*rows: int) -> None:
            body = json.dumps({"ids": rows}).encode()
            said = await asyncio.to_thread(ask, server.host, "POST", "/_wms/curse/order_hdr", body)
            assert 200 == said.status

        async def whole(query: str) -> bool:
            return (await heard(server, f"entity/order_hdr/?ordering=id&{query}")).body.endswith(b"}")

        await curse(ids[3])
        found = [await whole(f"page_size=2&id__gte={row}") for row in (ids[1], ids[2], ids[3], ids[4])]
        assert [True, False, False, True] == found
        assert await whole(f"page_size=1&id__gte={ids[3]}")
        assert await whole(f"page_size=2&id__lt={ids[3]}")
        await curse()
        assert await whole(f"page_size=2&id__gte={ids[3]}")


def test_the_page_tells_of_every_option_every_mischief_and_every_door(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = {
        word.strip("[],") for word in capsys.readouterr().out.split() if word.startswith(("[--", "--"))
    }
    text = PAGE.read_text()
    assert [] == [option for option in sorted(options - {"--help"}) if f"`{option}" not in text]
    assert [] == [name for name in (*MISCHIEF, *UNUSUAL) if f"`{name}`" not in text]
    doors = ("state", "advance", "settle", "revoke", "field")
    doors += ("truth/", "insert/", "update/", "delete/", "curse/")
    assert [] == [door for door in doors if f"/_wms/{door}" not in text]
    assert [] == [name for name in ("429", "503", "cut", "stalled", "html") if name not in NAMED]
