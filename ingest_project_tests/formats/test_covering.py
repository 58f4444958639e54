"""Covers: a text that is taken whole holds what the exact way takes, record for record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats.covering import Cover
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.fast_lines import LineTemplates
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.keys import PARTITION_KEY_BYTES, SORT_KEY_BYTES, key_hash
from ingest_project.formats.record_shape import Member, Shape

ID = KeySchema(parts=(("id", "S"),))
PAIR = KeySchema(parts=(("n", "N"), ("id", "S")))
BINARY = KeySchema(parts=(("b", "B"),))
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw]).decode
_LINES = msgspec.json.Decoder(msgspec.Raw).decode_lines

Found = list[tuple[bytes, bytes]]


def exactly(raws: Sequence[bytes], keys: KeySchema) -> Found | None:
    """What a whole text becomes; None when some record is not good."""
    try:
        lines = [encode_record(bytes(raw), keys) for raw in raws]
    except Refused:
        return None
    return [(line.text, key_hash(line.key)) for line in lines]


def decoded(text: bytes) -> Sequence[bytes]:
    """The records as a reader hands them on; none when it refuses the text."""
    try:
        return _ARRAY(text) if text.startswith(b"[") else _LINES(text)
    except (msgspec.DecodeError, RecursionError):
        return []


def whole(templates: LineTemplates, raws: Sequence[bytes], text: bytes) -> Found | None:
    found = templates.whole(raws, text)
    return found and list(zip(map(bytes, found[0]), found[1], strict=True))


def export(number: int, *, text: str = "a", sort: str = "s") -> bytes:
    item: dict[str, object] = {"n": {"N": str(number)}, "id": {"S": f"{sort}{number}"}, "b": {"B": "YQ=="}}
    item |= {"t": {"S": text}, "l": {"L": [{"N": "1.5"}, {"N": "2"}]}, "z": {"NULL": True}}
    if number % 2:
        item["m"] = {"M": {"x": {"BOOL": True}}}
    return json.dumps({"Item": item}, separators=(",", ":"), ensure_ascii=False).encode()


def plain(number: int, *, text: str = "a", sort: str = "s") -> bytes:
    item: dict[str, object] = {"n": number, "id": f"{sort}{number}", "t": text, "l": [1.5, 2], "z": None}
    if number % 2:
        item["m"] = {"x": True}
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode()


FORMS = {"export": export, "plain": plain}
SPELLINGS = {
    "array": (b"[", b",", b"]"),
    "spaced array": (b" [\n ", b" ,\n", b"\r\n] "),
    "lines": (b"", b"\n", b""),
    "lines of Windows": (b"", b"\r\n", b"\r\n"),
}
LINES = [export(number) for number in range(6)]


def spelled(name: str, records: Sequence[bytes]) -> bytes:
    before, between, behind = SPELLINGS[name]
    return before + between.join(records) + behind


def taught(records: Sequence[bytes], keys: KeySchema) -> LineTemplates:
    templates = LineTemplates(keys)
    assert templates.learn(records)
    return templates


@pytest.mark.parametrize("keys", [ID, PAIR], ids=str)
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("form", FORMS)
def test_a_text_of_good_records_is_taken_whole(form: str, spelling: str, keys: KeySchema) -> None:
    records = [FORMS[form](number, text="ä") for number in range(6)]
    templates, text = taught(records, keys), spelled(spelling, records).strip()
    raws = decoded(text)
    assert 6 == len(raws)
    assert exactly(records, keys) == whole(templates, raws, text)
    assert exactly(records[2:], keys) == whole(templates, raws[2:], text)


@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_text_is_never_taken_with_a_record_that_the_exact_way_refuses(data: st.DataObject) -> None:
    make = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
    keys = data.draw(st.sampled_from([ID, PAIR]))
    records = [make(number) for number in range(data.draw(st.integers(1, 5)))]
    templates = taught([make(number) for number in range(6)], keys)
    text = bytearray(spelled(data.draw(st.sampled_from(sorted(SPELLINGS))), records).strip())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(DAMAGE)
    raws = decoded(bytes(text))
    found = whole(templates, raws, bytes(text)) if raws else None
    assert found is None or exactly(raws, keys) == found


DAMAGE = st.one_of(
    st.sampled_from([bytes([byte]) for byte in b'"\\\n\r\t\x00 0-,}]{[%:\xff']),
    st.sampled_from(
        [b"\xc3", b"\\ud800", b'""', b'"}', b"01", b"1e400", b"[1]", b"null", b'{"S":"x"}', b"],["]
    ),
    st.sampled_from([LINES[0], b"[%b]" % LINES[0], b"[%b,%b]" % (LINES[0], LINES[1]), b"\n" + LINES[1]]),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0, 1, PARTITION_KEY_BYTES, PARTITION_KEY_BYTES + 1])
def test_keys_that_are_empty_or_too_long_are_left_to_the_exact_way(form: str, size: int) -> None:
    def record(key: bytes) -> bytes:
        return FORMS[form](1).replace(b'"s1"', b'"%b"' % key)

    templates = taught([FORMS[form](1)], ID)
    records = [FORMS[form](1), record(b"x" * size)]
    text = spelled("lines", records)
    legal = 0 < size <= PARTITION_KEY_BYTES
    assert (exactly(records, ID) if legal else None) == whole(templates, decoded(text), text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [SORT_KEY_BYTES, SORT_KEY_BYTES + 1])
def test_sort_keys_have_a_limit_of_their_own(form: str, size: int) -> None:
    records = [FORMS[form](1), FORMS[form](3, sort="x" * (size - 1))]
    templates, text = taught(records[:1], PAIR), spelled("array", records)
    expected = exactly(records, PAIR) if size == SORT_KEY_BYTES else None
    assert expected == whole(templates, decoded(text), text)


def test_an_array_of_records_that_stands_for_one_record_is_not_taken_for_them() -> None:
    templates, text = taught(LINES, ID), b"[%b]" % b",".join(LINES)
    assert 1 == len(_LINES(text))
    assert whole(templates, _LINES(text), text) is None
    assert whole(templates, _ARRAY(b"[%b]" % text), b"[%b]" % text) is None


def test_numbers_beyond_the_limits_of_dynamodb_are_left_to_the_exact_way() -> None:
    for number in (b"1e126", b"1" * 39, b"01", b"", b"1 "):
        records = [LINES[0], LINES[2].replace(b'"1.5"', b'"%b"' % number)]
        text = spelled("lines", records)
        assert whole(taught(LINES, ID), decoded(text), text) is None


def test_keys_of_binaries_are_never_taken_whole() -> None:
    text = spelled("lines", LINES)
    assert whole(taught(LINES, BINARY), decoded(text), text) is None


def test_after_failures_tries_become_rare_and_a_success_ends_that() -> None:
    templates, good = taught(LINES, ID), spelled("lines", LINES)
    bad = good.replace(b'"id"', b'"ID"', 1)
    for _ in range(10):
        assert whole(templates, decoded(bad), bad) is None
    tries = [whole(templates, decoded(good), good) is not None for _ in range(12)]
    first = tries.index(True)
    assert [False] * first + [True] * (12 - first) == tries


def test_hashes_are_worked_out_once() -> None:
    members = (Member("id", Shape(scalars=frozenset({"S"}))),)
    hashes = Cover(Shape(members=members), ID).hashes([b'{"Item":{"id":{"S":"a"}}}'])
    assert 1 == len(hashes)
    assert hashes[0] is hashes[:][0] is next(iter(hashes))
