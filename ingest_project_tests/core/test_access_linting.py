"""What the service refuses, or answers with nothing, is found before it is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ingest_project.core.access_linting import lint, lint_request
from ingest_project.core.access_patterns import AccessPattern, Lookup, Query, Scan
from ingest_project.core.model import KeySchema
from ingest_project.core.table_definitions import IndexDefinition, TableDefinition

TABLE = TableDefinition(
    word="notes",
    name="notes-v2",
    keys=KeySchema(parts=(("owner", "S"), ("at", "N"))),
    attributes={"owner": "S", "at": "N", "topic": "S", "text": "S", "size": "N", "tag": "S"},
    indexes=(
        IndexDefinition(
            name="ByTopic", keys=KeySchema(parts=(("topic", "S"), ("at", "N"))), include=("size",)
        ),
        IndexDefinition(name="ByTag", keys=KeySchema(parts=(("tag", "S"),)), include=None),
    ),
)
TABLES = {"notes": TABLE}
GOOD = Query(name="q", table="notes", partition="owner", projection=("text",), sort="at", comparison="<")
BY_TOPIC = replace(GOOD, index="ByTopic", partition="topic", projection=("size", "owner"))


def texts(*patterns: AccessPattern, scans: bool = False) -> list[str]:
    return [one.text for one in lint(patterns, TABLES, scans=scans)]


def test_reads_that_the_tables_can_answer_pass() -> None:
    by_tag = Query(name="t", table="notes", index="ByTag", partition="tag", projection=("text", "size"))
    assert texts(GOOD, BY_TOPIC, by_tag, Lookup(name="l", table="notes")) == []
    assert texts(Scan(name="s", table="notes"), scans=True) == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (replace(GOOD, table="none"), "no table none"),
        (replace(GOOD, index="Nope"), "notes-v2 has no index Nope"),
        (replace(GOOD, partition="topic"), "topic is not the partition key of notes-v2: that is owner"),
        (replace(GOOD, sort="size"), "size is not the sort key of notes-v2: that is at"),
        (
            replace(GOOD, index="ByTag", partition="tag"),
            "at is not the sort key of notes-v2/ByTag: that is none",
        ),
        (
            replace(BY_TOPIC, projection=("text",)),
            "asks for text, which notes-v2/ByTopic does not project",
        ),
        (replace(GOOD, projection=("colour",)), "asks for colour: no item of notes-v2 has it"),
        (
            replace(GOOD, projection=()),
            "names no attributes: everything that is read would be sent",
        ),
        (
            replace(GOOD, filters=("at",)),
            "filters by at, a key of notes-v2: that belongs into the key condition",
        ),
        (
            replace(BY_TOPIC, filters=("text",)),
            "filters by text, which notes-v2/ByTopic does not project",
        ),
        (
            replace(GOOD, filters=("topic",), limit=5),
            "looks at 5 items and filters then: fewer come, or none, though there are some",
        ),
        (
            replace(BY_TOPIC, consistent=True),
            "a consistent read of notes-v2/ByTopic: an index has none",
        ),
        (
            Scan(name="s", table="notes"),
            "reads all of notes-v2: a question is answered by Query",
        ),
    ],
)
def test_each_mistake_is_named(pattern: AccessPattern, said: str) -> None:
    assert [said] == texts(pattern)


def test_a_request_of_our_own_is_understood_as_the_pattern_that_it_is_of() -> None:
    request = replace(GOOD, comparison="between", filters=("topic",)).request(
        TABLE, "me", (1, 9), {"topic": "sea"}, start={"owner": {"S": "me"}, "at": {"N": "3"}}, limit=7
    )
    assert "owner" not in request["KeyConditionExpression"]
    assert ({"N": "1"}, {"N": "9"}) == tuple(request["ExpressionAttributeValues"][f":s{at}"] for at in (0, 1))
    assert (7, "notes-v2") == (request["Limit"], request["TableName"])
    assert ["looks at 7 items and filters then: fewer come, or none, though there are some"] == [
        one.text for one in lint_request("r", "Query", request, TABLES)
    ]


def request(**fields: Any) -> dict[str, Any]:
    return {"TableName": "notes-v2", "ProjectionExpression": "#t", **fields} | {
        "ExpressionAttributeNames": {"#o": "owner", "#t": "text", "#a": "at", "#z": "size"}
    }


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("#o = :o", []),
        ("#a BETWEEN :low AND :high AND #o = :o", []),
        ("(#o = :o) and (#a >= :low)", []),
        ("#o = :o AND begins_with(#a, :low)", []),
        ("#z = :o AND #a = :low", ["size is not the partition key of notes-v2: that is owner"]),
        (
            "owner = :o",
            ["owner stands without an alias in the KeyConditionExpression: it may be a reserved word"],
        ),
        *(
            (wrong, ["the key condition is not one partition by equality and at most one sort condition"])
            for wrong in ("", "#o < :o", "#o = :o OR #a = :low", "#o = :o AND #a = :low AND #z = :z")
        ),
    ],
)
def test_key_conditions_of_foreign_requests_are_understood_or_refused(
    condition: str, said: list[str]
) -> None:
    found = lint_request("r", "Query", request(KeyConditionExpression=condition), TABLES)
    assert said == [one.text for one in found]


def test_filters_and_lookups_of_foreign_requests_are_held_too() -> None:
    filtered = request(
        KeyConditionExpression="#o = :o",
        FilterExpression="contains(#t, :x) AND (#z IN (:a, :b) OR colour = :c)",
    )
    said = [one.text for one in lint_request("r", "Query", filtered, TABLES)]
    assert [
        "colour stands without an alias in the FilterExpression: it may be a reserved word",
        "filters by colour: no item of notes-v2 has it",
    ] == said
    keys = {"RequestItems": {"notes-v2": {"Keys": [], "ProjectionExpression": "nothing"}}}
    assert 2 == len(lint_request("r", "BatchGetItem", keys, TABLES))
    assert ["r: PutItem is no read that is known here"] == [
        str(one) for one in lint_request("r", "PutItem", {"TableName": "notes-v2"}, TABLES)
    ]
    assert ["no table other"] == [
        one.text for one in lint_request("r", "GetItem", {"TableName": "other"}, TABLES)
    ]


def test_a_pattern_takes_only_values_that_it_has_places_for() -> None:
    with pytest.raises(ValueError, match="q: takes 1 sort values"):
        GOOD.request(TABLE, "me")
    with pytest.raises(ValueError, match="filters"):
        GOOD.request(TABLE, "me", (1,), {"topic": "sea"})
    assert 5 == replace(GOOD, limit=5).request(TABLE, "me", (1,), limit=9)["Limit"]


def test_scans_and_lookups_ask_for_segments_and_keys() -> None:
    scan = Scan(name="s", table="notes", projection=("text",), consistent=True)
    asked = scan.request(TABLE, segment=2, segments=4, limit=9, start={"owner": {"S": "x"}})
    assert (2, 4, 9, "#n0", True) == tuple(
        asked[name]
        for name in ("Segment", "TotalSegments", "Limit", "ProjectionExpression", "ConsistentRead")
    )
    assert "ExpressionAttributeNames" not in replace(scan, projection=()).request(TABLE)
    found = Lookup(name="l", table="notes", projection=("text",)).request(TABLE, [{"owner": {"S": "x"}}])
    assert {"#n0": "text"} == found["RequestItems"]["notes-v2"]["ExpressionAttributeNames"]


def test_a_definition_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="key at:S is no attribute"):
        replace(TABLE, keys=KeySchema(parts=(("owner", "S"), ("at", "S"))))
    with pytest.raises(ValueError, match="no attribute gone"):
        replace(TABLE, ttl="gone")


def test_the_fingerprint_follows_every_word() -> None:
    provisioned = replace(TABLE, billing="PROVISIONED", read_units=1)
    others = (replace(TABLE, name="n"), replace(TABLE, ttl="size"), replace(TABLE, indexes=()), provisioned)
    assert 5 == len({TABLE.fingerprint, *(one.fingerprint for one in others)})
    assert (
        TABLE.fingerprint == replace(TABLE, attributes=dict(reversed(TABLE.attributes.items()))).fingerprint
    )
