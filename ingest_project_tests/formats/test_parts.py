"""Parts: what is stored is read back, in bounded blocks, and damage is noticed."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import PermanentFailure
from ingest_project.formats import parts

LINES = st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ")), max_size=60)


def cut(data: bytes, step: int) -> list[bytes]:
    return [data[at : at + step] for at in range(0, len(data), step)]


@given(lines=LINES, step=st.integers(1, 50))
def test_lines_are_read_back_in_order_however_the_bytes_arrive(lines: list[bytes], step: int) -> None:
    blocks = parts.decode_lines(cut(parts.encode_lines(lines), step))
    assert lines == [line for block in blocks for line in block]


@given(groups=st.lists(LINES, max_size=8), level=st.sampled_from([parts.LEVEL, parts.FAST_LEVEL]))
def test_lines_that_come_in_groups_make_the_same_part(groups: list[list[bytes]], level: int) -> None:
    packer, lines = parts.LinePacker(level), [line for group in groups for line in group]
    for group in groups:
        packer.add(group)
    assert len(lines) == len(packer)
    assert lines == [line for block in parts.decode_lines([packer.finish()]) for line in block]


def test_groups_fill_frames_across_their_borders() -> None:
    packer = parts.LinePacker()
    for first in range(0, 3_000, 30):
        packer.add([b"%d" % number for number in range(first, first + 30)])
    sizes = [len(block) for block in parts.decode_lines([packer.finish()])]
    assert [parts.LINES_PER_FRAME] * 5 + [3_000 - 5 * parts.LINES_PER_FRAME] == sizes


def test_a_block_is_bounded_by_count_and_by_bytes() -> None:
    short = [b"%d" % number for number in range(2_000)]
    long = [b"x" * 100_000] * 7
    blocks = list(parts.decode_lines([parts.encode_lines(short + long)]))
    assert short + long == [line for block in blocks for line in block]
    assert max(len(block) for block in blocks) == parts.LINES_PER_FRAME
    assert max(sum(map(len, block)) for block in blocks) < parts.BYTES_PER_FRAME + 100_000


def test_a_line_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        parts.encode_lines([b"a", b"b\nc"])


def test_a_part_that_ends_inside_a_frame_is_an_error_after_its_good_blocks() -> None:
    stored = parts.encode_lines([b"%d" % number for number in range(1_000)])
    blocks = parts.decode_lines([stored[:-3]])
    assert len(next(blocks)) == parts.LINES_PER_FRAME
    with pytest.raises(PermanentFailure, match="middle of a zstd frame"):
        next(blocks)


def test_a_damaged_part_is_an_error() -> None:
    stored = bytearray(parts.encode_lines([b"abcdefgh" * 50]))
    stored[-1] ^= 1
    with pytest.raises(PermanentFailure, match="damaged"):
        list(parts.decode_lines([bytes(stored)]))


def test_the_data_object_is_plain_zstd() -> None:
    stored = parts.encode_lines([b"a", b"b"])
    assert zstandard.ZstdDecompressor().decompress(stored) == b"a\nb\n"


@given(
    records=st.lists(st.tuples(st.integers(0, 2**63), st.binary(min_size=16, max_size=16)), max_size=30),
    first=st.integers(0, 2**40),
    step=st.integers(1, 60),
)
def test_the_side_object_gives_back_offsets_and_sorted_entries(
    records: list[tuple[int, bytes]], first: int, step: int
) -> None:
    offsets, hashes = [offset for offset, _ in records], [digest for _, digest in records]
    side = parts.encode_side(offsets, hashes, first)
    assert parts.side_size(len(records)) == len(side)
    ranges = [parts.offset_range(index) for index in range(len(records))]
    assert offsets == [parts.decode_offset(side[start:end]) for start, end in ranges]
    start, end = parts.entry_range(len(records))
    runs = parts.decode_entries(cut(side[start:end], step))
    entries = [entry for run in runs for entry in cut(run, parts.ENTRY_BYTES)]
    assert entries == sorted(
        digest + (first + index).to_bytes(8, "big") for index, digest in enumerate(hashes)
    )


def test_a_side_object_needs_one_hash_of_16_bytes_for_each_offset() -> None:
    with pytest.raises(ValueError, match="2 offsets but 1 key hashes"):
        parts.encode_side([1, 2], [b"x" * 16], 0)
    with pytest.raises(ValueError, match="16 bytes"):
        parts.encode_side([1], [b"x" * 15], 0)


def test_key_entries_that_are_cut_short_are_an_error() -> None:
    with pytest.raises(PermanentFailure, match="cut short"):
        list(parts.decode_entries([b"x" * 24, b"y" * 23]))


def test_other_zstd_readers_see_one_record_a_line() -> None:
    lines = [b'{"Item":{"id":{"N":"%d"}}}' % number for number in range(2000)]
    text = (
        zstandard.ZstdDecompressor().stream_reader(parts.encode_lines(lines), read_across_frames=True).read()
    )
    assert lines == text.splitlines()
