"""DynamoDB tables as values: keys, attributes, indexes with what they project, TTL, billing.

Knows how a definition is spelled for CreateTable, and nothing of servers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ingest_project.core.model import KeySchema

Billing = Literal["PAY_PER_REQUEST", "PROVISIONED"]

_ROLES = ("HASH", "RANGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDefinition:
    """A global secondary index.

    Attributes:
        include: Attributes that it projects beside its own keys and the table's. None: all.
    """

    name: str
    keys: KeySchema
    include: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDefinition:
    """One table.

    Attributes:
        word: What queries call it, whatever its name is in a deployment.
        attributes: Everything that an item of it may have, with its DynamoDB type; the keys are among them.
        ttl: Attribute that holds the second at which an item expires; empty: items stay.
        read_units, write_units: Provisioned ones; of an on-demand table 0.
    """

    word: str
    name: str
    keys: KeySchema
    attributes: Mapping[str, str]
    indexes: tuple[IndexDefinition, ...] = ()
    ttl: str = ""
    billing: Billing = "PAY_PER_REQUEST"
    read_units: int = 0
    write_units: int = 0

    def __post_init__(self) -> None:
        for keys in (self.keys, *(index.keys for index in self.indexes)):
            wrong = [f"{name}:{kind}" for name, kind in keys.parts if self.attributes.get(name) != kind]
            if wrong:
                raise ValueError(f"{self.name}: key {', '.join(wrong)} is no attribute of that type")
        included = {name for index in self.indexes for name in index.include or ()}
        strange = sorted((included | ({self.ttl} - {""})) - self.attributes.keys())
        if strange:
            raise ValueError(f"{self.name}: no attribute {', '.join(strange)}")

    def index(self, name: str) -> IndexDefinition | None:
        """The index of that name."""
        return next((index for index in self.indexes if index.name == name), None)

    def keys_of(self, index: str) -> KeySchema:
        """Key by which a query reads the table (empty name) or an index. Raises KeyError: no such index."""
        if not index:
            return self.keys
        found = self.index(index)
        if found is None:
            raise KeyError(f"{self.name} has no index {index}")
        return found.keys

    def readable(self, index: str) -> frozenset[str]:
        """Attributes that a query of the table (empty name) or of an index can get. Raises KeyError."""
        keys = self.keys_of(index)
        found = self.index(index)
        if found is None or found.include is None:
            return frozenset(self.attributes)
        return frozenset({name for name, _ in (*self.keys.parts, *keys.parts)} | {*found.include})

    @property
    def fingerprint(self) -> str:
        """24 hexadecimal digits over all that the service is told; another one wherever a word differs."""
        words = json.dumps([create_request(self), self.ttl, sorted(self.attributes.items())], sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:24]


def create_request(definition: TableDefinition) -> dict[str, Any]:
    """The definition as CreateTable takes it. TTL is switched on by another call."""
    every = (definition.keys, *(index.keys for index in definition.indexes))
    kinds = {name: kind for keys in every for name, kind in keys.parts}
    found: dict[str, Any] = {
        "TableName": definition.name,
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in sorted(kinds.items())
        ],
        "KeySchema": key_schema(definition.keys),
        "BillingMode": definition.billing,
    }
    units = {"ReadCapacityUnits": definition.read_units, "WriteCapacityUnits": definition.write_units}
    throughput = {"ProvisionedThroughput": units} if definition.billing == "PROVISIONED" else {}
    if definition.indexes:
        found["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": key_schema(index.keys),
                "Projection": projection(index),
                **throughput,
            }
            for index in definition.indexes
        ]
    return found | throughput


def key_schema(keys: KeySchema) -> list[dict[str, str]]:
    """A key as the service spells it."""
    return [
        {"AttributeName": name, "KeyType": role} for (name, _), role in zip(keys.parts, _ROLES, strict=False)
    ]


def projection(index: IndexDefinition) -> dict[str, Any]:
    """What an index projects, as the service spells it."""
    if index.include is None:
        return {"ProjectionType": "ALL"}
    if not index.include:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": sorted(index.include)}
