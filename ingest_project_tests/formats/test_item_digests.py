"""Items have one spelling: equal where DynamoDB's are, different where a byte is."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_project.formats.item_digests import item_bytes, item_digest

EQUAL: tuple[tuple[Any, Any], ...] = (
    ({"N": "1.0"}, {"N": "1"}),
    ({"N": "-0"}, {"N": "0"}),
    ({"N": "100000000000000000000000000000"}, {"N": "1E+29"}),
    ({"B": "aGk="}, {"B": "aGk"}),
    ({"SS": ["b", "a"]}, {"SS": ["a", "b"]}),
    ({"NS": ["2", "1.50"]}, {"NS": ["1.5", "2.0"]}),
    (
        {"M": {"a": {"N": "7"}, "b": {"L": [{"N": "1.0"}]}}},
        {"M": {"b": {"L": [{"N": "1"}]}, "a": {"N": "7.0"}}},
    ),
)
DIFFERENT: tuple[tuple[Any, Any], ...] = (
    ({"S": "1"}, {"N": "1"}),
    ({"S": "é"}, {"S": "e\u0301"}),
    ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
    ({"N": "9007199254740993"}, {"N": "9007199254740992"}),
    ({"NULL": True}, {"BOOL": True}),
)


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_what_the_service_takes_for_equal_is_spelled_alike(one: Any, other: Any) -> None:
    assert item_bytes({"a": one, "b": {"S": "x"}}) == item_bytes({"b": {"S": "x"}, "a": other})
    assert item_digest({"a": one}) == item_digest({"a": other})


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_is_spelled_differently(one: Any, other: Any) -> None:
    assert item_bytes({"a": one}) != item_bytes({"a": other})
    assert item_bytes({"a": one}) != item_bytes({"b": one})


def test_a_digest_has_sixteen_bytes() -> None:
    assert 16 == len(item_digest({}))
