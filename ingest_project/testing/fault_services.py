"""The memory behind the fault server: what DynamoDB and OpenSearch keep of a write, and answer to it."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ingest_project.testing.fault_scripts import Fault, error

BATCH_ITEMS = 25
ITEM_BYTES = 400 * 1024

_uuids = itertools.count(1)


class Reply(NamedTuple):
    """An answer before it is sent."""

    status: int
    body: bytes
    headers: dict[str, str]


def _retry_after(fault: Fault) -> dict[str, str]:
    return {"Retry-After": fault.retry_after} if fault.retry_after else {}


class DynamoDBTables:
    """Tables in memory with BatchWriteItem's rules: one bad item fails the request, nothing of it is kept.

    Attributes:
        items: Table -> key -> item as typed JSON.
        puts: Items taken, repeats included.
    """

    def __init__(self, keys: Mapping[str, tuple[str, ...]], *, null: bool) -> None:
        self._keys = dict(keys)
        self._null = null
        self._ids = {name: f"table-id-{next(_uuids)}" for name in keys}
        self.items: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in keys}
        self.puts = 0

    def call(self, operation: str, body: bytes) -> Reply:
        """DescribeTable is all there is beside the writes."""
        name = json.loads(body).get("TableName", "")
        if operation != "DescribeTable":
            return self.error(error("UnknownOperationException", message=operation))
        if name not in self._keys:
            return self.error(error("ResourceNotFoundException", message=f"no table {name}"))
        names = self._keys[name]
        roles = zip(names, ("HASH", "RANGE"), strict=False)
        table = {
            "TableName": name,
            "TableId": self._ids[name],
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": one, "KeyType": role} for one, role in roles],
            "AttributeDefinitions": [{"AttributeName": one, "AttributeType": "S"} for one in names],
        }
        return _typed(200, {"Table": table})

    def error(self, fault: Fault) -> Reply:
        kind = f"com.amazonaws.dynamodb.v20120810#{fault.name}"
        reply = _typed(fault.status, {"__type": kind, "message": fault.message})
        return Reply(reply.status, reply.body, reply.headers | _retry_after(fault))

    def write(self, fault: Fault | None, body: bytes) -> Reply:
        """Put all items but those that the fault names; these come back, their attributes in reverse."""
        if self._null and fault is None:
            return _typed(200, {"UnprocessedItems": {}})
        try:
            ((name, requests),) = json.loads(body)["RequestItems"].items()
        except ValueError:
            return self.error(error("SerializationException", message="not JSON"))
        items = [request["PutRequest"]["Item"] for request in requests]
        refused = self._refused(name, items)
        if refused is not None:
            return self.error(refused)
        left = []
        for index, item in enumerate(items):
            if fault is not None and index in fault.indices:
                left.append({"PutRequest": {"Item": dict(reversed(item.items()))}})
            else:
                self.items[name][self._key(name, item)] = item
                self.puts += 1
        return _typed(200, {"UnprocessedItems": {name: left} if left else {}})

    def _refused(self, name: str, items: list[dict[str, Any]]) -> Fault | None:
        if name not in self._keys:
            return error("ResourceNotFoundException", message="Requested resource not found")
        if len(items) > BATCH_ITEMS:
            return error(
                "ValidationException", message="Too many items requested for the BatchWriteItem call"
            )
        for item in items:
            if any(not next(iter(item.get(part, {"S": ""}).values())) for part in self._keys[name]):
                return error("ValidationException", message="a key attribute is missing or empty")
            if len(json.dumps(item)) > ITEM_BYTES:
                return error("ValidationException", message="Item size has exceeded the maximum allowed size")
        if len({self._key(name, item) for item in items}) < len(items):
            return error("ValidationException", message="Provided list of item keys contains duplicates")
        return None

    def _key(self, name: str, item: Mapping[str, Any]) -> str:
        return json.dumps([item[part] for part in self._keys[name]])


class OpenSearchIndices:
    """Indices in memory; documents keep their bytes.

    Attributes:
        documents: Index -> id -> source.
        writes: Documents taken, repeats included.
    """

    def __init__(self, names: tuple[str, ...], *, null: bool) -> None:
        self._null = null
        self._uuids: dict[str, str] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._taken: dict[int, Reply] = {}
        self.documents: dict[str, dict[str, bytes]] = {}
        self.writes = 0
        self.refreshes = 0
        for name in names:
            self.create(name)

    def create(self, name: str) -> None:
        """Make an empty index with a new UUID, in place of one that exists."""
        self._uuids[name] = f"index-uuid-{next(_uuids)}"
        self.documents[name] = {}

    def call(self, method: str, index: str, verb: str, body: bytes) -> Reply:
        """Creation, settings (for the UUID) and refresh are all there is beside the writes."""
        if (method, verb) == ("PUT", "") and index not in self._uuids:
            self.create(index)
            return _plain(200, {"acknowledged": True, "index": index})
        if (method, verb) == ("PUT", ""):
            return self.error(error("resource_already_exists_exception", message=f"[{index}] already exists"))
        if (method, verb) == ("GET", "_mapping"):
            return _plain(200, {index: {"mappings": {}}})
        if index not in self._uuids:
            missing = error("index_not_found_exception", status=404, message=f"no such index [{index}]")
            return self.error(missing)
        if verb == "_refresh":
            self.refreshes += 1
            return _plain(200, {"_shards": {"failed": 0}})
        if verb == "_settings":
            return _plain(200, {index: {"settings": {"index": {"uuid": self._uuids[index]}}}})
        return self.error(error("illegal_argument_exception", message=f"{method} {verb}: {len(body)} bytes"))

    def error(self, fault: Fault) -> Reply:
        reply = _plain(fault.status, {"error": _cause(fault.name, fault.message), "status": fault.status})
        return Reply(reply.status, reply.body, reply.headers | _retry_after(fault))

    def write(self, index: str, fault: Fault | None, body: bytes) -> Reply:
        """Index all documents but those that the fault names. A missing index is made, as usual.

        Args:
            index: Where documents go whose action names none; empty: every action has to.
        """
        if self._null and fault is None:
            return self._all_taken(body.count(b"\n") // 2)
        lines = body.split(b"\n")
        items = []
        for place, (action, document) in enumerate(zip(lines[0:-1:2], lines[1::2], strict=True)):
            if fault is not None and place in fault.indices:
                items.append(_failed(fault.status, fault.name, fault.message))
            else:
                items.append(self._index(index, json.loads(action)["index"], document))
        return _plain(200, {"errors": any("error" in one["index"] for one in items), "items": items})

    def _index(self, index: str, action: Mapping[str, Any], document: bytes) -> dict[str, Any]:
        index = action.get("_index", index)
        if index not in self._uuids:
            self.create(index)
        place, version = (index, action["_id"]), int(action.get("version", 0))
        if version and version <= self._versions.get(place, 0):
            return _failed(409, "version_conflict_engine_exception", "current version is higher or equal")
        try:
            json.loads(document)
        except ValueError as fault:
            return _failed(400, "mapper_parsing_exception", f"failed to parse: {fault}")
        self._versions[place] = version
        self.documents[index][action["_id"]] = document
        self.writes += 1
        return {"index": {"status": 201}}

    def _all_taken(self, count: int) -> Reply:
        if count not in self._taken:
            self._taken[count] = _plain(200, {"errors": False, "items": [{"index": {"status": 201}}] * count})
        return self._taken[count]


def _cause(name: str, message: str) -> dict[str, str]:
    return {"type": name, "reason": message}


def _failed(status: int, name: str, message: str) -> dict[str, Any]:
    return {"index": {"status": status, "error": _cause(name, message)}}


def _typed(status: int, value: object) -> Reply:
    body = json.dumps(value, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": str(zlib.crc32(body))}
    return Reply(status, body, headers)


def _plain(status: int, value: object) -> Reply:
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, body, {"Content-Type": "application/json"})
