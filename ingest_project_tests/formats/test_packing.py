"""Packers against readers of other makers, and blocks that come back or say what is wrong with them."""

from __future__ import annotations

import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.ranking import RANKS
from ingest_project.formats.packing import HEAD_BYTES, block_head, pack_block, packer, unpack_block

READERS = {
    "gzip": gzip.decompress,
    "zstd": lambda stored: zstandard.ZstdDecompressor().stream_reader(stored).read(),
    "none": bytes,
}


@given(st.sampled_from(sorted(READERS)), st.lists(st.binary(max_size=300)))
def test_what_is_packed_bit_by_bit_is_read_by_others_and_is_the_same_each_time(
    kind: str, texts: list[bytes]
) -> None:
    made = []
    for _ in range(2):
        stream = packer(kind)
        made.append(b"".join([*map(stream.compress, texts), stream.flush()]))
    assert made[0] == made[1]
    assert b"".join(texts) == READERS[kind](made[0])


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="no compression 'lz4'"):
        packer("lz4")


line = st.binary(max_size=50).map(lambda text: text.replace(b"\n", b" "))


@given(st.lists(st.tuples(st.integers(0, RANKS - 1), line), min_size=1))
def test_a_block_comes_back_as_it_was(pairs: list[tuple[int, bytes]]) -> None:
    stored = pack_block([rank for rank, _ in pairs], [text for _, text in pairs])
    head = block_head(stored[:HEAD_BYTES])
    ranks, lines = unpack_block(head, stored[HEAD_BYTES:])
    assert len(stored) == HEAD_BYTES + head.bytes
    assert pairs == list(zip(ranks, lines, strict=True))


def test_a_damaged_block_says_so() -> None:
    stored = pack_block([1, 2, 3], [b"one", b"two", b"three"])
    head, rest = block_head(stored[:HEAD_BYTES]), stored[HEAD_BYTES:]
    flipped = bytearray(rest)
    flipped[30] ^= 0xFF
    for wrong in (rest[:-1], bytes(flipped), b""):
        with pytest.raises(PermanentFailure, match="spilled block"):
            unpack_block(head, wrong)
    with pytest.raises(PermanentFailure, match="ends in its head"):
        block_head(stored[:3])
