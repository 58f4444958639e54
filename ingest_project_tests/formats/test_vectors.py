"""Vectors come back from their bytes as exactly as their codec says, and broken bytes are named."""

from __future__ import annotations

import zlib
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.codecs import CODECS, Codec
from ingest_project.formats.vectors import BrokenVector, Matrix, cosines, decode_vector, encode_vector

NUMBERS = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=40)


def random_vectors(count: int, dimensions: int = 512) -> Matrix:
    rows = np.random.default_rng(5).standard_normal((count, dimensions), dtype=np.float32)
    found: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


@given(NUMBERS)
def test_float32_comes_back_bit_by_bit_as_the_earlier_tool_wrote_it(numbers: list[float]) -> None:
    vector = array("f", numbers)
    data = encode_vector(vector, "zlib-float32")
    assert vector.tobytes() == zlib.decompress(data)
    assert vector.tobytes() == decode_vector(data).tobytes()


@given(NUMBERS, st.sampled_from(CODECS))
def test_every_number_comes_back_within_its_codecs_step(numbers: list[float], codec: Codec) -> None:
    found = decode_vector(encode_vector(numbers, codec), codec)
    most = max(map(abs, numbers))
    step = {"zlib-float32": 0.0, "float16": max(most / 1024, 1e-7), "int8": most / 250 or 1e-30}[codec]
    assert len(numbers) == len(found)
    assert float(np.abs(found - np.asarray(numbers, dtype=np.float32)).max()) <= step


@pytest.mark.parametrize(("codec", "most"), [("zlib-float32", 2_048), ("float16", 1_024), ("int8", 516)])
def test_a_vector_takes_so_many_bytes_at_most(codec: Codec, most: int) -> None:
    (vector,) = random_vectors(1)
    assert len(encode_vector(vector, codec)) <= most
    assert cosines(vector, [decode_vector(encode_vector(vector, codec), codec)])[0] > 0.9999


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b"nonsense", "zlib-float32"),
        (zlib.compress(b"123"), "zlib-float32"),
        (zlib.compress(b""), "zlib-float32"),
        (zlib.compress(array("f", [float("nan")]).tobytes()), "zlib-float32"),
        (b"123", "float16"),
        (b"", "float16"),
        (b"12", "int8"),
        (b"1234", "int8"),
        (b"1234", "float64"),
    ],
)
def test_bytes_that_are_no_vector_are_refused(data: bytes, codec: str) -> None:
    with pytest.raises(BrokenVector, match=codec):
        decode_vector(data, codec)


@pytest.mark.parametrize("numbers", [[], [float("nan")], [float("inf"), 1.0]])
def test_numbers_that_are_not_finite_are_not_stored(numbers: list[float]) -> None:
    with pytest.raises(BrokenVector, match="finite"):
        encode_vector(numbers, "int8")


def test_cosines_are_those_of_the_angles() -> None:
    found = cosines([1.0, 0.0], np.asarray([[2, 0], [0, 3], [-1, 0], [1, 1], [0, 0]], dtype=np.float32))
    assert pytest.approx([1, 0, -1, 0.5**0.5, 0]) == found.tolist()
    with pytest.raises(BrokenVector, match="other dimensions than the query's 2"):
        cosines([1.0, 0.0], [np.zeros(3, dtype=np.float32)])
    with pytest.raises(BrokenVector, match="other dimensions"):
        cosines([1.0, 0.0], [np.zeros(4, dtype=np.float32)])
