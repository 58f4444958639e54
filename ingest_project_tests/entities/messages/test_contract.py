"""The contract of messages: the hostile file's outcome, exact offsets, and the table of each file name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import Chunk, FileRange, KeySchema, Position, RecordBatch
from ingest_project.entities.messages.contract import admission, target_of
from ingest_project.formats.keys import KeyPart, key_hash
from ingest_project.sources.dumps import DumpSource
from ingest_project_tests.formats.records import RECORDS, json_text

GOLDEN = Path(__file__).parent / "golden"


def chunk_of(keys: str = "id") -> Chunk:
    return Chunk(
        entity="messages",
        date="2026-01-01",
        slot=0,
        target="messages",
        keys=KeySchema(parts=tuple((name, "S") for name in keys.split(","))),
        range=FileRange(uri="file:///hostile.json", etag="e", start=0, end=1),
        shape="wrapper:Items",
        compression="",
        records=0,
    )


def batch_of(body: bytes) -> RecordBatch:
    """The records of a file that holds one on each line between the first and the last."""
    offsets, raws, at = [], [], 0
    for line in body.splitlines(keepends=True):
        offsets.append(at)
        raws.append(line.rstrip(b",\n"))
        at += len(line)
    count = len(raws) - 2
    return RecordBatch(first=0, raws=raws[1:-1], offsets=offsets[1:-1], after=Position(count))


def outcome(body: bytes) -> list[dict[str, Any]]:
    """What becomes of each record, in the file's order; long texts by their length."""
    admitted = admission(chunk_of())(batch_of(body))
    found: dict[int, dict[str, Any]] = {
        offset: {"offset": offset, "line": line.decode()}
        for offset, line in zip(admitted.offsets, admitted.lines, strict=True)
    }
    for rejection in admitted.rejections:
        key = rejection.key if len(rejection.key) < 100 else f"{len(rejection.key)} characters"
        found[rejection.offset] = {"offset": rejection.offset, "key": key, "reason": rejection.reason}
    return [found[offset] for offset in sorted(found)]


def test_the_hostile_file_has_the_expected_outcome() -> None:
    body = (GOLDEN / "hostile.json").read_bytes()
    expected = json.loads((GOLDEN / "hostile.expected.json").read_text("utf-8"))
    assert expected == outcome(body)


def test_the_source_cuts_the_hostile_file_at_the_offsets_of_the_outcome() -> None:
    source = DumpSource()
    file = source.stat((GOLDEN / "hostile.json").as_uri())
    index = source.index(file)
    span = FileRange(uri=file.uri, etag=file.etag, start=index.marks[0].offset, end=index.end)
    chunk = replace(chunk_of(), range=span, shape=index.shape, records=index.records, fault=index.fault)
    judge = admission(chunk)
    admitted = [judge(batch) for batch in source.read(chunk, Position())]
    expected = json.loads((GOLDEN / "hostile.expected.json").read_text("utf-8"))
    good = {line["offset"]: line["line"] for line in expected if "line" in line}
    bad = {line["offset"]: line["reason"] for line in expected if "reason" in line}
    pairs = [zip(part.offsets, part.lines, strict=True) for part in admitted]
    assert good == {offset: line.decode() for pair in pairs for offset, line in pair}
    assert bad == {refused.offset: refused.reason for part in admitted for refused in part.rejections}


def test_every_record_is_admitted_or_rejected_once_and_rejections_keep_their_bytes() -> None:
    body = (GOLDEN / "hostile.json").read_bytes()
    batch = batch_of(body)
    admitted = admission(chunk_of())(batch)
    assert len(batch.raws) == len(admitted.lines) + len(admitted.rejections)
    assert len(admitted.lines) == len(admitted.hashes) == len(admitted.offsets)
    for rejection in admitted.rejections:
        assert batch.raws[rejection.ordinal] == rejection.raw
        assert batch.offsets[rejection.ordinal] == rejection.offset


