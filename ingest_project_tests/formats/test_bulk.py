"""Bulk bodies: groups of lines give byte for byte what each line by itself gives, the exact way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from ingest_project.core.model import KeySchema
from ingest_project.formats import bulk, shelf
from ingest_project.formats.bulk import GROUP_BYTES, BulkEncoders, bulk_body, bulk_encoder
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.template import Template

ID = KeySchema(parts=(("id", "S"),))
PAIR = KeySchema(parts=(("id", "S"), ("n", "N")))
NAMES = ["S", "N", "M", "Item", "text", 'quo"te', "per%cent", "{brace}", "é", "id2"]
TEXTS = [
    "plain",
    "",
    "}",
    "}}",
    '},"text":{"S":"',
    '{"Item":{"id":{"S":"x"}}}',
    "100 %b %s",
    'a "quote"',
    "back\\slash",
    "line\nbreak",
    "é\U0001f600",
    "\u2028\x7f",
    "long " * 400,
]
NUMBERS = ["0", "-0", "1.0", "1e5", "-1.50E-7", "0.10", "12345678901234567890123456789012345678", "7", "42"]
TYPED = [
    '{"N":"007"}',
    '{"N":"+1"}',
    '{"N":".5"}',
    '{"N":"5."}',
    '{"SS":["a","}"]}',
    '{"B":"YQ=="}',
    '{"L":[]}',
]
FUZZED, ORIGINS = 10_000, 250


def value(random: Random, depth: int = 0) -> str:
    """A plain value's text."""
    kind = random.randrange(8 if depth < 3 else 5)
    if kind < 2:
        return json.dumps(random.choice(TEXTS), ensure_ascii=random.random() < 0.5)
    if kind < 4:
        return random.choice(NUMBERS)
    if kind == 4:
        return random.choice(["true", "false", "null"])
    inner = [value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind < 6:
        return f"[{','.join(inner)}]"
    names = random.sample(NAMES, len(inner))
    return "{" + ",".join(f"{json.dumps(name)}:{one}" for name, one in zip(names, inner, strict=True)) + "}"


def like(random: Random, text: str) -> str:
    """A value that may follow ``text`` in the next record of one origin."""
    if random.random() < 0.03:
        return value(random)
    if text[0] == '"':
        return json.dumps(random.choice(TEXTS[: random.choice([2, len(TEXTS)])]) + str(random.randrange(99)))
    return random.choice(NUMBERS) if text[0] in "-0123456789" else text


def part_lines(random: Random, count: int) -> list[bytes]:
    """Lines of one origin: the same names in one order, some missing at times, kinds that change at times."""
    names = random.sample(NAMES, random.randrange(1, len(NAMES)))
    usual = {name: value(random) for name in names}
    lacking = random.choice([0.0, 0.0, 0.1])
    lines = []
    for number in range(count):
        members = [f'"id":{json.dumps(random.choice(TEXTS)[:500] + str(number))}', f'"n":{number}']
        members += [
            f"{json.dumps(name)}:{like(random, text)}"
            for name, text in usual.items()
            if random.random() >= lacking
        ]
        random.shuffle(members) if random.random() < 0.02 else None
        lines.append(encode_record(("{" + ",".join(members) + "}").encode(), ID).text)
        if random.random() < 0.02:
            lines[-1] = lines[-1][:-2] + b',"odd":%b}}' % random.choice(TYPED).encode()
    return lines


@pytest.mark.parametrize("start", range(0, FUZZED // ORIGINS, 8))
def test_ten_thousand_random_documents_are_byte_for_byte_those_of_the_exact_way(start: int) -> None:
    for seed in range(start, start + 8):
        random = Random(seed)
        lines = part_lines(random, ORIGINS)
        for keys in (ID, PAIR):
            encode, expected = bulk_encoder(keys), [bulk_body(line, keys) for line in lines]
            at, found = 0, list[bytes]()
            while at < len(lines):
                group = lines[at : at + random.choice([1, 7, 60, 200])]
                found += encode(group)[0]
                at += len(group)
            assert expected == found, f"seed {seed}"


def test_digits_and_strings_stand_in_the_body_as_in_the_line() -> None:
    line = b'{"Item":{"id":{"S":"a"},"n":{"N":"1.500"},"big":{"N":"12345678901234567890123456789012345678"}}}'
    expected = b'{"index":{"_id":"a"}}\n{"id":"a","n":1.500,"big":12345678901234567890123456789012345678}\n'
    encode = bulk_encoder(ID)
    assert [expected] * 3 == [*encode([line])[0], *encode([line, line])[0]]


def item(number: int, **others: Any) -> bytes:
    record = {"id": f"k{number}", "text": f"text {number}", "n": number, **others}
    return encode_record(json.dumps(record).encode(), ID).text


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Lines of each group that is taken at once, and whether it could be."""
    seen: list[tuple[int, bool]] = []
    rows = Template.rows

    def watched(self: Template, lines: Sequence[bytes]) -> Any:
        found = rows(self, lines)
        seen.append((len(lines), found is not None))
        return found

    monkeypatch.setattr(Template, "rows", watched)
    return seen


def test_lines_of_one_shape_are_taken_apart_in_one_go_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = bulk_encoder(ID)
    encode([item(0)])
    seen = counted(monkeypatch)
    monkeypatch.setattr(bulk, "bulk_body", None)
    lines = [item(number) for number in range(1000, 5000)]
    encode(lines)
    assert all(whole for _, whole in seen)
    assert sum(count for count, _ in seen) == len(lines)
    assert max(count for count, _ in seen) * len(lines[-1]) <= GROUP_BYTES


def test_a_stream_knows_what_the_one_before_it_has_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    encoders = BulkEncoders()
    encoders.of(ID)([item(0)])
    monkeypatch.setattr(bulk, "bulk_body", None)
    expected = b'{"index":{"_id":"k7"}}\n{"id":"k7","text":"text 7","n":7}\n'
    assert [expected] == encoders.of(ID)([item(7)])[0]


def test_a_stream_behind_too_many_shapes_learns_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MAX_TRIALS", 1)
    monkeypatch.setattr(bulk, "MOST_STREAMS", 1)
    encoders = BulkEncoders()
    encoders.of(ID)([item(0)])
    encode, line = encoders.of(ID), item(1, flag=True)
    encode([line])
    monkeypatch.setattr(bulk, "bulk_body", None)
    assert 1 == len(encode([line])[0])


def test_a_template_gives_up_whole_groups_where_shapes_are_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [item(number, **({"flag": [{"x": 1}]} if number % 2 else {})) for number in range(40)]
    encode = bulk_encoder(ID)
    encode([item(0)])
    seen = counted(monkeypatch)
    for _ in range(20):
        assert [bulk_body(line, ID) for line in lines] == list(encode(lines)[0])
    assert len(seen) < 40


def test_no_group_is_taken_at_once_where_a_name_is_that_of_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [item(number).replace(b'"text"', b'"S"') for number in range(40)]
    encode, seen = bulk_encoder(ID), counted(monkeypatch)
    assert [bulk_body(line, ID) for line in lines] == list(encode(lines)[0])
    assert [] == seen
