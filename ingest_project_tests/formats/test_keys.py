"""Keys: spellings of one key are one key, different keys have different bytes and texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.model import KeySchema
from ingest_project.formats import keys
from ingest_project.formats.dynamodb_json import encode_record
from ingest_project.formats.keys import KeyPart

PARTS = st.builds(KeyPart, st.just("S"), st.text("ab|\\", max_size=4).map(str.encode))
PAIRS = st.tuples(PARTS, PARTS)


@given(one=PAIRS, other=PAIRS)
def test_different_composite_keys_have_different_bytes_texts_and_ids(
    one: tuple[KeyPart, ...], other: tuple[KeyPart, ...]
) -> None:
    same = one == other
    assert same == (keys.key_bytes(one) == keys.key_bytes(other))
    assert same == (keys.key_hash(one) == keys.key_hash(other))
    assert same == (keys.key_text(one) == keys.key_text(other))
    assert same == (keys.document_id(one) == keys.document_id(other))


def hashed(raw: bytes, kind: str) -> bytes:
    return keys.key_hash(encode_record(raw, KeySchema(parts=(("k", kind),))).key)


def test_spellings_of_one_key_are_one_key() -> None:
    assert len({hashed(raw, "S") for raw in (b'{"k":"A"}', b'{"k":"\\u0041"}', b'{"k":{"S":"A"}}')}) == 1
    numbers = (b'{"k":1}', b'{"k":1.0}', b'{"k":10e-1}', b'{"Item":{"k":{"N":"+1"}}}')
    assert len({hashed(raw, "N") for raw in numbers}) == 1
    assert hashed(b'{"k":-0}', "N") == hashed(b'{"k":0.0}', "N")
    assert hashed(b'{"k":{"B":"YQ=="}}', "B") == hashed(b'{"k":{"B":"\\u0059Q=="}}', "B")


def test_a_single_key_is_its_own_text() -> None:
    assert keys.key_text([KeyPart("S", "a|ä\\".encode())]) == "a|ä\\"
    assert keys.key_text([KeyPart("B", b"a"), KeyPart("N", b"1.5")]) == "YQ==|1.5"
    assert keys.key_text([KeyPart("S", b"a|b\\"), KeyPart("S", b"c")]) == "a\\|b\\\\|c"


def test_a_document_id_fits_into_512_bytes() -> None:
    assert keys.document_id([KeyPart("S", b"x" * 512)]) == "x" * 512
    long = keys.document_id([KeyPart("S", "ä".encode() * 257)])
    assert long.startswith("blake2b:")
    assert len(long) < 512


@given(value=st.binary(max_size=20))
def test_the_hash_of_a_string_key_has_a_short_cut(value: bytes) -> None:
    assert keys.key_hash([KeyPart("S", value)]) == keys.string_key_hash(value)
