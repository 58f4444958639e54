"""Numbers: DynamoDB's limits to the digit, one canonical form, compared with the decimal module."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.formats import numbers

DIGITS = st.text("0123456789", min_size=0, max_size=60)


@st.composite
def number_texts(draw: st.DrawFn) -> bytes:
    whole, fraction = draw(DIGITS), draw(st.none() | DIGITS)
    if not whole and not fraction:
        whole = "0"
    text = draw(st.sampled_from(["", "-", "+"])) + whole + ("" if fraction is None else "." + fraction)
    exponent = draw(st.none() | st.integers(-200, 200))
    if exponent is not None:
        text += draw(st.sampled_from(["e", "E"])) + draw(st.sampled_from(["%d", "%+d", "%04d"])) % exponent
    return text.encode()


def exact(text: bytes) -> Decimal:
    return Decimal(text.decode())


@given(text=number_texts())
def test_the_limits_are_those_of_an_exact_decimal(text: bytes) -> None:
    value = exact(text)
    digits = len("".join(map(str, value.as_tuple().digits)).strip("0"))
    legal = value == 0 or (digits <= 38 and -130 <= value.adjusted() <= 125)
    assert legal == (numbers.fault(text) == "")


@given(text=number_texts())
def test_the_canonical_text_has_the_same_value_and_is_json(text: bytes) -> None:
    canonical = numbers.canonical(text)
    assert exact(text) == exact(canonical)
    assert exact(text) == json.loads(canonical, parse_float=Decimal, parse_int=Decimal)


@given(text=number_texts(), other=number_texts(), shift=st.integers(-9, 9))
def test_equal_values_and_only_these_share_a_canonical_text(text: bytes, other: bytes, shift: int) -> None:
    assert (exact(text) == exact(other)) == (numbers.canonical(text) == numbers.canonical(other))
    with localcontext(prec=300):
        respelled = f"{exact(text).scaleb(-shift):f}e{shift}".encode()
    assert numbers.canonical(text) == numbers.canonical(respelled)


@given(text=number_texts())
def test_a_typed_number_becomes_legal_json_of_equal_value(text: bytes) -> None:
    assert exact(text) == json.loads(numbers.legal_json(text), parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (b"1", b"1"),
        (b"1.0", b"1"),
        (b"1e0", b"1"),
        (b"-0", b"0"),
        (b"0e-999", b"0"),
        (b"+007", b"7"),
        (b"1e40", b"1E+40"),
        (b"-12.5e40", b"-1.25E+41"),
        (b"0.00000001", b"1E-8"),
        (b".5", b"0.5"),
        (b"120.", b"120"),
    ],
)
def test_canonical_texts(text: bytes, canonical: bytes) -> None:
    assert canonical == numbers.canonical(text)


@pytest.mark.parametrize(
    "text",
    [
        b"9" * 38,
        b"-" + b"9" * 38 + b"e87",
        b"1" + b"0" * 125,
        b"1e-130",
        b"0" * 500 + b".1" + b"0" * 500,
        b"0e99999999999999999999",
        b"9." + b"9" * 37 + b"E+125",
    ],
)
def test_what_dynamodb_keeps_is_without_fault(text: bytes) -> None:
    assert numbers.fault(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"1" * 39, "39 significant digits"),
        (b"0.1" + b"0" * 40 + b"1", "42 significant digits"),
        (b"1e126", "too large"),
        (b"-1e126", "too large"),
        (b"9.9e-131", "too close to zero"),
        (b"1e" + b"9" * 5000, "too large"),
        (b"1e-" + b"9" * 5000, "too close to zero"),
        (b"NaN", "NaN is not a number"),
        (b"", "is not a number"),
        (b"-", "is not a number"),
        (b".", "is not a number"),
        (b"1 ", "is not a number"),
        (b"1e", "is not a number"),
        (b"0x1", "is not a number"),
        (b"\xc2\xb2", "is not a number"),
    ],
)
def test_a_fault_says_what_is_wrong(text: bytes, words: str) -> None:
    assert words in numbers.fault(text)


def test_a_long_number_is_shortened_in_the_reason() -> None:
    assert len(numbers.fault(b"7" * 10_000)) < 200


@pytest.mark.parametrize(("text", "size"), [(b"0", 1), (b"7", 2), (b"-12", 2), (b"123", 3), (b"1" * 38, 20)])
def test_a_number_counts_a_byte_for_two_digits_and_one(text: bytes, size: int) -> None:
    assert size == numbers.stored_bytes(text)


def test_the_canonical_form_of_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="abc is not"):
        numbers.canonical(b"abc")
