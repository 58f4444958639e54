"""The simulated API's routes, errors and doors, without a network."""

from __future__ import annotations

import base64
import json
import uuid
from urllib.parse import urlencode

import pytest

from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.fault_messages import Call
from ingest_project.testing.wms_api import Latency, Pace, WmsApi
from ingest_project.testing.wms_churn import Churn, Habit
from ingest_project.testing.wms_doors import Doors
from ingest_project.testing.wms_mischief import (
    MISCHIEF,
    Mischief,
    pages_at_random,
    pages_from,
    pages_in_order,
)
from ingest_project.testing.wms_query import Habits
from ingest_project.testing.wms_stamps import SECOND
from ingest_project.testing.wms_world import START, World
from ingest_project_tests.testing.warehouses import STEADY, api_of, asked, ids, results, walked


def test_the_list_of_entities_names_an_address_for_each() -> None:
    status, body = asked(api_of(), "entity/")
    assert 200 == status
    assert "http://wms.invalid/demo/wms/lgfapi/v10/entity/order_dtl" == body["order_dtl"]
    assert {"allocation", "order_hdr", "order_dtl", "facility"} <= set(body)


@pytest.mark.parametrize(("entity", "fields"), [("allocation", 25), ("order_hdr", 122), ("order_dtl", 88)])
def test_describe_tells_parameters_and_fields(entity: str, fields: int) -> None:
    status, body = asked(api_of(), f"entity/{entity}/describe")
    assert (200, fields) == (status, len(body["fields"]))
    assert {"type": "integer", "required": "X", "default": None} == body["fields"]["id"]
    assert {"type": "datetime", "required": "X", "default": None} == body["fields"]["mod_ts"]
    assert 50 == body["fields"]["create_user"]["max_length"]
    assert "id" in body["parameters"]
    assert "url" not in body["parameters"]


def test_a_row_is_found_by_its_id_and_by_its_own_url() -> None:
    api = api_of()
    (row,) = results(api, page_size=1)
    assert (200, row) == asked(api, f"entity/order_hdr/{row['id']}")
    assert (200, row) == asked(api, row["url"])
    assert 404 == asked(api, "entity/order_hdr/1")[0]


@pytest.mark.parametrize(
    ("target", "status", "code", "details"),
    [
        ("entity/nonsense/", 404, "NOT_FOUND", {}),
        ("/demo/elsewhere", 404, "NOT_FOUND", {}),
        (
            "entity/order_hdr/?nonsense=1",
            400,
            "VALIDATION_ERROR",
            {"nonsense": ["Invalid filter field or lookup"]},
        ),
        (
            "entity/order_hdr/?id__near=1",
            400,
            "VALIDATION_ERROR",
            {"id__near": ["Invalid filter field or lookup"]},
        ),
        ("entity/order_hdr/?id__gt=x", 400, "VALIDATION_ERROR", {"id__gt": ["Enter a valid value: 'x'"]}),
        ("entity/order_hdr/?mod_ts__gte=2026-01-01T00:00:00+00:00", 400, "VALIDATION_ERROR", None),
        ("entity/order_hdr/?ordering=-nonsense", 400, "VALIDATION_ERROR", None),
        ("entity/order_hdr/?fields=id,nonsense", 400, "VALIDATION_ERROR", None),
        ("entity/order_hdr/?page_mode=other", 400, "VALIDATION_ERROR", None),
        ("entity/order_hdr/?page=99", 404, "NOT_FOUND", None),
        ("entity/order_hdr/?page=0", 400, "VALIDATION_ERROR", None),
        ("entity/order_hdr/?format=xml", 400, "VALIDATION_ERROR", None),
    ],
)
def test_an_error_has_reference_code_message_and_details(
    target: str, status: int, code: str, details: object
) -> None:
    said, body = asked(api_of(), target)
    assert (status, code) == (said, body["code"])
    assert ["reference", "code", "message", "details"] == list(body)
    assert uuid.UUID(body["reference"])
    assert body["message"]
    assert details is None or details == body["details"]


