"""Compressed streams: detection, members and frames, damage, and no more memory than a few blocks."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.formats.compression import detect, inflated, peeked
from ingest_project.formats.window import Damaged
from ingest_project_tests.formats.streams import blocks_of


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


BOTH = pytest.mark.parametrize(("kind", "compress"), [("gzip", gzip.compress), ("zstd", zstd)])
SKIPPABLE = b"\x53\x2a\x4d\x18\x04\x00\x00\x00note"
Compress = Callable[[bytes], bytes]


def read(stored: bytes, block: int = 1 << 20) -> tuple[str, bytes, str]:
    """Compression, content and what was expected where it broke off."""
    kind, blocks = peeked(blocks_of(stored, block))
    content = b""
    try:
        for part in inflated(kind, blocks, lambda: blocks_of(stored, block)):
            content += part
    except Damaged as damage:
        return kind, content, damage.expected
    return kind, content, ""


def noise(size: int) -> bytes:
    return random.Random(5).randbytes(size)


@BOTH
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4), block=st.integers(1, 50))
def test_members_and_frames_read_as_one_stream(
    kind: str, compress: Compress, parts: list[bytes], block: int
) -> None:
    stored = b"".join(map(compress, parts))
    assert (kind, b"".join(parts), "") == read(stored, block)


def test_the_first_bytes_tell_and_not_the_name() -> None:
    assert tuple(map(detect, (gzip.compress(b"x"), zstd(b"x"), SKIPPABLE, b"[1]", b""))) == (
        "gzip",
        "zstd",
        "zstd",
        "",
        "",
    )


def test_plain_bytes_pass_in_blocks_of_one() -> None:
    assert read(b'[{"a":1}]', 1) == ("", b'[{"a":1}]', "")
    assert read(b"") == ("", b"", "")


@BOTH
@pytest.mark.parametrize("lost", [1, 4, 8, 20])
def test_a_truncated_stream_gives_all_that_it_holds(kind: str, compress: Compress, lost: int) -> None:
    whole = noise(300_000)
    _, content, expected = read(compress(whole)[:-lost])
    assert f"the rest of the {kind} stream" == expected
    assert whole.startswith(content)
    assert len(content) > 150_000


@BOTH
def test_a_corrupt_stream_gives_what_stood_before_the_damage(kind: str, compress: Compress) -> None:
    whole = b"".join(b'{"id":%d,"x":"%s"}\n' % (n, noise(n % 50).hex().encode()) for n in range(40_000))
    stored = bytearray(compress(whole))
    middle = len(stored) // 2
    stored[middle : middle + 40] = bytes(byte ^ 0x5A for byte in stored[middle : middle + 40])
    _, content, expected = read(bytes(stored))
    assert f"an intact {kind} stream" == expected
    assert len(content) > len(whole) // 4


@BOTH
def test_where_a_damage_is_met_does_not_depend_on_the_blocks(kind: str, compress: Compress) -> None:
    stored = bytearray(compress(noise(400_000)))
    stored[len(stored) // 2] ^= 0xFF
    outcomes = {read(bytes(stored), block)[1:] for block in (1000, 4096, 77_777, 1 << 20)}
    assert len(outcomes) == 1


def test_padding_of_zeros_behind_a_gzip_member_is_nothing() -> None:
    stored = gzip.compress(b"a") + b"\0" * 100 + gzip.compress(b"b") + b"\0" * 9
    assert read(stored, 7) == ("gzip", b"ab", "")


def test_text_behind_a_gzip_member_is_a_damage() -> None:
    assert read(gzip.compress(b"a") + b"tail of something else") == ("gzip", b"a", "an intact gzip stream")


def test_skippable_frames_of_zstd_are_skipped() -> None:
    assert read(SKIPPABLE + zstd(b"a") + SKIPPABLE + zstd(b"b"), 5) == ("zstd", b"ab", "")


@BOTH
def test_a_bomb_comes_in_blocks(kind: str, compress: Compress) -> None:
    stored = compress(b" " * (256 << 20))

    def once() -> Iterable[bytes]:
        return blocks_of(stored, 1 << 20)

    largest = max(len(block) for block in inflated(kind, once(), once))
    assert largest <= 80 << 20
