"""What tests of the simulated API share: asking it, following its links, and what a list should have been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from ingest_project.testing.wms_api import WmsApi
from ingest_project.testing.wms_query import Habits
from ingest_project.testing.wms_world import World

STEADY = Habits(shuffled_ties=False)


def api_of(*, habits: Habits = STEADY, **settings: Any) -> WmsApi:
    """An API over a warehouse of a few rows with ties."""
    return WmsApi(World(**{"rows": 120, "seed": 5, "ties": 30, **settings}), habits=habits)


def asked(api: WmsApi, target: str, **parameters: object) -> tuple[int, Any]:
    """Status and JSON of a GET."""
    words = {name.replace("DASH", "-"): value for name, value in parameters.items()}
    reply = api.get(f"{target}?{urlencode(words)}" if words else target)
    return reply.status, json.loads(reply.body) if reply.body else None


def results(api: WmsApi, entity: str = "order_hdr", **parameters: object) -> list[dict[str, Any]]:
    """The rows of the first page."""
    status, body = asked(api, f"entity/{entity}/", empty_response_http_code=200, **parameters)
    assert status == 200, body
    found: list[dict[str, Any]] = body["results"]
    return found


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def walked(api: WmsApi, entity: str = "order_hdr", **parameters: object) -> list[dict[str, Any]]:
    """All rows of all pages, by the links as they are given."""
    status, body = asked(api, f"entity/{entity}/", **parameters)
    rows: list[dict[str, Any]] = []
    while True:
        assert status == 200, body
        rows += body["results"]
        if body["next_page"] is None:
            return rows
        status, body = asked(api, body["next_page"])


def everything(api: WmsApi, entity: str = "order_hdr") -> list[dict[str, Any]]:
    """The rows that exist, as the API says them."""
    base = f"http://wms.invalid{api.root}entity"
    return [json.loads(text) for text in api.world.truth_bytes(entity, base)]


def comparable(name: str, value: Any) -> Any:
    """A value as it should be compared."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return value.get("id")
    if name.endswith(("_qty", "_price")) or "decimal" in name:
        return Decimal(value)
    return value