def test_a_list_without_rows_is_404_unless_another_status_is_asked_for() -> None:
    api = api_of()
    words = {"id__lt": 5, "page_size": 1}
    status, body = asked(api, "entity/order_hdr/", **words)
    assert (404, "NOT_FOUND") == (status, body["code"])
    assert (204, None) == asked(api, "entity/order_hdr/", empty_response_http_code=204, **words)
    status, body = asked(api, "entity/order_hdr/", empty_response_http_code=200, **words)
    assert (200, 0, [], None) == (status, body["result_count"], body["results"], body["next_page"])
    status, body = asked(
        api, "entity/order_hdr/", empty_response_http_code=200, page_mode="sequenced", **words
    )
    assert {"next_page": None, "previous_page": None, "results": []} == body
    old = api_of(habits=Habits(empty_parameter=False))
    assert 400 == asked(old, "entity/order_hdr/", empty_response_http_code=200)[0]


def basic(user: str, password: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()),)


def test_basic_lets_the_user_in_and_nobody_else() -> None:
    api = WmsApi(World(rows=3), doors=Doors(user="ana", password="ç:x", closed=("order_dtl",)))
    assert 200 == api.get("entity/", basic("ana", "ç:x")).status
    for headers in (
        (),
        basic("ana", "wrong"),
        (("Authorization", "Basic %%%"),),
        (("Authorization", "Bearer x"),),
    ):
        reply = api.get("entity/", headers)
        assert (401, "UNAUTHORIZED") == (reply.status, json.loads(reply.body)["code"])
        assert reply.header("WWW-Authenticate")
    refused = api.get("entity/order_dtl/", basic("ana", "ç:x"))
    assert (403, "FORBIDDEN") == (refused.status, json.loads(refused.body)["code"])


def token_of(api: WmsApi, *, secret: str = "s", **form: str) -> tuple[int, dict[str, object]]:
    body = urlencode(form).encode()
    reply = api.reply(Call("POST", "/demo/api/oauth2/token/", basic("c", secret), body))
    return reply.status, json.loads(reply.body)


def test_a_token_opens_until_it_expires_or_is_revoked_and_can_be_renewed() -> None:
    clock = FakeClock()
    doors = Doors(user="ana", password="pw", client="c", secret="s", lasts=60, clock=clock)
    api = WmsApi(World(rows=3), doors=doors)

    def status(token: object) -> int:
        return api.get("entity/", (("Authorization", f"Bearer {token}"),)).status

    _, said = token_of(api, grant_type="password", username="ana", password="pw")
    assert (60, "Bearer") == (said["expires_in"], said["token_type"])
    assert 200 == status(said["access_token"])
    clock.advance(60)
    assert 401 == status(said["access_token"])
    _, again = token_of(api, grant_type="refresh_token", refresh_token=str(said["refresh_token"]))
    assert 200 == status(again["access_token"])
    doors.revoke()
    assert 401 == status(again["access_token"])
    _, other = token_of(api, grant_type="client_credentials")
    assert "refresh_token" not in other
    assert 200 == status(other["access_token"])
    assert (3, 3) == (doors.issued, api.asked["token"])


@pytest.mark.parametrize(
    ("form", "secret", "wanted"),
    [
        ({"grant_type": "client_credentials"}, "wrong", (401, "invalid_client")),
        ({"grant_type": "password", "username": "ana", "password": "no"}, "s", (400, "invalid_grant")),
        ({"grant_type": "refresh_token", "refresh_token": "no"}, "s", (400, "invalid_grant")),
        ({"grant_type": "magic"}, "s", (400, "unsupported_grant_type")),
    ],
)
def test_the_token_endpoint_refuses_in_oauth2s_own_form(
    form: dict[str, str], secret: str, wanted: tuple[int, str]
) -> None:
    api = WmsApi(World(rows=3), doors=Doors(user="ana", password="pw", client="c", secret="s"))
    status, said = token_of(api, secret=secret, **form)
    assert wanted == (status, said["error"])


def test_a_token_can_end_before_it_said_it_would() -> None:
    clock = FakeClock()
    api = WmsApi(World(rows=3), doors=Doors(client="c", secret="s", lasts=60, early=50, clock=clock))
    _, said = token_of(api, grant_type="client_credentials")
    clock.advance(11)
    assert 60 == said["expires_in"]
    assert 401 == api.get("entity/", (("Authorization", f"Bearer {said['access_token']}"),)).status


def test_nothing_can_be_written() -> None:
    reply = api_of().reply(Call("POST", "/demo/wms/lgfapi/v10/entity/order_hdr/", (), b"{}"))
    assert (405, "METHOD_NOT_ALLOWED") == (reply.status, json.loads(reply.body)["code"])


