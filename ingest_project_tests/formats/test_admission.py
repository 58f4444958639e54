"""Admission of whole groups: each record as the exact way alone decides, whatever stands beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.model import Admitted, KeySchema, Position, RecordBatch
from ingest_project.formats.admission import ItemAdmission
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.keys import key_hash

ID = KeySchema(parts=(("id", "S"),))
PAIR = KeySchema(parts=(("id", "S"), ("n", "N")))
_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode

NUMBERS = st.one_of(
    st.integers(-(10**39), 10**39).map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    st.sampled_from(
        ["1e125", "1E126", "1E400", "1e-130", "1e-131", "-0", "0.0", "9" * 38, "9" * 39, "1" + "0" * 60]
    ),
)
STRINGS = st.one_of(
    st.text(max_size=6).map(json.dumps),
    st.text(st.characters(codec="utf-8"), max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.lists(
        st.sampled_from(["\\\\", '\\"', "\\n", "\\/", "\\u00e4", ",", ":", "x", "{", "%", '\\"},']),
        max_size=7,
    ).map(lambda parts: '"' + "".join(parts) + '"'),
    st.sampled_from(['""', '"NaN"', '","', '"\\ud83d\\ude00"', '"\\ud800"', '"\t"', '"\\x"', '"a\\"']),
)
LEAVES = st.one_of(NUMBERS, STRINGS, st.sampled_from(["true", "false", "null", "NaN", "[]", "{}"]))
ARRAYS = st.lists(st.one_of(STRINGS, NUMBERS), max_size=3).map(lambda values: "[" + ",".join(values) + "]")
DEEP = st.integers(28, 34).map(lambda depth: "[" * depth + "1" + "]" * depth)
VALUES = st.one_of(LEAVES, LEAVES, ARRAYS, st.builds('{{"x":{},"y":[{}]}}'.format, LEAVES, LEAVES), DEEP)


def record(members: Sequence[tuple[str, str]], comma: str = ",", colon: str = ":") -> bytes:
    text = "{" + comma.join(f'"{name}"{colon}{value}' for name, value in members) + "}"
    return text.encode("utf-8", "surrogatepass")


@st.composite
def groups(draw: st.DrawFn) -> list[bytes]:
    """Records of one or two origins, most of them like the one before, some damaged in one way or another."""
    origins = [[("id", '"k"'), ("n", "1"), *draw(members())] for _ in range(draw(st.integers(1, 2)))]
    spaces = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", " : ")]))
    found = []
    for number in range(draw(st.integers(1, 12))):
        wanted = list(draw(st.sampled_from(origins)))
        wanted[0] = (
            "id",
            draw(st.sampled_from([f'"k{number}"', '"\\u00e4"', '"\\\\"', '""', "1", '"a\\"b"'])),
        )
        wanted[1] = ("n", draw(st.one_of(st.integers(0, 99).map(str), NUMBERS)))
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(1, len(wanted) - 1))
            damage = draw(st.sampled_from(["value", "drop", "twice", "swap"]))
            if damage == "value":
                wanted[at] = (wanted[at][0], draw(VALUES))
            elif damage == "drop" and len(wanted) > 2:
                del wanted[at]
            elif damage == "twice":
                wanted.append(wanted[at])
            else:
                wanted[at], wanted[0] = wanted[0], wanted[at]
        found.append(record(wanted, *draw(st.sampled_from([spaces, spaces, spaces, (",", ":")]))))
    return found


@st.composite
def members(draw: st.DrawFn) -> list[tuple[str, str]]:
    names = draw(
        st.lists(st.sampled_from(["a", "b", "a b", "%s", "\\u00e4", 'q\\"']), max_size=4, unique=True)
    )
    return [(name, draw(VALUES)) for name in names]


def exactly(raws: Sequence[bytes], keys: KeySchema, drop: bool) -> list[tuple[bytes, bytes] | str]:
    found: list[tuple[bytes, bytes] | str] = []
    for raw in raws:
        try:
            line = encode_record(raw, keys, drop_empty_strings=drop)
        except Refused as refused:
            found.append(str(refused))
        else:
            found.append((line.text, key_hash(line.key)))
    return found


def admitted(
    admission: ItemAdmission, raws: Sequence[bytes], text: bytes = b""
) -> list[tuple[bytes, bytes] | str]:
    """The same, as the admission says it of one batch; offsets tell which record a line was."""
    given: Sequence[bytes] = _decode(text) if text else raws
    batch = RecordBatch(
        first=100, raws=given, offsets=range(len(raws)), after=Position(100 + len(raws)), text=text
    )
    done: Admitted = admission(batch)
    found: dict[int, Any] = {letter.ordinal - 100: letter.reason for letter in done.rejections}
    assert [raws[letter.ordinal - 100] for letter in done.rejections] == [one.raw for one in done.rejections]
    found |= zip(done.offsets, zip(map(bytes, done.lines), done.hashes, strict=True), strict=True)
    assert sorted(found) == list(range(len(raws)))
    return [found[at] for at in range(len(raws))]


def decodable(raws: Sequence[bytes]) -> bytes:
    """The records as a reader's decoder would take them, or nothing when it would not."""
    text = b"[%b]" % b",".join(raws)
    try:
        return text if len(_decode(text)) == len(raws) else b""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b""


