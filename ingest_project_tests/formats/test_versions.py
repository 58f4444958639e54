"""Versions read out of part lines, and what is made of them for the two kinds of target."""

from __future__ import annotations

import json

import pytest

from ingest_project.core.model import KeySchema
from ingest_project.formats.bulk import bulk_encoder
from ingest_project.formats.versions import (
    BadVersion,
    condition_encoder,
    external_encoder,
    version_reader,
)

KEYS = KeySchema(parts=(("id", "N"),))
LINE = b'{"Item":{"id":{"N":"7"},"text":{"S":"\\"version\\":{\\"N\\":\\"9\\"}"},"version":{"N":"42"}}}'
NESTED = b'{"Item":{"id":{"N":"7"},"m":{"M":{"version":{"N":"9"}}},"version":{"N":"42"}}}'

BAD = ("-1", "0", "1.5", "1234567890123456789", "²", "")


@pytest.mark.parametrize("line", [LINE, NESTED])
def test_the_version_is_that_of_the_item_itself_whatever_else_is_called_so(line: bytes) -> None:
    assert b"42" == version_reader("version")(line)


@pytest.mark.parametrize("number", ['{"S":"42"}', *(f'{{"N":"{text}"}}' for text in BAD)])
def test_what_is_no_version_is_said(number: str) -> None:
    with pytest.raises(BadVersion, match="version"):
        version_reader("version")(f'{{"Item":{{"version":{number}}}}}'.encode())


def test_a_line_becomes_the_end_of_a_conditional_put() -> None:
    (body,), refused = condition_encoder(version_reader("version"))([LINE])
    request = json.loads(b"{" + body)
    assert {} == dict(refused)
    assert {":v": {"N": "42"}} == request["ExpressionAttributeValues"]
    assert json.loads(LINE)["Item"] == request["Item"]


def test_a_line_without_a_version_is_refused_and_its_neighbours_are_not() -> None:
    bad = b'{"Item":{"id":{"N":"8"}}}'
    bodies, refused = condition_encoder(version_reader("version"))([LINE, bad, NESTED])
    assert (3, [1]) == (len(bodies), list(refused))
    assert "version" in refused[1]


def test_the_action_of_a_document_carries_its_version_and_its_source_is_as_without() -> None:
    plain, _ = bulk_encoder(KEYS)([LINE])
    (body,), _ = external_encoder(bulk_encoder(KEYS), version_reader("version"))([LINE])
    action, source = body.rstrip(b"\n").split(b"\n")
    assert {"index": {"_id": "7", "version": 42, "version_type": "external_gte"}} == json.loads(action)
    assert plain[0].split(b"\n")[1] == source


def test_an_id_that_looks_like_the_end_of_an_action_stays_an_id() -> None:
    line = b'{"Item":{"id":{"S":"}}\\n{"},"version":{"N":"1"}}}'
    keys = KeySchema(parts=(("id", "S"),))
    (body,), _ = external_encoder(bulk_encoder(keys), version_reader("version"))([line])
    assert "}}\n{" == json.loads(body.split(b"\n")[0])["index"]["_id"]