def test_virtual_time_passes_with_requests_and_with_the_timer() -> None:
    clock = FakeClock()
    api = WmsApi(World(rows=3), pace=Pace(each=2.0, speed=60.0), timer=clock)
    api.get("entity/")
    clock.advance(3.0)
    api.get("entity/")
    assert START + (2 + 2 + 180) * SECOND == api.world.now


def test_links_have_the_requests_host_or_the_public_one() -> None:
    api = api_of()
    body = json.loads(api.get("entity/", (("host", "one:8080"),)).body)
    assert "http://one:8080/demo/wms/lgfapi/v10/entity/item" == body["item"]
    api = WmsApi(World(rows=3), public="https://wms.example", environment="prod")
    assert (
        "https://wms.example/prod/wms/lgfapi/v10/entity/item" == json.loads(api.get("entity/").body)["item"]
    )


def test_each_mischief_makes_a_page_wrong_in_its_way() -> None:
    def second(kind: str) -> bytes:
        api = api_of(rows=30)
        api.mischief = Mischief(pages_in_order("", kind))
        words = {"page_size": 10, "page_mode": "sequenced", "id__lt": 10_000_085}
        last = ids(asked(api, "entity/order_hdr/", **words)[1]["results"])[-1]
        assert {} == api.mischief.met
        return api.get(f"entity/order_hdr/?{urlencode({**words, 'id__gt': last})}").body

    right = json.loads(second(""))
    rows, following = ids(right["results"]), right["next_page"]
    first = ids(results(api_of(rows=30), page_size=10))
    found = {kind: json.loads(second(kind)) for kind in MISCHIEF if kind not in ("torn", "bare")}
    assert first == ids(found["repeated"]["results"])
    assert following != found["repeated"]["next_page"]
    assert "cursor=" in following
    assert ("id__gt=" in found["endless"]["next_page"], rows) == (True, ids(found["endless"]["results"]))
    assert rows[::-1] == ids(found["unordered"]["results"])
    assert [rows[0], *rows] == ids(found["doubled"]["results"])
    assert ([], following) == (found["gapped"]["results"], found["gapped"]["next_page"])
    assert first == ids(found["unfiltered"]["results"])
    assert "results" not in json.loads(second("bare"))
    with pytest.raises(json.JSONDecodeError):
        json.loads(second("torn"))


def test_an_endless_list_never_ends() -> None:
    api = api_of(rows=30)
    api.mischief = Mischief(pages_from(0, "endless"))
    target = "entity/order_hdr/?page_size=10&ordering=-id"
    seen = set()
    for _ in range(5):
        target = json.loads(api.get(target).body)["next_page"]
        seen.add(target)
    assert 1 == len(seen)


def test_mischief_at_random_is_the_same_with_each_seed() -> None:
    script = pages_at_random(3, ("torn", "bare"), 0.5)
    kinds = [script(number) for number in range(50)]
    assert kinds == [pages_at_random(3, ("torn", "bare"), 0.5)(number) for number in range(50)]
    assert {"", "torn", "bare"} == set(kinds)


def test_large_answers_and_crowds_take_longer() -> None:
    latency = Latency(each=0.1, mebibyte=1.0, crowd=0.5)
    assert (0.1, 2.1, 4.2) == (latency.seconds(0, 1), latency.seconds(2**21, 1), latency.seconds(2**21, 3))


def test_a_warehouse_at_work_is_walked_by_keyset_without_a_repeated_row() -> None:
    api = api_of(rows=400, habits=STEADY)
    habit = Habit(inserts=0.2, updates=0.5, deletes=0.2)
    api.world.life, api.pace = Churn(1, habit, begin=api.world.now), Pace(each=5.0)
    rows = walked(api, ordering="-id", page_mode="sequenced", page_size=50)
    assert ids(rows) == sorted(set(ids(rows)), reverse=True)


def test_a_short_page_is_right_and_more_follow() -> None:
    api = api_of(rows=30)
    every = [row.id for row in api.world.truth("order_hdr")]
    api.mischief = Mischief(pages_in_order("short"))
    assert every == ids(walked(api, page_size=10, page_mode="sequenced"))
    assert ({"short": 1}, 4) == (api.mischief.met, api.pages)
    api.mischief = Mischief(pages_from(0, "short"))
    assert every == ids(walked(api, page_size=10))
    assert every == ids(walked(api, page_size=2, page_mode="sequenced"))
