"""Holds each read against the definitions: what the service would refuse, answer emptily or do at great cost.

Looks at patterns as values, and at requests as they are sent, whoever wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest_project.core.access_patterns import AccessPattern, Comparison, Lookup, Query, Scan
from ingest_project.core.table_definitions import TableDefinition

_WORDS = re.compile(r"[#:]?[A-Za-z_][\w.\-]*")
_GRAMMAR = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN"})
_TERM = r"(?P<name>#?[\w.\-]+)"
_CONDITIONS = tuple(
    (re.compile(text, re.IGNORECASE), kind)
    for text, kind in (
        (rf"begins_with\s*\(\s*{_TERM}\s*,\s*:\w+\s*\)", "begins_with"),
        (rf"{_TERM}\s+BETWEEN\s+:\w+\s+AND\s+:\w+", "between"),
        (rf"{_TERM}\s*(?P<sign><=|>=|<|>|=)\s*:\w+", ""),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One thing that is wrong with one read."""

    pattern: str
    text: str

    def __str__(self) -> str:
        return f"{self.pattern}: {self.text}"


def lint(
    patterns: Iterable[AccessPattern],
    tables: Mapping[str, TableDefinition],
    *,
    scans: bool = False,
) -> list[Complaint]:
    """Everything that is wrong with these patterns.

    Args:
        tables: Definitions by their word.
        scans: Whether a scan is allowed: where all of a table is wanted, and nobody waits.
    """
    return [
        Complaint(pattern=pattern.name, text=text)
        for pattern in patterns
        for text in _complaints(pattern, tables.get(pattern.table), scans)
    ]


def lint_request(
    name: str,
    operation: str,
    request: Mapping[str, Any],
    tables: Mapping[str, TableDefinition],
    *,
    scans: bool = False,
) -> list[Complaint]:
    """Everything that is wrong with one request to read, as it is sent.

    Args:
        name: What complaints call it.
        operation: ``Query``, ``Scan``, ``BatchGetItem`` or ``GetItem``.
    """
    words = {definition.name: word for word, definition in tables.items()}
    if operation == "BatchGetItem":
        parts = [(table, part) for table, part in request["RequestItems"].items()]
    else:
        parts = [(request["TableName"], request)]
    texts: list[str] = []
    patterns: list[AccessPattern] = []
    for table, part in parts:
        texts += _bare_names(part)
        word = words.get(table, table)
        try:
            patterns.append(_pattern_of(name, operation, word, part, tables.get(word)))
        except ValueError as error:
            texts.append(str(error))
    return [Complaint(pattern=name, text=text) for text in texts] + lint(patterns, tables, scans=scans)


def _complaints(pattern: AccessPattern, table: TableDefinition | None, scans: bool) -> Iterator[str]:
    if table is None:
        yield f"no table {pattern.table}"
        return
    index = "" if isinstance(pattern, Lookup) else pattern.index
    if index and table.index(index) is None:
        yield f"{table.name} has no index {index}"
        return
    if isinstance(pattern, Scan) and not scans:
        yield f"reads all of {_place(table, index)}: a question is answered by Query"
    if index and not isinstance(pattern, Lookup) and pattern.consistent:
        yield f"a consistent read of {_place(table, index)}: an index has none"
    yield from _unreadable(table, index, "asks for", pattern.projection)
    if isinstance(pattern, Query):
        yield from _wrong_query(pattern, table)


def _wrong_query(query: Query, table: TableDefinition) -> Iterator[str]:
    place, keys = _place(table, query.index), [name for name, _ in table.keys_of(query.index).parts]
    if query.partition != keys[0]:
        yield f"{query.partition} is not the partition key of {place}: that is {keys[0]}"
    if query.sort and query.sort not in keys[1:]:
        yield f"{query.sort} is not the sort key of {place}: that is {', '.join(keys[1:]) or 'none'}"
    if not query.projection:
        yield "names no attributes: everything that is read would be sent"
    for name in query.filters:
        if name in keys:
            yield f"filters by {name}, a key of {place}: that belongs into the key condition"
    yield from _unreadable(table, query.index, "filters by", query.filters)
    if query.filters and query.limit is not None:
        yield f"looks at {query.limit} items and filters then: fewer come, or none, though there are some"