@settings(max_examples=120)
@given(batches=st.lists(groups(), min_size=1, max_size=3), drop=st.booleans())
def test_every_record_of_a_group_is_judged_as_the_exact_way_judges_it_alone(
    batches: list[list[bytes]], drop: bool
) -> None:
    for keys in (ID, PAIR):
        admission = ItemAdmission(keys, drop_empty_strings=drop)
        for raws in batches + batches:
            assert exactly(raws, keys, drop) == admitted(admission, raws)
            assert exactly(raws, keys, drop) == admitted(admission, raws, decodable(raws))


def test_what_was_just_learned_drops_no_less() -> None:
    """The templates learn of the first two records; the next batch widens one in its midst."""
    admission = ItemAdmission(ID, drop_empty_strings=True)
    for raws in ([b'{"id":"k","n":0}'], [b'{"id":"k","n":%b,"a":0}' % n for n in (b"0", b'""', b"0")]):
        assert exactly(raws, ID, True) == admitted(admission, raws)


@given(raws=groups())
def test_export_lines_of_a_group_pass_as_the_exact_way_lets_them(raws: list[bytes]) -> None:
    lines = [found[0] for found in exactly(raws, ID, False) if not isinstance(found, str)]
    bare = [line[len(b'{"Item":') : -1] for line in lines]
    for texts in (lines, bare, lines + raws):
        admission = ItemAdmission(ID)
        for _ in range(2):
            assert exactly(texts, ID, False) == admitted(admission, texts, decodable(texts))


@pytest.mark.parametrize(
    "literal",
    [
        b'"\t"',
        b'"\x00"',
        b'"\x1f"',
        b'"\\x"',
        b'"\\u12g4"',
        b'"\\ud800"',
        b'"\\udc00x"',
        b'"a',
        b"01",
        b"1.",
        b"+1",
    ],
)
def test_the_readers_decoder_refuses_what_templates_do_not_look_for(literal: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        _decode(b'[{"id":%b}]' % literal)


def test_a_group_that_is_not_utf8_loses_no_more_than_the_record_at_fault() -> None:
    good = [record([("id", f'"{number}"'), ("text", '"\u00e4"')]) for number in range(6)]
    raws = [*good[:3], b'{"id":"x","text":"\xc3"}', *good[3:]]
    admission = ItemAdmission(ID)
    for _ in range(2):
        assert exactly(raws, ID, False) == admitted(admission, raws, decodable(raws))


@pytest.mark.parametrize("run", range(1, 12))
def test_a_run_of_backslashes_ends_its_string_or_does_not(run: int) -> None:
    """Whoever miscounts takes the rest of the record for the inside of the string, or the other way round."""
    tail = '"' if run % 2 == 0 else '","b":"' + '"'
    raws = [
        record([("id", '"k"'), ("a", '"' + "\\" * run + tail), ("b", '"\\n"')]),
        record([("id", '"k"'), ("a", '"' + "\\" * run + '","b":"x"'), ("b", '"y"')]),
        record([("id", '"k"'), ("a", '"x' + "\\\\" * run + '"'), ("b", '"y"')]),
    ]
    admission = ItemAdmission(ID)
    for _ in range(3):
        for raw in raws:
            assert exactly([raw], ID, False) == admitted(admission, [raw], decodable([raw]))
        assert exactly(raws, ID, False) == admitted(admission, raws, decodable(raws))


class Watched(ItemAdmission):
    """Notes what goes the exact way."""

    def __init__(self, keys: KeySchema) -> None:
        super().__init__(keys)
        self.exact: list[bytes] = []

    def _exact(self, raw: bytes) -> tuple[bytes, bytes]:
        self.exact.append(raw)
        return super()._exact(raw)


def test_what_was_learned_from_a_record_serves_the_rest_of_its_group() -> None:
    raws = [record([("id", f'"{number}"'), ("n", str(number)), ("s", '"x"')]) for number in range(50)]
    admission = Watched(ID)
    assert exactly(raws, ID, False) == admitted(admission, raws)
    assert [raws[0]] == admission.exact


def test_shapes_that_take_turns_spaces_and_escapes_keep_to_the_fast_way() -> None:
    def one(number: int) -> bytes:
        members = [("id", f'"k{number}"'), ("text", '"a \\"quoted\\" \\n word"'), ("n", str(number))]
        if number % 2:
            members = [("id", f'"k{number}"'), ("tags", '["a","b,\\",c"]'), ("meta", '{"x":null}')]
        if number % 3:
            members.append(("more", '[{"y":1},{"y":2.50}]'))
        return record(members, *((" ,", "\n: ") if number % 5 == 0 else (",", ":")))

    admission = Watched(ID)
    admitted(admission, [one(number) for number in range(30)])
    admission.exact.clear()
    raws = [one(number) for number in range(30, 130)]
    assert exactly(raws, ID, False) == admitted(admission, raws, decodable(raws))
    assert [] == admission.exact
