"""DynamoDB's protocol for the fault server: BatchWriteItem taken apart and put together, errors, checksums.

Keeps nothing: tables in memory are in fault_services.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from ingest_project.testing.fault_dialects import EXPIRED, FORGED, SKEWED, UNKNOWN, Entry
from ingest_project.testing.fault_items import item_size
from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.fault_scripts import Fault, error

WRITES = frozenset(
    {"BatchWriteItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "ExecuteStatement"}
)
NAMESPACE = "com.amazonaws.dynamodb.v20120810"
ALL_TAKEN = b'{"UnprocessedItems":{}}'
DENIALS = {
    EXPIRED: "ExpiredTokenException",
    FORGED: "InvalidSignatureException",
    SKEWED: "InvalidSignatureException",
    UNKNOWN: "UnrecognizedClientException",
}


def operation_of(call: Call) -> str:
    """``BatchWriteItem``; empty when it is no call to DynamoDB."""
    return call.header("X-Amz-Target").rpartition(".")[2]


class DynamoDB:
    """fault_dialects.Dialect."""

    item_errors = False
    whole_throttle = True

    def writes(self, call: Call) -> bool:
        return operation_of(call) in WRITES

    def targets(self, call: Call) -> set[str]:
        asked = _json(call)
        names = {asked["TableName"]} if isinstance(asked.get("TableName"), str) else set()
        return names | set(asked.get("RequestItems") or {})

    def error(self, fault: Fault) -> Reply:
        said = {"__type": f"{NAMESPACE}#{fault.name}", "message": fault.message}
        return typed_reply(fault.status, said)

    def take_apart(self, call: Call) -> Puts | None:
        if operation_of(call) != "BatchWriteItem":
            return None
        asked = _json(call)
        try:
            return Puts(call.plain(), asked)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def throttle(self) -> Fault:
        return error(
            "ProvisionedThroughputExceededException",
            message="The level of configured provisioned throughput for the table was exceeded.",
        )

    def missing(self, target: str) -> Fault:
        return error(
            "ResourceNotFoundException", message=f"Requested resource not found: Table: {target} not found"
        )

    def blocked(self, target: str) -> Fault:
        return error("ResourceInUseException", message=f"Table {target} takes no writes now")

    def denial(self, why: str, message: str) -> Fault:
        return error(DENIALS[why], message=message)

    def damaged(self, reply: Reply) -> Reply:
        """It claims that all was taken; the checksum is that of the true answer, or of nothing."""
        plain = reply.plain()
        right = zlib.crc32(plain.body) if plain.body != ALL_TAKEN else 1
        body = ALL_TAKEN if plain.status == 200 else plain.body + b" "
        return plain._replace(body=body).having({"x-amz-crc32": str(right)})

    def wrong(self, reply: Reply) -> Reply:
        """Unprocessed items of a table that nobody wrote to."""
        stranger = {"PutRequest": {"Item": {"id": {"S": "nobody sent this"}}}}
        return typed_reply(200, {"UnprocessedItems": {"another-table": [stranger]}}, reply)


class Puts:
    """A BatchWriteItem; places count over all tables in the order of the request."""

    def __init__(self, call: Call, asked: Mapping[str, Any]) -> None:
        self._call, self._asked = call, asked
        self._flat = [(name, one) for name, requests in asked["RequestItems"].items() for one in requests]
        self.entries = [Entry(name, _size(one)) for name, one in self._flat]

    def without(self, out: Mapping[int, Fault]) -> Call | None:
        left = self._grouped(place for place in range(len(self._flat)) if place not in out)
        if not left:
            return None
        body = json.dumps({**self._asked, "RequestItems": left}, separators=(",", ":")).encode()
        return self._call._replace(body=body)

    def merged(self, reply: Reply | None, out: Mapping[int, Fault]) -> Reply:
        """UnprocessedItems have their attributes in reverse: the service does not keep an order either."""
        if reply is not None and reply.status != 200:
            return reply
        said: dict[str, Any] = json.loads(reply.plain().body) if reply is not None else {}
        left = self._grouped(sorted(out), backwards=True)
        for name, requests in (said.get("UnprocessedItems") or {}).items():
            left.setdefault(name, []).extend(requests)
        return typed_reply(200, {**said, "UnprocessedItems": left}, reply)

    def _grouped(self, places: Iterator[int] | list[int], *, backwards: bool = False) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for place in places:
            name, one = self._flat[place]
            found.setdefault(name, []).append(_backwards(one) if backwards else one)
        return found


def typed_reply(status: int, value: object, like: Reply | None = None) -> Reply:
    """JSON with DynamoDB's checksum; other headers as those of ``like``."""
    reply = json_reply(status, value)
    own = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(zlib.crc32(reply.body))}
    headers = () if like is None else like.plain().headers
    kept = tuple(pair for pair in headers if pair[0].lower() != "content-length")
    return Reply(status, reply.body, kept).having(own)


def _backwards(request: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, what),) = request.items()
    return {kind: {name: dict(reversed(value.items())) for name, value in what.items()}}


def _size(request: Mapping[str, Any]) -> int:
    ((_, what),) = request.items()
    return item_size(what.get("Item") or what["Key"])


def _json(call: Call) -> Mapping[str, Any]:
    try:
        found = json.loads(call.plain().body)
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
