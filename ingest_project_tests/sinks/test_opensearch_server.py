"""OpenSearchSink and the index helpers on the embedded OpenSearch, read back by another client."""

from __future__ import annotations

import http.client
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TargetMissing
from ingest_project.core.model import WriteReport
from ingest_project.sinks import documents as documents_of
from ingest_project.sinks import indexes
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.sinks.sending import batch_of, document, documents, opensearch_api

EXACT = (
    b'{"big":12345678901234567890123456789012345678,"point":1.0,"one":1,"e":1e125,'
    b'"small":-1.00000000000000000000000000000000000001E-130,"s":"\\u00e9 \xc3\xa9 \\/","none":null,"l":[]}'
)


@pytest.fixture
async def api(opensearch_url: str) -> AsyncIterator[OpenSearchApi]:
    async with opensearch_api(opensearch_url) as found:
        yield found


@pytest.fixture
async def index(api: OpenSearchApi, index_name: str) -> str:
    await indexes.ensure_index(api, index_name, made_for=index_name)
    return index_name


def raw_source(url: str, index: str, key: str) -> bytes:
    """A document's source as the server sends it, through another client than the one under test."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request("GET", f"/{index}/_source/{quote(key, safe='')}")
        return connection.getresponse().read()
    finally:
        connection.close()


async def test_a_document_is_read_back_byte_for_byte(
    api: OpenSearchApi, opensearch_url: str, index: str
) -> None:
    key = 'a/b ?é"\\'
    assert WriteReport(written=1) == await OpenSearchSink(api, index).write(batch_of([document(key, EXACT)]))
    assert raw_source(opensearch_url, index, key) == EXACT
    assert await documents_of.get_sources(api, index, [key, "missing"]) == {key: EXACT}


async def test_a_compressed_request_stores_the_same_bytes_and_names_the_documents_that_are_refused(
    opensearch_url: str, index: str
) -> None:
    bodies = [*documents(500), document("exact", EXACT), document("broken", b'{"n":')]
    async with opensearch_api(opensearch_url, compress=True) as api:
        report = await OpenSearchSink(api, index).write(batch_of(bodies))
    assert (501, [501]) == (report.written, [one.index for one in report.refusals])
    assert raw_source(opensearch_url, index, "exact") == EXACT


async def test_spaces_in_a_document_do_not_count(api: OpenSearchApi, index: str) -> None:
    spaced = b'{ "point" : 1.0,\t"l": [ 1e5 ] }'
    await OpenSearchSink(api, index).write(batch_of([document("a", spaced)]))
    assert documents_of.same_document(spaced, (await documents_of.get_sources(api, index, ["a"]))["a"])


async def test_more_documents_than_one_read_holds_are_read_back(api: OpenSearchApi, index: str) -> None:
    sink = OpenSearchSink(api, index)
    assert WriteReport(written=1000) == await sink.write(batch_of(documents(1000)))
    await sink.flush()
    await indexes.refresh_index(api, index)
    found = await documents_of.get_sources(api, index, [str(number) for number in range(1001)])
    assert {str(number): b'{"n":%d}' % number for number in range(1000)} == found
    assert await documents_of.count_documents(api, index) == 1000


MIXED: list[object] = [
    12345678901234567890123456789012345678,
    1.5,
    "text",
    "2026-11-22",
    True,
    None,
    "",
    [1, 2],
    ["a", "b"],
    [],
]


@pytest.mark.parametrize("first", MIXED, ids=str)
async def test_a_field_may_hold_any_plain_value_whichever_comes_first(
    api: OpenSearchApi, index: str, first: object
) -> None:
    sink = OpenSearchSink(api, index)
    bodies = [
        document(str(number), json.dumps({"field": value}).encode())
        for number, value in enumerate([first, *MIXED])
    ]
    assert WriteReport(written=len(bodies)) == await sink.write(batch_of(bodies))


async def test_numbers_of_38_digits_are_found_by_range(
    api: OpenSearchApi, opensearch: Any, index: str
) -> None:
    sink = OpenSearchSink(api, index)
    await sink.write(batch_of([document("a", EXACT), document("b", b'{"big":1}')]))
    await indexes.refresh_index(api, index)
    query = {"query": {"range": {"big": {"gt": 1e37}}}}
    assert [hit["_id"] for hit in opensearch.search(index=index, body=query)["hits"]["hits"]] == ["a"]


async def test_an_object_where_a_plain_value_was_is_refused_alone_and_named(
    api: OpenSearchApi, index: str
) -> None:
    bodies = [document("a", b'{"f":{"x":1}}'), document("b", b'{"f":1}'), document("c", b'{"f":{"x":2}}')]
    report = await OpenSearchSink(api, index).write(batch_of(bodies))
    assert (report.written, [one.index for one in report.refusals]) == (2, [1])
    assert "[f]" in report.refusals[0].reason


async def test_a_key_that_is_too_long_is_refused_alone(api: OpenSearchApi, index: str) -> None:
    bodies = documents(20)
    bodies[11] = document("k" * 600)
    report = await OpenSearchSink(api, index).write(batch_of(bodies))
    assert (report.written, [one.index for one in report.refusals]) == (19, [11])


async def test_older_versions_are_superseded(api: OpenSearchApi, index: str) -> None:
    bodies = [
        document("a", b'{"v":%d}' % number, version=number, version_type="external") for number in (5, 4)
    ]
    report = await OpenSearchSink(api, index).write(batch_of(bodies))
    assert (report.written, report.superseded) == (1, 1)
    assert await documents_of.get_sources(api, index, ["a"]) == {"a": b'{"v":5}'}


async def test_a_write_block_is_permanent_and_names_the_index(
    api: OpenSearchApi, opensearch: Any, index: str
) -> None:
    opensearch.indices.put_settings(index=index, body={"index": {"blocks": {"write": True}}})
    with pytest.raises(PermanentFailure, match=index):
        await OpenSearchSink(api, index).write(batch_of(documents(2)))


async def test_another_index_of_the_same_name_has_another_identity(
    api: OpenSearchApi, opensearch: Any, index: str
) -> None:
    sink = OpenSearchSink(api, index)
    first = await sink.identity()
    assert first == (await indexes.ensure_index(api, index, made_for=index)).uuid
    opensearch.indices.delete(index=index)
    with pytest.raises(TargetMissing, match=index):
        await sink.identity()
    await sink.write(batch_of(documents(1)))
    with pytest.raises(TargetMissing, match="replaced while it was loaded"):
        await sink.flush()


async def test_an_alias_has_the_identity_of_its_index_and_only_of_one(
    api: OpenSearchApi, opensearch: Any, index: str
) -> None:
    opensearch.indices.put_alias(index=index, name=f"alias-{index}")
    assert await indexes.identity_of(api, index) == await indexes.identity_of(api, f"alias-{index}")
    opensearch.indices.create(index=f"{index}-2")
    opensearch.indices.put_alias(index=f"{index}-2", name=f"alias-{index}")
    with pytest.raises(ConfigurationError, match="stands for 2 indices"):
        await indexes.identity_of(api, f"alias-{index}")


async def test_an_index_that_holds_another_table_is_not_taken(api: OpenSearchApi, index: str) -> None:
    with pytest.raises(PermanentFailure, match="can't take 'another' as well"):
        await indexes.ensure_index(api, index, made_for="another")


@pytest.mark.parametrize(("table", "name"), [("Messages", "messages"), ("a.b_c-1", "a.b_c-1")])
def test_an_index_is_named_after_its_table_in_lower_case(table: str, name: str) -> None:
    assert name == indexes.index_name(table)


@pytest.mark.parametrize("table", ["", ".hidden", "_all", "-x", "a b", "a,b", "a/b", "x" * 256])
def test_a_table_that_no_index_can_be_named_after_is_said_so(table: str) -> None:
    with pytest.raises(ConfigurationError, match="no index can be named after"):
        indexes.index_name(table)


def test_documents_are_compared_digit_for_digit() -> None:
    assert documents_of.same_document(b'{"a":1.0,"b":[2]}', b'{ "b": [2], "a": 1.0 }')
    assert not documents_of.same_document(b'{"a":1.0}', b'{"a":1}')
    assert not documents_of.same_document(b'{"a":1}', b'{"a":"1"}')
    assert not documents_of.same_document(b'{"a":0.1000000000000000055}', b'{"a":0.1}')
