"""OpenSearch's protocol for the fault server: _bulk taken apart and put together, errors.

Keeps nothing: indices in memory are in fault_services.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ingest_project.testing.fault_dialects import Entry
from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.fault_scripts import Fault, error

WRITES = frozenset({"_bulk", "_doc", "_create", "_update"})


class Action(NamedTuple):
    """One action of a _bulk body.

    Attributes:
        verb: ``index``, ``create``, ``update`` or ``delete``.
        said: What the action line says of it.
        source: The second line; empty for a deletion.
        raw: Both lines.
    """

    verb: str
    said: Mapping[str, Any]
    source: bytes
    raw: bytes


def actions_of(body: bytes) -> Iterator[Action]:
    """The actions of a _bulk body. Raises ValueError when it is none."""
    lines = iter(body.split(b"\n"))
    for line in lines:
        if not line.strip():
            continue
        ((verb, said),) = json.loads(line).items()
        source = b"" if verb == "delete" else next(lines, b"")
        raw = line + b"\n" if verb == "delete" else line + b"\n" + source + b"\n"
        yield Action(verb, said, source, raw)


class OpenSearch:
    """fault_dialects.Dialect."""

    item_errors = True
    whole_throttle = False

    def writes(self, call: Call) -> bool:
        return call.method in ("POST", "PUT", "DELETE") and not WRITES.isdisjoint(call.path[:2])

    def targets(self, call: Call) -> set[str]:
        path = call.path
        return {path[0]} if path and not path[0].startswith("_") else set()

    def error(self, fault: Fault) -> Reply:
        return json_reply(fault.status, {"error": cause(fault), "status": fault.status})

    def take_apart(self, call: Call) -> Bulk | None:
        if call.path[-1:] != ("_bulk",):
            return None
        try:
            return Bulk(call.plain())
        except (ValueError, OSError, AttributeError):
            return None

    def throttle(self) -> Fault:
        message = "rejected execution of primary operation [shard_detail=..., primary_operations=...]"
        return error("es_rejected_execution_exception", status=429, message=message)

    def missing(self, target: str) -> Fault:
        return error("index_not_found_exception", status=404, message=f"no such index [{target}]")

    def blocked(self, target: str) -> Fault:
        message = f"index [{target}] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];"
        return error("cluster_block_exception", status=403, message=message)

    def denial(self, why: str, message: str) -> Fault:
        """As a domain on AWS says it: one message, no type."""
        said = json.dumps({"message": message}).encode()
        return replace(error("", status=403, message=message), body=said)

    def damaged(self, reply: Reply) -> Reply:
        """No checksum would tell: the answer is not JSON any more."""
        plain = reply.plain()
        return plain._replace(body=b"\0" + plain.body[1:])

    def wrong(self, reply: Reply) -> Reply:
        """One item fewer than were sent."""
        said = json.loads(reply.plain().body)
        if isinstance(said.get("items"), list):
            said = {**said, "items": said["items"][:-1]}
        return _like(reply, said)


class Bulk:
    """A _bulk request."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._actions = list(actions_of(call.body))
        usual = call.path[0] if call.path[0] != "_bulk" else ""
        self._indices = [str(action.said.get("_index", usual)) for action in self._actions]
        sizes = (len(action.source) for action in self._actions)
        self.entries = [Entry(*pair) for pair in zip(self._indices, sizes, strict=True)]

    def without(self, out: Mapping[int, Fault]) -> Call | None:
        left = [action.raw for place, action in enumerate(self._actions) if place not in out]
        return self._call._replace(body=b"".join(left)) if left else None

    def merged(self, reply: Reply | None, out: Mapping[int, Fault]) -> Reply:
        """Failed items stand in their places among those of the answer, whatever it was filtered to."""
        if reply is not None and not 200 <= reply.status < 300:
            return reply
        said: dict[str, Any] = json.loads(reply.plain().body) if reply is not None else {"took": 0}
        answered = iter(said.get("items") or [])
        items = []
        for place in range(len(self._actions)):
            item = self._failed(place, out[place]) if place in out else next(answered, None)
            if item is not None:
                items.append(item)
        said = {**said, "errors": bool(out) or bool(said.get("errors")), "items": items}
        return _like(reply, said)

    def _failed(self, place: int, fault: Fault) -> dict[str, Any]:
        action = self._actions[place]
        named = {"_index": self._indices[place], "_id": action.said.get("_id")}
        return {action.verb: {**named, "status": fault.status, "error": cause(fault)}}


def cause(fault: Fault) -> dict[str, str]:
    """What went wrong, as OpenSearch says it."""
    return {"type": fault.name, "reason": fault.message}


def _like(reply: Reply | None, said: object) -> Reply:
    made = json_reply(200, said)
    if reply is None:
        return made
    kept = tuple(pair for pair in reply.plain().headers if pair[0].lower() != "content-length")
    return made._replace(status=reply.status, headers=kept)
