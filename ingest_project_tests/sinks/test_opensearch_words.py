"""What OpenSearch refuses in its own words: a document is refused alone (law 10); an index as a whole is not.

osmem takes some of what a real node refuses; what it does is written down beside each case.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.testing.running import RunningServer
from ingest_project_tests.readback import ask, documents
from ingest_project_tests.sinks.sending import batch_of, document, opensearch_sink

REFUSES, TAKES = "refuses", "takes"
PLACE, NEIGHBOURS = 4, 9
FIELDS: Mapping[str, Any] = {
    "when": {"type": "date"},
    "count": {"type": "long"},
    "address": {"type": "ip"},
    "flag": {"type": "boolean"},
    "word": {"type": "keyword"},
    "group": {"properties": {"inner": {"type": "long"}}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A bad document for an index with FIELDS, the server's words for it, and what osmem does with it."""

    name: str
    body: bytes
    words: str
    osmem: str = REFUSES
    mappings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def bad(**source: object) -> bytes:
    return document("bad", json.dumps(source).encode())


CASES = [
    Case(name="a date that is none", body=bad(when="x"), words="failed to parse field [when] of type [date]"),
    Case(
        name="a number that is none",
        body=bad(count="x"),
        words="failed to parse field [count] of type [long]",
    ),
    Case(name="a number beyond 64 bit", body=bad(count=2**64), words="[count]"),
    Case(name="an address that is none", body=bad(address="x"), words="is not an IP string literal"),
    Case(name="a flag that is none", body=bad(flag="maybe"), words="[flag] of type [boolean]"),
    Case(name="a plain value for an object", body=bad(group=1), words="[group]"),
    Case(name="an object for a plain value", body=bad(count={"a": 1}), words="[count]"),
    Case(
        name="a keyword of 40 KB",
        body=bad(word="x" * 40_000),
        words="immense term",
        osmem=TAKES,
    ),
    Case(
        name="an undeclared field where none may be",
        body=bad(other=1),
        words="strict_dynamic_mapping_exception",
        mappings={"dynamic": "strict"},
    ),
    Case(
        name="more fields than the index may have",
        body=bad(**{f"field_{number}": number for number in range(50)}),
        words="Limit of total fields [20] has been exceeded",
    ),
    Case(
        name="objects in objects in objects",
        body=document("bad", b'{"a":' * 25 + b"1" + b"}" * 25),
        words="depth of the field has exceeded",
    ),
    Case(name="a field without a name", body=document("bad", b'{"":1}'), words="cannot be an empty string"),
    Case(name="a field named by a dot", body=document("bad", b'{"a..b":1}'), words="ambiguous"),
    Case(name="a field twice", body=document("bad", b'{"n":1,"n":2}'), words="Duplicate"),
    Case(name="bytes that are no UTF-8", body=document("bad", b'{"n":"\xff"}'), words="UTF-8", osmem=TAKES),
    Case(name="half a document", body=document("bad", b'{"n":'), words="Unexpected end-of-input"),
    Case(name="a list", body=document("bad", b"[1]"), words="failed to parse"),
    Case(name="an empty key", body=document(""), words="must not be empty"),
    Case(name="a key of 513 bytes", body=document("k" * 513), words="is too long"),
    Case(name="a line break inside", body=document("bad", b'{"n":\n1}'), words="HTTP 400"),
    Case(
        name="an unknown action",
        body=b'{"bogus":{"_id":"bad"}}\n{}\n',
        words="Malformed action/metadata line",
    ),
    Case(
        name="a version below zero",
        body=document("bad", version=-5, version_type="external"),
        words="illegal version value [-5]",
    ),
]


@pytest.fixture
def index(opensearch_url: str, index_name: str) -> str:
    """An index with FIELDS, twenty fields at most."""
    settings = {"number_of_replicas": 0, "index.mapping.total_fields.limit": 20}
    ask(opensearch_url, "PUT", f"/{index_name}", {"settings": settings, "mappings": {"properties": FIELDS}})
    return index_name


