"""The simulator's back door under ``/_wms/``: move time, change rows, see what is true."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.wms_api import WmsApi
from ingest_project.testing.wms_errors import Refused, refusal
from ingest_project.testing.wms_fields import ENTITIES

DOOR = "_wms"


def controlled(api: WmsApi, call: Call) -> Reply:
    """The answer to a request whose path begins with DOOR."""
    try:
        asked: dict[str, Any] = (
            json.loads(call.body) if call.body else dict(parse_qsl(urlsplit(call.target).query))
        )
        return _answered(api, call.path[1:], asked)
    except Refused as refused:
        return refusal(refused.status, refused.message, refused.details)
    except (ValueError, KeyError, TypeError) as error:
        return refusal(400, f"{type(error).__name__}: {error}")


def _answered(api: WmsApi, path: tuple[str, ...], asked: Mapping[str, Any]) -> Reply:
    world = api.world
    if path == ("state",):
        return json_reply(200, state(api))
    if path == ("advance",):
        world.advance(float(asked["seconds"]))
    elif path == ("settle",):
        world.settle()
    elif path == ("revoke",):
        api.doors.revoke()
    elif path == ("field",):
        _change_field(api, asked)
    elif len(path) == 2 and path[0] == "curse" and path[1] in ENTITIES:
        api.mischief.cursed[path[1]] = frozenset(int(row) for row in asked["ids"])
    elif len(path) == 2 and path[0] == "truth" and path[1] in ENTITIES:
        return _truth(api, path[1], asked)
    elif len(path) == 2 and path[0] in ("insert", "update", "delete") and path[1] in ENTITIES:
        return json_reply(200, {"ids": _changed(api, *path, asked)})
    else:
        raise Refused(404, f"No such door: {'/'.join(path)}")
    return json_reply(200, state(api))


def state(api: WmsApi) -> dict[str, object]:
    """The warehouse now: its time, how many rows, what is open, what was asked."""
    world = api.world
    return {
        "now": world.stamps.text(world.now).decode(),
        "pending": world.pending,
        "rows": {name: len(found.table) for name, found in world.entities.items()},
        "changes": {name: found.table.changes for name, found in world.entities.items()},
        "asked": dict(api.asked),
        "mischief": dict(api.mischief.met),
        "tokens": api.doors.issued,
    }


def _truth(api: WmsApi, entity: str, asked: Mapping[str, Any]) -> Reply:
    """JSON lines; only ids and mod_ts unless ``rows=1``."""
    if str(asked.get("rows", "")) == "1":
        base = str(asked.get("base", "")) or f"{api.root}entity"
        lines: Iterator[bytes] = api.world.truth_bytes(entity, base)
    else:
        text = api.world.stamps.text
        lines = (b'{"id":%d,"mod_ts":"%s"}' % (row.id, text(row.modified)) for row in api.world.truth(entity))
    return Reply(200, b"".join(line + b"\n" for line in lines), (("Content-Type", "application/x-ndjson"),))


def _changed(api: WmsApi, kind: str, entity: str, asked: Mapping[str, Any]) -> tuple[int, ...]:
    world, late, server = api.world, float(asked.get("late", 0)), int(asked.get("server", 0))
    if kind == "insert":
        return world.insert(entity, int(asked.get("rows", 1)), server=server, late=late)
    ids = [int(row) for row in asked["ids"]]
    if kind == "delete":
        return world.delete(entity, ids, late=late)
    return world.update(entity, ids, server=server, late=late)


def _change_field(api: WmsApi, asked: Mapping[str, Any]) -> None:
    entity, name, kind = str(asked["entity"]), str(asked["name"]), str(asked.get("kind", ""))
    if asked.get("new"):
        api.world.add_field(entity, name, kind)
    elif kind:
        api.world.change_type(entity, name, kind)
    else:
        api.world.remove_field(entity, name)
