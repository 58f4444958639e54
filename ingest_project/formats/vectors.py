"""Vectors as bytes and back: zlib over float32 as the old readers know it, float16, int8 with a scale.

Bytes are little-endian on every machine. Knows no table and no index.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingest_project.core.codecs import CODECS, Codec

COMPATIBLE: Codec = "zlib-float32"
"""What the bytes are of an item that does not say: readers of the earlier tool know no other."""

Matrix: TypeAlias = NDArray[np.float32]
_FLOAT32, _FLOAT16 = np.dtype("<f4"), np.dtype("<f2")
_MOST_FLOAT16 = float(np.finfo(np.float16).max)


class BrokenVector(ValueError):
    """Bytes that are no vector of that codec."""


def encode_vector(vector: Sequence[float] | Matrix, codec: Codec) -> bytes:
    """A vector's bytes.

    Args:
        vector: Finite numbers; ``array("f")`` and numpy's are taken uncopied.

    Raises:
        BrokenVector: A number is not finite, or none is there.
    """
    values = np.asarray(vector, dtype=_FLOAT32)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise BrokenVector("a vector is a row of finite numbers")
    return _ENCODE[codec](values)


def decode_vector(data: bytes, codec: str = COMPATIBLE) -> Matrix:
    """The vector, float32.

    Raises:
        BrokenVector: The bytes are none of that codec, or there is no such codec.
    """
    decode = _DECODE.get(codec)
    if decode is None:
        raise BrokenVector(f"{codec!r} is no codec: {', '.join(CODECS)}")
    try:
        found = decode(data)
    except (ValueError, zlib.error) as error:
        raise BrokenVector(f"not a vector of {codec}: {error}") from error
    if not len(found) or not np.isfinite(found).all():
        raise BrokenVector(f"not a vector of {codec}: no numbers, or some that are not finite")
    return found


def cosines(query: Sequence[float] | Matrix, vectors: Sequence[Matrix] | Matrix) -> Matrix:
    """Cosine of the query with each vector; 0 where one of the two has no length.

    Raises:
        BrokenVector: A vector has another number of dimensions.
    """
    one = np.asarray(query, dtype=np.float32)
    try:
        rows = np.asarray(vectors, dtype=np.float32).reshape(-1, len(one))
    except ValueError as error:
        raise BrokenVector(f"vectors of other dimensions than the query's {len(one)}") from error
    if len(rows) != len(vectors):
        raise BrokenVector(f"vectors of other dimensions than the query's {len(one)}")
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * np.float32(np.sqrt(one @ one))
    dots: Matrix = rows @ one
    found: Matrix = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
    return found


def _zlib_bytes(values: Matrix) -> bytes:
    return zlib.compress(values.tobytes(), 6)


def _float16_bytes(values: Matrix) -> bytes:
    return np.clip(values, -_MOST_FLOAT16, _MOST_FLOAT16).astype(_FLOAT16).tobytes()


def _int8_bytes(values: Matrix) -> bytes:
    """The scale, then a byte a number: scale times byte is the number."""
    most = np.float32(np.abs(values).max())
    scale = np.asarray(most / np.float32(127) or np.float32(1), dtype=_FLOAT32)
    steps: NDArray[np.int8] = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    return scale.tobytes() + steps.tobytes()


def _from_zlib(data: bytes) -> Matrix:
    return np.frombuffer(zlib.decompress(data), dtype=_FLOAT32).astype(np.float32)


def _from_float16(data: bytes) -> Matrix:
    return np.frombuffer(data, dtype=_FLOAT16).astype(np.float32)


def _from_int8(data: bytes) -> Matrix:
    scale = np.frombuffer(data[:4], dtype=_FLOAT32)
    if len(scale) != 1:
        raise ValueError("no scale")
    return np.frombuffer(data[4:], dtype=np.int8).astype(np.float32) * scale


_ENCODE: Mapping[Codec, Callable[[Matrix], bytes]] = {
    "zlib-float32": _zlib_bytes,
    "float16": _float16_bytes,
    "int8": _int8_bytes,
}
_DECODE: Mapping[str, Callable[[bytes], Matrix]] = {
    "zlib-float32": _from_zlib,
    "float16": _from_float16,
    "int8": _from_int8,
}
