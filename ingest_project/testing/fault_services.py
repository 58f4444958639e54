"""The memory behind the fault server: what DynamoDB and OpenSearch keep of a write, and answer to it.

Knows no fault: what is scripted to fail does not come here.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from ingest_project.testing.fault_dynamodb import DynamoDB, operation_of, typed_reply
from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.fault_opensearch import Action, OpenSearch, actions_of, cause
from ingest_project.testing.fault_scripts import Fault, error

BATCH_ITEMS = 25
ITEM_BYTES = 400 * 1024

_uuids = itertools.count(1)
_ALL_PUT = typed_reply(200, {"UnprocessedItems": {}})


class Memory:
    """Both services at one address, in memory.

    Args:
        null: Take everything and keep nothing.
    """

    def __init__(self, keys: Mapping[str, tuple[str, ...]], indices: tuple[str, ...], *, null: bool) -> None:
        self.tables = DynamoDBTables(keys, null=null)
        self.indices = OpenSearchIndices(indices, null=null)

    async def answer(self, call: Call) -> Reply:
        """What the service would say."""
        call = call.plain()
        operation = operation_of(call)
        if operation == "BatchWriteItem":
            return self.tables.write(call.body)
        if operation == "PutItem":
            return self.tables.put(call.body)
        if operation:
            return self.tables.call(operation, call.body)
        index, verb = (*call.path, "", "")[:2]
        if index == "_bulk":
            index, verb = "", index
        if verb == "_bulk":
            return self.indices.write(index, call.body)
        return self.indices.call(call.method, index, verb, call.body)

    async def aclose(self) -> None:
        """Nothing is open."""


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
        """DescribeTable and BatchGetItem are all there is beside the writes."""
        if operation == "BatchGetItem":
            return self._found(json.loads(body)["RequestItems"])
        name = json.loads(body).get("TableName", "")
        if operation != "DescribeTable":
            return _dynamodb(error("UnknownOperationException", message=operation))
        if name not in self._keys:
            return _dynamodb(error("ResourceNotFoundException", message=f"no table {name}"))
        names = self._keys[name]
        roles = zip(names, ("HASH", "RANGE"), strict=False)
        table = {
            "TableName": name,
            "TableId": self._ids[name],
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": one, "KeyType": role} for one, role in roles],
            "AttributeDefinitions": [{"AttributeName": one, "AttributeType": "S"} for one in names],
        }
        return typed_reply(200, {"Table": table})

    def write(self, body: bytes) -> Reply:
        """Put all items of a BatchWriteItem to one table."""
        if self._null:
            return _ALL_PUT
        try:
            ((name, requests),) = json.loads(body)["RequestItems"].items()
        except ValueError:
            return _dynamodb(error("SerializationException", message="not JSON"))
        items = [request["PutRequest"]["Item"] for request in requests]
        refused = self._refused(name, items)
        if refused is not None:
            return _dynamodb(refused)
        for item in items:
            self.items[name][self._key(name, item)] = item
            self.puts += 1
        return _ALL_PUT

    def put(self, body: bytes) -> Reply:
        """PutItem with the one condition that is known here: no item, or one whose version is not higher."""
        if self._null:
            return typed_reply(200, {})
        try:
            asked = json.loads(body)
        except ValueError:
            return _dynamodb(error("SerializationException", message="not JSON"))
        name, item = asked["TableName"], asked["Item"]
        refused = self._refused(name, [item])
        if refused is not None:
            return _dynamodb(refused)
        standing = self.items[name].get(self._key(name, item))
        if standing is not None and "ConditionExpression" in asked:
            version = standing.get(asked["ExpressionAttributeNames"]["#v"], {"N": "0"})["N"]
            if int(version) > int(asked["ExpressionAttributeValues"][":v"]["N"]):
                return _dynamodb(error("ConditionalCheckFailedException", message="The condition failed"))
        self.items[name][self._key(name, item)] = item
        self.puts += 1
        return typed_reply(200, {})

    def _found(self, asked: Mapping[str, Any]) -> Reply:
        """The items that are there; a table that is not known has none."""
        found = {
            name: [item for key in wanted["Keys"] if (item := self._at(name, key)) is not None]
            for name, wanted in asked.items()
        }
        return typed_reply(200, {"Responses": found, "UnprocessedKeys": {}})

    def _at(self, name: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        return self.items.get(name, {}).get(self._key(name, key)) if name in self._keys else None

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
        self._states: dict[str, dict[str, Any]] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._taken: dict[int, Reply] = {}
        self.documents: dict[str, dict[str, bytes]] = {}
        self.writes = 0
        self.refreshes = 0
        for name in names:
            self.create(name)

    def create(self, name: str) -> None:
        """Make an empty index with a new UUID, in place of one that exists."""
        self._uuids[name] = uuid = f"index-uuid-{next(_uuids)}"
        self._states[name] = {"aliases": {}, "mappings": {}, "settings": {"index": {"uuid": uuid}}}
        self.documents[name] = {}

    def call(self, method: str, index: str, verb: str, body: bytes) -> Reply:
        """Creation, state, settings, mappings, refresh and count are all there is beside the writes."""
        if (method, verb) == ("PUT", ""):
            return self._made(index, json.loads(body or b"{}"))
        if index not in self._uuids:
            return _opensearch(OpenSearch().missing(index))
        state = self._states[index]
        if verb == "_refresh":
            self.refreshes += 1
            return json_reply(200, {"_shards": {"failed": 0}})
        if verb == "_count":
            return json_reply(200, {"count": len(self.documents[index])})
        if method == "PUT" and verb in ("_settings", "_mapping"):
            self._change(index, verb, json.loads(body))
            return json_reply(200, {"acknowledged": True})
        if method == "GET" and verb in ("", "_settings", "_mapping"):
            shown = {"": state, "_settings": {"settings": state["settings"]}}
            return json_reply(200, {index: shown.get(verb, {"mappings": state["mappings"]})})
        return _opensearch(error("illegal_argument_exception", message=f"{method} {verb}: {len(body)} bytes"))

    def _made(self, index: str, asked: Mapping[str, Any]) -> Reply:
        if index in self._uuids:
            exists = error("resource_already_exists_exception", message=f"[{index}] already exists")
            return _opensearch(exists)
        self.create(index)
        self._change(index, "_settings", asked.get("settings", {}))
        self._change(index, "_mapping", asked.get("mappings", {}))
        return json_reply(200, {"acknowledged": True, "index": index})

    def _change(self, index: str, verb: str, asked: Mapping[str, Any]) -> None:
        state = self._states[index]
        if verb == "_mapping":
            state["mappings"].update(asked)
        else:
            state["settings"]["index"].update(asked.get("index", asked))

    def write(self, index: str, body: bytes) -> Reply:
        """Index all documents. A missing index is made, as usual.

        Args:
            index: Where documents go whose action names none; empty: every action has to.
        """
        if self._null:
            return self._all_taken(body.count(b"\n") // 2)
        try:
            actions = list(actions_of(body))
        except ValueError as fault:
            return _opensearch(error("illegal_argument_exception", message=f"Malformed action: {fault}"))
        items = [self._act(index, action) for action in actions]
        return json_reply(200, {"errors": any("error" in one["index"] for one in items), "items": items})

    def _act(self, index: str, action: Action) -> dict[str, Any]:
        index = action.said.get("_index", index)
        if index not in self._uuids:
            self.create(index)
        place, version = (index, action.said["_id"]), int(action.said.get("version", 0))
        equal = action.said.get("version_type") == "external_gte"
        if version and version < self._versions.get(place, 0) + (not equal):
            return _failed(409, "version_conflict_engine_exception", "current version is higher or equal")
        try:
            json.loads(action.source)
        except ValueError as fault:
            return _failed(400, "mapper_parsing_exception", f"failed to parse: {fault}")
        self._versions[place] = version
        self.documents[index][action.said["_id"]] = action.source
        self.writes += 1
        return {"index": {"status": 201}}

    def _all_taken(self, count: int) -> Reply:
        if count not in self._taken:
            taken = [{"index": {"status": 201}}] * count
            self._taken[count] = json_reply(200, {"errors": False, "items": taken})
        return self._taken[count]


def _dynamodb(fault: Fault) -> Reply:
    return DynamoDB().error(fault)


def _opensearch(fault: Fault) -> Reply:
    return OpenSearch().error(fault)


def _failed(status: int, name: str, message: str) -> dict[str, Any]:
    return {"index": {"status": status, "error": cause(error(name, status=status, message=message))}}