@given(records=st.lists(RECORDS | st.just({"text": "no key"}), max_size=8), first=st.integers(0, 10**9))
def test_items_without_key_are_counted_and_named(records: list[dict[str, Any]], first: int) -> None:
    raws = [json_text(record, ascii_only=False, spaced=False).encode() for record in records]
    batch = RecordBatch(
        first=first, raws=raws, offsets=range(7, 7 + len(raws)), after=Position(first + len(raws))
    )
    admitted = admission(chunk_of())(batch)
    keyless = [index for index, record in enumerate(records) if "id" not in record]
    assert keyless == [rejection.ordinal - first for rejection in admitted.rejections]
    assert {"id: the key attribute is missing"} >= {rejection.reason for rejection in admitted.rejections}
    keys = [record["id"].encode() for record in records if "id" in record]
    assert [key_hash([KeyPart("S", key)]) for key in keys] == admitted.hashes
    assert [7 + index for index in range(len(raws)) if index not in keyless] == list(admitted.offsets)


@pytest.mark.parametrize("wrap", [bytes, memoryview, bytearray, msgspec.Raw])
def test_raws_may_be_any_kind_of_bytes(wrap: Callable[[bytes], Any]) -> None:
    raws = [wrap(b'{"id":"1"}'), wrap(b'{"id":1}')]
    admitted = admission(chunk_of())(RecordBatch(first=0, raws=raws, offsets=[0, 11], after=Position(2)))
    assert admitted.lines == [b'{"Item":{"id":{"S":"1"}}}']
    assert [rejection.raw for rejection in admitted.rejections] == [b'{"id":1}']
    assert type(admitted.rejections[0].raw) is bytes


def test_line_ends_around_a_record_change_nothing() -> None:
    raws = [b'{"id":"%d"}\r\n' % number for number in range(3)]
    batch = RecordBatch(first=0, raws=raws, offsets=[0, 14, 28], after=Position(3))
    admitted = admission(chunk_of())(batch)
    assert [b'{"Item":{"id":{"S":"%d"}}}' % number for number in range(3)] == admitted.lines


def test_a_rejection_bears_the_key_that_the_record_has() -> None:
    raws = [b'{"p":"a","s":"b|","n":1e999}', b'{"p":"a"}']
    admitted = admission(chunk_of("p,s"))(RecordBatch(first=0, raws=raws, offsets=[0, 9], after=Position(2)))
    assert [rejection.key for rejection in admitted.rejections] == ["a|b\\|", ""]


@pytest.mark.parametrize(
    ("uri", "table"),
    [
        ("file:///in/messages-dump.json", "messages"),
        ("s3://inbox/2026-01-01/messages-dump.json.gz", "messages"),
        ("s3://inbox/messages.jsonl.zst", "messages"),
        ("messages.ndjson", "messages"),
        ("/in/Messages-2.v1-DUMP.JSON.GZ", "Messages-2.v1"),
        ("file:///in/prod%2Dmessages.json", "prod-messages"),
        ("s3://exports/messages/AWSDynamoDB/01693-abc/data/x7.json.gz", "messages"),
        ("s3://exports/team/messages/2026-01-01/AWSDynamoDB/01693-abc/data/x7.json.gz", "messages"),
        ("s3://exports/messages/dt=2026-01-01/AWSDynamoDB/01693-abc/data/x7.json.gz", "messages"),
    ],
)
def test_the_table_is_in_the_file_name(uri: str, table: str) -> None:
    assert table == target_of(uri)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:///in/ab-dump.json", "'ab' cannot be a table's name"),
        ("file:///in/two words.json", "'two words' cannot be a table's name"),
        ("file:///in/%C3%A4pfel.json", "'äpfel' cannot be a table's name"),
        (f"file:///in/{'x' * 256}.json", "3 to 255"),
        ("file:///in/-dump.json", "'' cannot be a table's name"),
        ("file:///", "'' cannot be a table's name"),
        ("s3://exports/AWSDynamoDB/01693-abc/data/x7.json.gz", "no folder before AWSDynamoDB names a table"),
        (
            "s3://exports/2026/01/AWSDynamoDB/01693/data/x7.json.gz",
            "no folder before AWSDynamoDB names a table",
        ),
    ],
)
def test_a_file_name_without_table_is_an_error_that_says_what_to_do(uri: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match="name the table yourself") as caught:
        target_of(uri)
    assert words in str(caught.value)