def neighbours() -> list[bytes]:
    """Good documents."""
    return [document(str(number), b'{"count":%d}' % number) for number in range(NEIGHBOURS)]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_document_that_the_index_refuses_is_refused_alone_and_in_its_words(
    case: Case, opensearch_server: RunningServer, index: str
) -> None:
    url = opensearch_server.url
    if case.mappings:
        ask(url, "PUT", f"/{index}/_mapping", case.mappings)
    bodies = neighbours()
    bodies.insert(PLACE, case.body)
    async with opensearch_sink(url, index) as sink:
        report = await sink.write(batch_of(bodies))
    stored = documents(url, index)
    assert {str(number) for number in range(NEIGHBOURS)} == stored.keys() - {"bad"}
    if opensearch_server.name == "osmem" and case.osmem == TAKES:
        assert (NEIGHBOURS + 1, True) == (report.written, "bad" in stored)
        return
    assert ([PLACE], NEIGHBOURS, 0) == (
        [one.index for one in report.refusals],
        report.written,
        len(report.retry),
    )
    assert case.words in report.refusals[0].reason
    assert "bad" not in stored


async def test_all_bad_documents_in_one_request_leave_all_others(
    opensearch_server: RunningServer, index: str
) -> None:
    url = opensearch_server.url
    refused = [case.body for case in CASES if not case.mappings and case.osmem == REFUSES]
    bodies = [one for pair in zip(refused, neighbours() * 9, strict=False) for one in pair]
    async with opensearch_sink(url, index) as sink:
        report = await sink.write(batch_of(bodies))
    assert [2 * place for place in range(len(refused))] == sorted(one.index for one in report.refusals)
    assert {str(number) for number in range(NEIGHBOURS)} == documents(url, index).keys()


async def test_a_document_that_is_there_already_counts_as_superseded(
    opensearch_server: RunningServer, index: str
) -> None:
    """Both conflicts of versions: a lower external version, and a creation of what exists."""
    bodies = [
        document("v", b'{"count":1}', version=5, version_type="external"),
        document("v", b'{"count":2}', version=4, version_type="external"),
        b'{"create":{"_id":"v"}}\n{"count":3}\n',
    ]
    async with opensearch_sink(opensearch_server.url, index) as sink:
        report = await sink.write(batch_of(bodies))
    assert (1, 2, 0) == (report.written, report.superseded, len(report.refusals))
    assert {"v": b'{"count":1}'} == documents(opensearch_server.url, index)


@pytest.mark.parametrize("block", ["write", "read_only", "metadata"])
async def test_a_block_on_the_index_is_no_verdict_on_its_documents(
    block: str, opensearch_server: RunningServer, index: str
) -> None:
    """A block of the metadata stops writes of a real node only."""
    url = opensearch_server.url
    ask(url, "PUT", f"/{index}/_settings", {f"index.blocks.{block}": True})
    async with opensearch_sink(url, index) as sink:
        if block == "metadata":
            # Fields that are new need the metadata.
            body = document("new", b'{"never_seen":1}')
            if opensearch_server.name == "osmem":
                assert (await sink.write(batch_of([body]))).written == 1
                ask(url, "PUT", f"/{index}/_settings", {"index.blocks.metadata": None})
                return
            bodies = [body]
        else:
            bodies = neighbours()
        with pytest.raises(PermanentFailure, match=index):
            await sink.write(batch_of(bodies))
    ask(url, "PUT", f"/{index}/_settings", {f"index.blocks.{block}": None})
    assert {} == documents(url, index)


async def test_a_full_disk_puts_documents_off_and_refuses_none(
    opensearch_server: RunningServer, index: str
) -> None:
    """The block that OpenSearch sets and takes away by itself as the disk fills and empties."""
    url, setting = opensearch_server.url, "index.blocks.read_only_allow_delete"
    async with opensearch_sink(url, index) as sink:
        ask(url, "PUT", f"/{index}/_settings", {setting: True})
        report = await sink.write(batch_of(neighbours()))
        assert (0, 0, list(range(NEIGHBOURS))) == (report.written, len(report.refusals), list(report.retry))
        ask(url, "PUT", f"/{index}/_settings", {setting: None})
        assert (await sink.write(batch_of(neighbours()))).written == NEIGHBOURS


async def test_a_closed_index_is_no_verdict_on_its_documents(
    opensearch_server: RunningServer, index: str
) -> None:
    url = opensearch_server.url
    ask(url, "POST", f"/{index}/_close")
    async with opensearch_sink(url, index) as sink:
        with pytest.raises(PermanentFailure, match="index_closed_exception"):
            await sink.write(batch_of(neighbours()))
        ask(url, "POST", f"/{index}/_open?wait_for_active_shards=1")
        assert (await sink.write(batch_of(neighbours()))).written == NEIGHBOURS
