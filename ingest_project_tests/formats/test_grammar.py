"""The end of one value: C and Python agree with each other and with json, at every split of the bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.formats import grammar
from ingest_project.formats.grammar import MORE, Broken, value_end, walk
from ingest_project_tests.formats.strategies import VALUES

SOUP = st.text(alphabet='{}[]",:\\u0123456789.eE+-truefalsn \n\tNaInity\x01é', max_size=30)


def outcome(ends: object, data: bytes, final: bool) -> tuple[str, int]:
    assert callable(ends)
    try:
        return "end", ends(data, 0, final)
    except Broken as broken:
        return broken.expected, broken.offset


@given(text=VALUES, tail=st.sampled_from(["", " ", ",", "]", "}", "\n{", '"']))
@settings(max_examples=500)
def test_both_ways_find_the_end_of_a_value(text: str, tail: str) -> None:
    data = (text + tail).encode()
    assert value_end(data, 0, True) == len(text.encode())
    assert walk(data, 0, True) == len(text.encode())


@given(text=SOUP, final=st.booleans())
@settings(max_examples=2000)
def test_both_ways_agree_on_any_text(text: str, final: bool) -> None:
    data = text.encode().lstrip(b" \t\r\n")
    found = outcome(value_end, data, final)
    if final or found != ("end", MORE):
        assert outcome(walk, data, final) == found


@given(text=SOUP)
@settings(max_examples=1000)
def test_what_json_reads_as_one_value_ends_at_its_end(text: str) -> None:
    try:
        json.loads(text)
        whole = True
    except json.JSONDecodeError:
        whole = False
    data = text.encode().strip(b" \t\r\n")
    assert whole == (outcome(walk, data, True) == ("end", len(data)) and bool(data))


@given(text=VALUES, data=st.data())
def test_a_value_cut_anywhere_wants_more(text: str, data: st.DataObject) -> None:
    written = text.encode()
    cut = written[: data.draw(st.integers(0, len(written) - 1))]
    if value_end(written, 0, False) != MORE:
        assert value_end(cut, 0, False) == MORE
        assert walk(cut, 0, False) == MORE


def test_the_decoder_in_c_still_tells_where_a_value_ends() -> None:
    """When msgspec words its error otherwise, reading stays right and becomes slow: then mend the pattern."""
    assert grammar._SHIFT is not None


@pytest.mark.parametrize("text", [b"12", b"-1.5e", b"tru", b'"a', b'{"a"', b"[1,", b"-"])
def test_the_end_of_the_data_is_named_as_the_place_of_the_fault(text: bytes) -> None:
    if value_end(text, 0, False) == MORE and text != b"12":
        with pytest.raises(Broken) as caught:
            value_end(text, 0, True)
        assert (caught.value.offset, caught.value.cut) == (len(text), True)
    else:
        assert value_end(text, 0, True) == 2
