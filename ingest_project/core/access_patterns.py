"""Reads of a table as values: what is asked, by which key, for which attributes. They render the request.

Whether a table can answer them is decided in access_linting. Nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from ingest_project.core.table_definitions import TableDefinition

Plain: TypeAlias = str | int | Decimal
Comparison: TypeAlias = Literal["=", "<", "<=", ">", ">=", "between", "begins_with"]
Typed: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Items of one partition of a table or an index.

    Attributes:
        name: Of the pattern, in messages and metrics.
        table: ``word`` of the table's definition.
        index: Empty: the table itself.
        partition: Attribute that is held equal to one value.
        sort: Attribute that a range is taken of; empty: all of the partition.
        comparison: How it is compared; ``between`` takes two values.
        projection: Attributes that are asked for.
        filters: Attributes that are held equal after reading: what they drop is paid for.
        limit: Most items that are looked at; None: all, page by page.
        forward: In ascending order of the sort key.
        consistent: Sees every write that was answered before.
    """

    name: str
    table: str
    partition: str
    projection: tuple[str, ...]
    index: str = ""
    sort: str = ""
    comparison: Comparison = "="
    filters: tuple[str, ...] = ()
    limit: int | None = None
    forward: bool = True
    consistent: bool = False

    def request(
        self,
        definition: TableDefinition,
        partition: Plain,
        sort: Sequence[Plain] = (),
        filters: Mapping[str, Plain] | None = None,
        *,
        start: Typed | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """The request of operation ``Query``.

        Args:
            partition: Value of the partition attribute.
            sort: Values for the comparison: two for ``between``, else one; none without ``sort``.
            filters: Value of each of ``filters``.
            start: LastEvaluatedKey of the page before.
            limit: In place of the pattern's, never more than it.

        Raises:
            ValueError: The values are not those that the pattern has places for.
        """
        given = filters or {}
        wanted = 0 if not self.sort else 2 if self.comparison == "between" else 1
        if len(sort) != wanted or given.keys() != {*self.filters}:
            raise ValueError(f"{self.name}: takes {wanted} sort values and the filters {self.filters}")
        names = _Names()
        values = {":p": typed(definition, self.partition, partition)}
        condition = f"{names(self.partition)} = :p"
        if self.sort:
            condition += " AND " + _compared(names(self.sort), self.comparison)
            values |= {f":s{at}": typed(definition, self.sort, value) for at, value in enumerate(sort)}
        made = {"KeyConditionExpression": condition} | _asked(names, self.projection)
        if self.filters:
            values |= {
                f":f{at}": typed(definition, name, given[name]) for at, name in enumerate(self.filters)
            }
            made["FilterExpression"] = " AND ".join(
                f"{names(name)} = :f{at}" for at, name in enumerate(self.filters)
            )
        most = min((one for one in (limit, self.limit) if one is not None), default=None)
        return {
            **_common(definition, self.index, self.consistent),
            **made,
            "ExpressionAttributeNames": names.known,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": self.forward,
            **({} if most is None else {"Limit": most}),
            **({} if start is None else {"ExclusiveStartKey": start}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Everything of a table or an index, in segments: for copying and comparing, never to answer a question.

    Attributes:
        projection: Attributes that are asked for; none: all that there are.
    """

    name: str
    table: str
    index: str = ""
    projection: tuple[str, ...] = ()
    consistent: bool = False

    def request(
        self,
        definition: TableDefinition,
        *,
        segment: int = 0,
        segments: int = 1,
        start: Typed | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """The request of operation ``Scan``."""
        names = _Names()
        asked: dict[str, Any] = _asked(names, self.projection)
        if names.known:
            asked["ExpressionAttributeNames"] = names.known
        return {
            **_common(definition, self.index, self.consistent),
            **asked,
            "Segment": segment,
            "TotalSegments": segments,
            **({} if limit is None else {"Limit": limit}),
            **({} if start is None else {"ExclusiveStartKey": start}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Items of a table by their keys, at most a hundred at once.

    Attributes:
        projection: Attributes that are asked for; none: all that there are.
    """

    name: str
    table: str
    projection: tuple[str, ...] = ()
    consistent: bool = False

    def request(self, definition: TableDefinition, keys: Sequence[Typed]) -> dict[str, Any]:
        """The request of operation ``BatchGetItem``. ``keys`` are typed: ``{"id": {"S": "1"}}``."""
        names = _Names()
        asked: dict[str, Any] = _asked(names, self.projection)
        if names.known:
            asked["ExpressionAttributeNames"] = names.known
        wanted = {"Keys": list(keys), "ConsistentRead": self.consistent, **asked}
        return {"RequestItems": {definition.name: wanted}, "ReturnConsumedCapacity": "INDEXES"}


AccessPattern: TypeAlias = Query | Scan | Lookup


def typed(definition: TableDefinition, attribute: str, value: Plain) -> dict[str, str]:
    """A value as the attribute's type has it. Raises KeyError: the table has no such attribute."""
    return {definition.attributes[attribute]: str(value)}


class _Names:
    """Each name gets an alias, reserved or not: so none can be a reserved word."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self._aliases: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        alias = self._aliases.setdefault(name, f"#n{len(self._aliases)}")
        self.known[alias] = name
        return alias


def _compared(name: str, comparison: Comparison) -> str:
    if comparison == "between":
        return f"{name} BETWEEN :s0 AND :s1"
    if comparison == "begins_with":
        return f"begins_with({name}, :s0)"
    return f"{name} {comparison} :s0"


def _asked(names: _Names, projection: Sequence[str]) -> dict[str, str]:
    return {"ProjectionExpression": ", ".join(map(names, projection))} if projection else {}


def _common(definition: TableDefinition, index: str, consistent: bool) -> dict[str, Any]:
    return {
        "TableName": definition.name,
        **({"IndexName": index} if index else {}),
        "ConsistentRead": consistent,
        "ReturnConsumedCapacity": "INDEXES",
    }
