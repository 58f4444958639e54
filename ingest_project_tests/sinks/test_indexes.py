"""Indices made from a contract on each OpenSearch: what they refuse and find, templates, changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.core.indexing import (
    BY_DEFAULT,
    Date,
    Field,
    Group,
    IndexContract,
    Kept,
    Keyword,
    ScaledFloat,
    Text,
    Value,
)
from ingest_project.sinks import indexes
from ingest_project.sinks.mappings import contradictions, fingerprint, mappings_of
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.sinks.sending import batch_of, document, opensearch_api

FIELDS: Mapping[str, Field] = {
    "id": Keyword(),
    "title": Text(analyzer="standard", keyword=8),
    "own": Text(analyzer="shout"),
    "day": Date(formats=("yyyy-MM-dd", "epoch_millis")),
    "count": Value(kind="long"),
    "share": Value(kind="double"),
    "price": ScaledFloat(factor=100),
    "open": Value(kind="boolean"),
    "at": Value(kind="geo_point"),
    "raw": Kept(),
    "owner": Group(fields={"name": Keyword()}, dynamic="false"),
    "lines": Group(nested=True, fields={"sku": Keyword(), "n": Value(kind="integer")}),
}
RICH = IndexContract(
    fields=FIELDS,
    dynamic="strict",
    analysis={"analyzer": {"shout": {"type": "custom", "tokenizer": "standard", "filter": ["uppercase"]}}},
    settings={"index.number_of_shards": 2, "index.refresh_interval": "7s"},
)
GOOD = {
    "id": "a b",
    "title": "Guten Tag",
    "own": "loud words",
    "day": "2026-11-22",
    "count": 12,
    "share": 0.5,
    "price": 19.99,
    "open": True,
    "at": {"lat": 52.5, "lon": 13.4},
    "raw": {"anything": [1, "x"]},
    "owner": {"name": "Ada", "unknown": 1},
    "lines": [{"sku": "x", "n": 1}, {"sku": "y", "n": 2}],
}


@pytest.fixture
async def api(opensearch_url: str) -> AsyncIterator[OpenSearchApi]:
    async with opensearch_api(opensearch_url) as found:
        yield found


@pytest.fixture(autouse=True)
def no_templates_left(opensearch: Any, index_name: str) -> Any:
    yield
    for name in (f"ingest-{index_name}", f"foreign-{index_name}"):
        if opensearch.indices.exists_index_template(name=name):
            opensearch.indices.delete_index_template(name=name)


async def make(api: OpenSearchApi, name: str, contract: IndexContract, **words: Any) -> indexes.IndexState:
    return await indexes.ensure_index(api, name, made_for=name, contract=contract, **words)


async def refused(api: OpenSearchApi, index: str, *records: Mapping[str, object]) -> list[str]:
    """Reasons of the records that the index refuses; a good one that it takes goes along."""
    bodies = [document(str(n), json.dumps(one).encode()) for n, one in enumerate([GOOD, *records])]
    report = await OpenSearchSink(api, index).write(batch_of(bodies))
    await indexes.refresh_index(api, index)
    assert report.written == len(bodies) - len(report.refusals)
    assert 0 not in [one.index for one in report.refusals]
    return [one.reason for one in report.refusals]


async def test_the_server_has_what_the_contract_says(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    state = await make(api, index_name, RICH)
    assert (state.setting("number_of_shards"), state.setting("refresh_interval")) == ("2", "7s")
    standing = opensearch.indices.get_mapping(index=index_name)[index_name]["mappings"]
    assert standing["dynamic"] == "strict"
    assert [] == contradictions(standing, RICH)
    assert mappings_of(RICH)["properties"].keys() == standing["properties"].keys()
    assert standing["properties"]["day"]["format"] == "yyyy-MM-dd||epoch_millis"


@pytest.mark.parametrize(
    "query",
    [
        {"term": {"id": "a b"}},
        {"match": {"title": "guten"}},
        {"term": {"owner.name": "Ada"}},
        {"range": {"day": {"gte": "2026-11-01", "lt": "2026-12-01"}}},
        {"range": {"price": {"gt": 19.98, "lt": 20}}},
        {"term": {"open": True}},
        {"nested": {"path": "lines", "query": {"term": {"lines.sku": "y"}}}},
    ],
    ids=lambda query: next(iter(query)),
)
async def test_a_document_is_found_by_its_declared_fields(
    api: OpenSearchApi, opensearch: Any, index_name: str, query: Mapping[str, object]
) -> None:
    await make(api, index_name, RICH)
    assert [] == await refused(api, index_name)
    found = opensearch.search(index=index_name, body={"query": query})
    assert ["0"] == [hit["_id"] for hit in found["hits"]["hits"]]


async def test_strict_refuses_what_is_not_declared_alone_and_names_it(
    api: OpenSearchApi, index_name: str
) -> None:
    await make(api, index_name, RICH)
    (reason,) = await refused(api, index_name, {"id": "b", "surprise": 1})
    assert "surprise" in reason


async def test_undeclared_fields_are_kept_and_not_searched_where_the_contract_says_so(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    await make(api, index_name, IndexContract(fields={"id": Keyword()}, dynamic="false"))
    assert [] == await refused(api, index_name, {"id": "b", "surprise": {"x": [1]}}, {"surprise": "text"})
    properties = opensearch.indices.get_mapping(index=index_name)[index_name]["mappings"]["properties"]
    assert ["id"] == list(properties)
    assert opensearch.get(index=index_name, id="1")["_source"]["surprise"] == {"x": [1]}


async def test_undeclared_fields_beside_declared_ones_follow_the_defaults(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    await make(api, index_name, IndexContract(fields={"id": Keyword(), "raw": Kept()}))
    assert [] == await refused(api, index_name, {"n": 5, "t": "x"}, {"n": "not a number", "t": 7})
    properties = opensearch.indices.get_mapping(index=index_name)[index_name]["mappings"]["properties"]
    assert ("keyword", "double", "text") == tuple(properties[name]["type"] for name in ("id", "n", "t"))


BAD_VALUES: list[dict[str, object]] = [{"count": "many"}, {"day": "yesterday"}, {"price": "dear"}]


async def test_a_malformed_value_costs_its_own_search_only(api: OpenSearchApi, index_name: str) -> None:
    await make(api, index_name, RICH)
    assert [] == await refused(api, index_name, *BAD_VALUES)


async def test_a_contract_may_refuse_documents_with_malformed_values(
    api: OpenSearchApi, index_name: str
) -> None:
    await make(api, index_name, IndexContract(fields=FIELDS, malformed="refuse", analysis=RICH.analysis))
    reasons = await refused(api, index_name, *BAD_VALUES)
    assert 3 == len(reasons)
    assert "[count]" in reasons[0]


async def test_an_index_that_appears_later_gets_the_contract_and_is_not_thereby_ours(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    await make(api, index_name, RICH)
    later = f"{index_name}-2026-11-22"
    opensearch.indices.create(index=later)
    state = await indexes.find_index(api, later)
    assert state is not None
    assert ("", "7s") == (state.made_for, state.setting("refresh_interval"))
    standing = opensearch.indices.get_mapping(index=later)[later]["mappings"]
    assert ("strict", []) == (standing["dynamic"], contradictions(standing, RICH))


def test_a_standing_text_that_is_analyzed_otherwise_or_has_no_offsets_contradicts() -> None:
    wanted = IndexContract(fields={"t": Text(also={"exact": "simple"}, offsets=True)})
    for other, said in (
        (
            Text(also={"exact": "standard"}, offsets=True),
            ["t.exact has analyzer standard, the contract says"],
        ),
        (Text(also={"exact": "simple"}), ["t has term_vector by default, the contract"]),
        (Text(offsets=True), []),
    ):
        found = contradictions(mappings_of(IndexContract(fields={"t": other})), wanted)
        assert said == [one[: len(said[0])] for one in found]


async def test_templates_of_tables_whose_names_begin_alike_stand_side_by_side(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    notes: list[str] = []
    for name in (index_name, f"{index_name}-20", f"{index_name}-2026", f"{index_name}-x"):
        await make(api, name, BY_DEFAULT, note=notes.append)
        assert opensearch.indices.exists_index_template(name=f"ingest-{name}")
    assert [] == notes
    for name in (f"{index_name}-20", f"{index_name}-2026", f"{index_name}-x"):
        opensearch.indices.delete_index_template(name=f"ingest-{name}")


async def test_a_template_that_is_not_ours_is_never_overwritten(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    foreign = {"index_patterns": [f"other-{index_name}"], "priority": 7}
    opensearch.indices.put_index_template(name=f"ingest-{index_name}", body=foreign)
    with pytest.raises(ConfigurationError, match=f"ingest-{index_name} is not ours and is not overwritten"):
        await make(api, index_name, BY_DEFAULT)
    found = opensearch.indices.get_index_template(name=f"ingest-{index_name}")["index_templates"]
    assert 7 == found[0]["index_template"]["priority"]
    assert not opensearch.indices.exists(index=index_name)


async def test_a_template_that_the_server_refuses_is_noted_and_the_index_is_made_by_the_contract(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    same = {"index_patterns": [f"{index_name}*"], "priority": 100 + len(index_name)}
    opensearch.indices.put_index_template(name=f"foreign-{index_name}", body=same)
    notes: list[str] = []
    state = await make(api, index_name, RICH, note=notes.append)
    assert ["same priority" in note for note in notes] == [True]
    assert state.setting("refresh_interval") == "7s"


async def test_a_changed_contract_updates_the_template_and_adds_to_the_index(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    before = await make(api, index_name, IndexContract(fields={"id": Keyword()}))
    wider = IndexContract(fields={"id": Keyword(longest=2000), "n": Value(kind="long")}, dynamic="false")
    after = await make(api, index_name, wider)
    assert before.uuid == after.uuid
    standing = opensearch.indices.get_mapping(index=index_name)[index_name]["mappings"]
    assert ("false", "long") == (standing["dynamic"], standing["properties"]["n"]["type"])
    assert 2000 == standing["properties"]["id"]["ignore_above"]
    mark = {"made_for": index_name, "contract": fingerprint(wider)}
    assert mark == standing["_meta"]["ingest_project"]
    template = opensearch.indices.get_index_template(name=f"ingest-{index_name}")["index_templates"][0]
    assert mark == template["index_template"]["_meta"]["ingest_project"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Value(kind="long"), "f has type keyword, the contract says type long"),
        (Group(fields={"x": Keyword()}), "f has type keyword, the contract says type object"),
    ],
    ids=["another type", "an object"],
)
async def test_a_changed_type_is_refused_and_the_way_out_is_named(
    api: OpenSearchApi, opensearch: Any, index_name: str, wanted: Field, said: str
) -> None:
    await make(api, index_name, IndexContract(fields={"f": Keyword()}))
    with pytest.raises(PermanentFailure) as caught:
        await make(api, index_name, IndexContract(fields={"f": wanted, "new": Keyword()}))
    assert said in str(caught.value)
    assert f"`ingest index rebuild {index_name}`" in str(caught.value)
    standing = opensearch.indices.get_mapping(index=index_name)[index_name]["mappings"]
    assert ["f"] == list(standing["properties"])


async def test_a_type_that_documents_brought_first_is_refused_too(
    api: OpenSearchApi, index_name: str
) -> None:
    await make(api, index_name, BY_DEFAULT)
    await OpenSearchSink(api, index_name).write(batch_of([document("a", b'{"o":{"f":"text"}}')]))
    contract = IndexContract(fields={"o": Group(fields={"f": Keyword()})})
    with pytest.raises(PermanentFailure, match=r"o\.f has type text, the contract says type keyword"):
        await make(api, index_name, contract)


async def test_what_stands_is_looked_at_once_and_nothing_is_written(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    await make(api, index_name, RICH)
    opensearch.indices.put_settings(index=index_name, body={"index": {"blocks": {"read_only": True}}})
    assert index_name == (await make(api, index_name, RICH)).name
    opensearch.indices.put_settings(index=index_name, body={"index": {"blocks": {"read_only": None}}})


async def test_an_index_that_is_not_ours_takes_documents_and_is_otherwise_left_alone(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    meta = {"_meta": {"theirs": 1}}
    opensearch.indices.create(index=index_name, body={"mappings": meta})
    state = await make(api, index_name, RICH)
    assert ("", {"theirs": 1}) == (state.made_for, state.meta)
    assert meta == opensearch.indices.get_mapping(index=index_name)[index_name]["mappings"]
    assert not opensearch.indices.exists_index_template(name=f"ingest-{index_name}")


async def test_two_loads_that_begin_at_once_make_one_index(
    api: OpenSearchApi, opensearch_url: str, index_name: str
) -> None:
    async with opensearch_api(opensearch_url) as other:
        made = await asyncio.gather(*(make(one, index_name, RICH) for one in (api, other, api, other)))
    assert 1 == len({state.uuid for state in made})


async def test_an_index_that_nobody_may_look_at_hides_no_other(
    api: OpenSearchApi, opensearch: Any, index_name: str
) -> None:
    await make(api, index_name, RICH)
    closed = f"{index_name}-closed"
    opensearch.indices.create(index=closed)
    opensearch.indices.put_settings(index=closed, body={"index": {"blocks": {"metadata": True}}})
    try:
        assert index_name in [state.name for state in await indexes.our_indices(api)]
    finally:
        opensearch.indices.put_settings(index=closed, body={"index": {"blocks": {"metadata": None}}})
