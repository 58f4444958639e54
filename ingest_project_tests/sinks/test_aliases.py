"""Aliases and deletion on each OpenSearch: one step, and nothing without our mark is ever changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ingest_project.core.errors import ConfigurationError, IngestError, PermanentFailure, TargetMissing
from ingest_project.sinks import aliases, indexes
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.sinks.sending import opensearch_api


@pytest.fixture
async def api(opensearch_url: str) -> AsyncIterator[OpenSearchApi]:
    async with opensearch_api(opensearch_url) as found:
        yield found


@pytest.fixture
async def ours(api: OpenSearchApi, opensearch: Any, index_name: str) -> AsyncIterator[list[str]]:
    """Two indices that were made for one table, whose name is the alias'."""
    names = [f"{index_name}-2026{number}" for number in (1, 2)]
    for name in names:
        await indexes.ensure_index(api, name, made_for=index_name)
    yield names
    opensearch.indices.delete(index=f"{index_name}*")
    opensearch.indices.delete_index_template(name=f"ingest-{index_name}*")


def holders(opensearch: Any, alias: str) -> list[str]:
    return sorted(opensearch.indices.get_alias(name=alias)) if opensearch.indices.exists(index=alias) else []


def test_stamps_are_names_in_order_of_time() -> None:
    made = [aliases.stamped("messages", at) for at in (1_795_368_567.9, 1_795_368_568.0)]
    assert made == sorted(made)
    assert made[0] == "messages-20261122t172927z"
    assert indexes.name_fault(made[0]) == ""


async def test_an_alias_moves_with_its_filter_and_stands_for_one_index_at_all_times(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    first, second = ours
    assert (await aliases.move_alias(api, index_name, first, made_for=index_name)).former is None
    body = {"filter": {"term": {"a": "b"}}}
    opensearch.indices.put_alias(index=first, name=index_name, body=body)
    move = await aliases.move_alias(api, index_name, second, made_for=index_name)
    assert (move.former and move.former.name, move.replaced) == (first, False)
    found = opensearch.indices.get_alias(name=index_name)
    assert {second: {"aliases": {index_name: body}}} == found
    again = await aliases.move_alias(api, index_name, second, made_for=index_name)
    assert again.former is not None
    assert again.former.name == second


async def test_an_index_with_the_alias_name_is_an_error_that_says_what_to_do(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    await indexes.ensure_index(api, index_name, made_for=index_name)
    with pytest.raises(PermanentFailure, match=r"no alias can have its name while it stands. --delete-old"):
        await aliases.move_alias(api, index_name, ours[0], made_for=index_name)
    move = await aliases.move_alias(api, index_name, ours[0], made_for=index_name, replace_index=True)
    assert move.replaced
    assert [ours[0]] == holders(opensearch, index_name)


async def test_an_alias_of_a_foreign_index_or_a_foreign_index_of_its_name_stays(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    foreign = f"{index_name}-foreign"
    opensearch.indices.create(index=foreign, body={"aliases": {index_name: {}}})
    for replace in (False, True):
        with pytest.raises(PermanentFailure, match=r"was not made here .* left as it is"):
            await aliases.move_alias(api, index_name, ours[0], made_for=index_name, replace_index=replace)
    assert [foreign] == holders(opensearch, index_name)
    opensearch.indices.delete(index=foreign)
    opensearch.indices.create(index=index_name)
    with pytest.raises(PermanentFailure, match=r"was not made here .* left as it is"):
        await aliases.move_alias(api, index_name, ours[0], made_for=index_name, replace_index=True)
    assert opensearch.indices.exists(index=index_name)


async def test_an_alias_of_several_indices_is_not_ours_to_move(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    for name in ours:
        opensearch.indices.put_alias(index=name, name=index_name)
    with pytest.raises(ConfigurationError, match="stands for 2 indices"):
        await aliases.move_alias(api, index_name, ours[0], made_for=index_name)
    assert sorted(ours) == holders(opensearch, index_name)


async def test_no_alias_is_moved_to_an_index_of_another_table_or_of_nobody(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    opensearch.indices.create(index=f"{index_name}-bare")
    for name, table in ((ours[0], "another"), (f"{index_name}-bare", index_name)):
        with pytest.raises(PermanentFailure, match="left as it is"):
            await aliases.move_alias(api, index_name, name, made_for=table)
    with pytest.raises(TargetMissing):
        await aliases.move_alias(api, index_name, f"{index_name}-none", made_for=index_name)
    assert [] == holders(opensearch, index_name)


async def test_an_index_of_ours_is_deleted_alone(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    await aliases.delete_index(api, ours[0], made_for=index_name)
    assert not opensearch.indices.exists(index=ours[0])
    assert opensearch.indices.exists(index=ours[1])


@pytest.mark.parametrize(
    "trick",
    [
        "{foreign}",
        "{alias}",
        "{base}*",
        "*",
        "_all",
        "{first},{foreign}",
        "{first}%2C{foreign}",
        "-{base}",
        "<{base}-{{now/d}}>",
        "{first}/_doc",
        "{FIRST}",
        "",
        "{base}-none",
        "{used}",
    ],
)
async def test_nothing_foreign_is_deleted_whatever_name_is_given(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str, trick: str
) -> None:
    """A foreign index that looks like ours, an alias of ours, patterns, lists, an index that is in use."""
    first, used = ours
    foreign = f"{index_name}-20263"
    looks = {"_meta": {"made_for": index_name, "theirs": {"ingest_project": {"made_for": index_name}}}}
    opensearch.indices.create(index=foreign, body={"mappings": looks})
    opensearch.indices.put_alias(index=used, name=f"{index_name}-alias")
    words = {"foreign": foreign, "alias": f"{index_name}-alias", "base": index_name, "first": first}
    name = trick.format(**words, FIRST=first.upper(), used=used)
    with pytest.raises(IngestError):
        await aliases.delete_index(api, name, made_for=index_name)
    assert {first, used, foreign} == set(opensearch.indices.get(index=f"{index_name}*"))


async def test_an_index_that_bulk_made_in_place_of_ours_is_not_ours(
    api: OpenSearchApi, opensearch: Any, ours: list[str], index_name: str
) -> None:
    opensearch.indices.delete(index=ours[0])
    opensearch.index(index=ours[0], id="1", body={"a": 1})
    with pytest.raises(PermanentFailure, match="was not made here"):
        await aliases.delete_index(api, ours[0], made_for=index_name)