def _unreadable(table: TableDefinition, index: str, does: str, names: Iterable[str]) -> Iterator[str]:
    readable = table.readable(index)
    for name in names:
        if name not in table.attributes:
            yield f"{does} {name}: no item of {table.name} has it"
        elif name not in readable:
            yield f"{does} {name}, which {_place(table, index)} does not project"


def _place(table: TableDefinition, index: str) -> str:
    return f"{table.name}/{index}" if index else table.name


def _bare_names(request: Mapping[str, Any]) -> Iterator[str]:
    """The service has 573 reserved words and adds more: only an alias is safe."""
    for field in ("KeyConditionExpression", "ProjectionExpression", "FilterExpression"):
        for word in _WORDS.findall(request.get(field, "")):
            function = re.search(rf"{re.escape(word)}\s*\(", request[field])
            if word[0] not in "#:" and word.upper() not in _GRAMMAR and not function:
                yield f"{word} stands without an alias in the {field}: it may be a reserved word"


def _pattern_of(
    name: str, operation: str, word: str, request: Mapping[str, Any], table: TableDefinition | None
) -> AccessPattern:
    """The request as a value. Raises ValueError: it cannot be understood, or is no read."""
    aliases: Mapping[str, str] = request.get("ExpressionAttributeNames", {})
    asked = tuple(
        _named(part, aliases) for part in request.get("ProjectionExpression", "").split(",") if part
    )
    consistent = bool(request.get("ConsistentRead", False))
    if operation in ("BatchGetItem", "GetItem"):
        return Lookup(name=name, table=word, projection=asked, consistent=consistent)
    index = str(request.get("IndexName", ""))
    if operation == "Scan":
        return Scan(name=name, table=word, index=index, projection=asked, consistent=consistent)
    if operation != "Query":
        raise ValueError(f"{operation} is no read that is known here")
    partition, sort, comparison = _conditions(
        request.get("KeyConditionExpression", ""), aliases, table, index
    )
    filters = request.get("FilterExpression", "")
    return Query(
        name=name,
        table=word,
        index=index,
        partition=partition,
        sort=sort,
        comparison=comparison,
        projection=asked,
        filters=tuple(_named(one, aliases) for one in _names_in(filters)),
        limit=request.get("Limit"),
        consistent=consistent,
    )


def _conditions(
    text: str, aliases: Mapping[str, str], table: TableDefinition | None, index: str
) -> tuple[str, str, Comparison]:
    """Partition attribute, sort attribute and how that is compared. Raises ValueError."""
    found: list[tuple[str, Comparison]] = []
    for shape, kind in _CONDITIONS:
        for match in shape.finditer(text):
            sign: Any = kind or match["sign"]
            found.append((_named(match["name"], aliases), sign))
        text = shape.sub("", text)
    left = re.sub(r"[\s()]|\bAND\b", "", text, flags=re.IGNORECASE)
    equal = [name for name, sign in found if sign == "="]
    if left or not found or len(found) > 2 or not equal:
        raise ValueError("the key condition is not one partition by equality and at most one sort condition")
    known = table.index(index) if table and index else None
    keys = known.keys if known else table.keys if table else None
    partition = keys.parts[0][0] if keys and keys.parts[0][0] in equal else equal[0]
    rest = [(name, sign) for name, sign in found if name != partition]
    sort, comparison = rest[0] if rest else ("", "=")
    return partition, sort, comparison


def _names_in(expression: str) -> Iterator[str]:
    for word in _WORDS.findall(expression):
        function = re.search(rf"{re.escape(word)}\s*\(", expression)
        if word[0] != ":" and word.upper() not in _GRAMMAR and not function:
            yield word


def _named(term: str, aliases: Mapping[str, str]) -> str:
    """The attribute at the head of a term: of ``#m.id`` the one that ``#m`` stands for."""
    head = term.strip().partition(".")[0].partition("[")[0]
    return aliases.get(head, head)
