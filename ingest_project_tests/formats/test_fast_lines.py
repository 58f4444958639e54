"""The fast way: what a template says is what the exact way says, byte for byte; the rest it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats.bulk import bulk_body, bulk_encoder
from ingest_project.formats.dynamodb_json import SURELY_SMALL, encode_record
from ingest_project.formats.fast_lines import LineTemplates
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.keys import key_hash
from ingest_project_tests.formats.records import NAMES, SCALARS, VALUES, Number, json_text

ID = KeySchema(parts=(("id", "S"),))
PAIR = KeySchema(parts=(("id", "S"), ("n", "N")))


Encoded = tuple[bytes, bytes]
_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode


def exact(raw: bytes, keys: KeySchema) -> Encoded | None:
    try:
        line = encode_record(raw, keys)
    except Refused:
        return None
    return line.text, key_hash(line.key)


def group(
    templates: LineTemplates, records: Sequence[bytes], *, decoded: bool = False
) -> list[Encoded | None]:
    """What the templates say to each of the records; ``decoded``: as a reader hands them over."""
    text = b"[%b]" % b",".join(records) if decoded else b""
    (lines, hashes), missed = templates.encode(_decode(text) if decoded else records, text)
    found: list[Encoded | None] = list(zip(lines, hashes, strict=True))
    for at in missed:
        found[at] = None
    assert len(records) == len(found)
    return found


def one(templates: LineTemplates, raw: bytes) -> Encoded | None:
    return group(templates, [raw])[0]


def taught(records: list[bytes], keys: KeySchema = ID) -> LineTemplates:
    templates = LineTemplates(keys)
    for raw in records:
        if one(templates, raw) is None and exact(raw, keys) is not None:
            templates.learn([raw])
    return templates


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Records of one origin: the same names in one order, some left out, values of changing kinds."""
    names = draw(st.lists(NAMES.filter(lambda name: name not in ("id", "n")), max_size=5, unique=True))
    kinds = {name: draw(st.sampled_from([SCALARS, VALUES, st.lists(SCALARS, max_size=3)])) for name in names}
    ascii_only, spaced, typed = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    texts = []
    for _ in range(draw(st.integers(2, 7))):
        record: dict[str, Any] = {"id": draw(st.text(min_size=1, max_size=5))}
        record["n"] = Number(draw(st.integers(0, 99)))
        record |= {name: draw(kinds[name]) for name in names if draw(st.integers(0, 3))}
        try:
            text = json_text(record, ascii_only=ascii_only, spaced=spaced).encode()
            texts.append(encode_record(text, ID).text if typed else text)
        except (Refused, UnicodeEncodeError):
            continue
    return texts


@settings(max_examples=300)
@given(records=alike())
def test_the_fast_and_the_exact_way_give_identical_bytes(records: list[bytes]) -> None:
    for keys in (ID, PAIR):
        templates = taught(records, keys)
        expected = [exact(raw, keys) for raw in records]
        for decoded in (False, True):
            found = group(templates, records, decoded=decoded)
            assert [one and wanted for one, wanted in zip(found, expected, strict=True)] == found


@given(records=alike())
def test_bulk_bodies_are_the_same_with_and_without_templates(records: list[bytes]) -> None:
    lines = [encode_record(raw, ID).text for raw in records]
    for keys in (ID, PAIR):
        encode = bulk_encoder(keys)
        expected = [bulk_body(line, keys) for line in lines]
        assert [(expected, {})] * 2 == [encode(lines), encode(lines)]


@given(records=alike().filter(bool), data=st.data())
def test_a_damaged_record_is_judged_as_the_exact_way_does(records: list[bytes], data: st.DataObject) -> None:
    templates = taught(records)
    raw = bytearray(data.draw(st.sampled_from(records)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(DAMAGE))
    found = one(templates, bytes(raw))
    assert found is None or found == exact(bytes(raw), ID)


DAMAGE = [b"", b"\x00", b"\xff", b"\xc3", b"e9", b"\\ud800", *(bytes([byte]) for byte in b'"\\\n0-,}] %:')]


def test_the_usual_record_takes_the_fast_way() -> None:
    def record(i: int) -> bytes:
        value = {
            "id": f"k{i}",
            "ts": i,
            "ok": i % 2 == 0,
            "text": "ä\n" * i,
            "meta": {"ip": "10.0.0.1", "port": None if i % 3 else i},
            "tags": ["a"] * (i % 3),
            "files": [{"name": f"f{j}", "size": j} for j in range(i % 4)],
        }
        if i % 5:
            value["ref"] = f"r{i}"
        return json.dumps(value).encode()

    templates = taught([record(i) for i in range(30)])
    assert [i for i in range(30, 90) if one(templates, record(i)) is None] == []


@pytest.mark.parametrize("wrapped", [True, False])
def test_typed_records_are_passed_through(wrapped: bool) -> None:
    item = (
        b'{"id":{"S":"a"},"b":{"B":"YQ=="},"l":{"L":[{"N":"1"},{"M":{"x":{"NULL":true}}}]},"t":{"BOOL":true}}'
    )
    raw = b'{"Item":%b}' % item if wrapped else item
    templates = taught([raw])
    assert one(templates, raw) == exact(raw, ID)
    assert one(templates, raw.replace(b"YQ==", b"YQ=")) is None
    assert one(templates, raw.replace(b'"1"', b'"one"')) is None
    assert one(templates, raw.replace(b'"NULL":true', b'"NULL":false')) is None


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b'{"id":"a","n":1}', b'{"id":"a","n":1%b}' % (b"0" * 38 + b"1")),
        (b'{"id":"a","n":1}', b'{"id":"a","n":1e126}'),
        (b'{"id":"a","n":1}', b'{"id":"","n":1}'),
        (b'{"id":"a","n":1}', b'{"id":"%b","n":1}' % (b"x" * 2049)),
        (b'{"id":"a","n":1}', b'{"id":"a","n":1,"n":2}'),
        (b'{"id":"a","s":"\\u00e4"}', b'{"id":"a","s":"\\ud800"}'),
        (b'{"id":"a","s":"\\u00e4"}', b'{"id":"a","s":"\\udc00\\ud800"}'),
        (b'{"id":"a","s":"x"}', b'{"id":"a","s":"\xed\xa0\x80"}'),
        (b'{"id":"a","s":"x"}', b'{"id":"a","s":"\t"}'),
        (b'{"id":"a","s":"x"}', b'{"id":"a","s":"%b"}' % (b"x" * SURELY_SMALL * 2)),
        (b'{"id":{"S":"a"},"s":{"SS":["x"]}}', b'{"id":{"S":"a"},"s":{"SS":["x","x"]}}'),
    ],
)
def test_what_the_exact_way_refuses_no_template_lets_through(good: bytes, bad: bytes) -> None:
    assert one(taught([good, good]), bad) is None
    assert exact(bad, ID) is None


def test_percent_signs_and_odd_names_survive() -> None:
    raw = b'{"id":"%s","%d.*":"100%","\xc3\xa4":1,"q\\"":{"%b":[true,"%"]}}'
    for record in (raw, json.dumps(json.loads(raw)).encode()):
        assert exact(record, ID) == one(taught([record]), record)


def test_records_without_a_common_order_exhaust_the_lessons_and_stay_exact() -> None:
    members = [[b'"%d":1' % (i * j % 101) for j in range(1, 9)] for i in range(1, 100)]
    records = [b'{"id":"a",%b}' % b",".join(texts) for texts in members]
    templates = taught(records)
    assert {True} == {one(templates, raw) in (None, exact(raw, ID)) for raw in records}
