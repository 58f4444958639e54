"""Compressed streams: told by their first bytes, inflated block by block in constant memory.

A damaged stream still gives every byte that can be inflated before the damage, then raises Damaged.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable
from typing import cast

import zstandard
from isal import igzip_lib

from ingest_project.formats.window import Damaged

PIECE = 256 << 10
"""Compressed bytes that go into gzip at once, and inflated bytes that a block holds about."""
SMALL_PIECE = 2 << 10
"""Compressed bytes that go into zstd at once: 2 KiB inflate to some 10 KiB of JSON, to 64 MiB at worst."""
FINE_PIECE = 64
"""Compressed bytes at once while the last bytes before a damage are looked for."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)
_DAMAGE = (_ISAL_ERROR, zstandard.ZstdError, EOFError)

Blocks = Generator[bytes, None, None]


def detect(head: bytes) -> str:
    """``gzip``, ``zstd`` or ``""`` by the first four bytes of a file. Its name says nothing."""
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD) or (head[1:4] == _SKIPPABLE and head[0] & 0xF0 == 0x50):
        return "zstd"
    return ""


def peeked(blocks: Iterable[bytes]) -> tuple[str, Iterable[bytes]]:
    """Detect the compression of a stream without losing its first bytes."""
    stream = iter(blocks)
    head = b""
    for block in stream:
        head += block
        if len(head) >= 4:
            break
    return detect(head), itertools.chain((head,) if head else (), stream)


def inflated(kind: str, blocks: Iterable[bytes], again: Callable[[], Iterable[bytes]]) -> Blocks:
    """The stream's content.

    Args:
        kind: As ``detect`` says; ``""`` passes the blocks on.
        blocks: The stored bytes.
        again: Opens the stored bytes anew. Used only after a damage: a decoder that meets one loses what it
            had inflated of that piece, so a second pass in fine pieces recovers it.

    Raises:
        Damaged: The stream is truncated or corrupt, after everything before that was delivered.
    """
    if not kind:
        yield from blocks
        return
    members, piece = (_gzip, PIECE) if kind == "gzip" else (_zstd, SMALL_PIECE)
    delivered = 0
    try:
        for block in members(_pieces(blocks, piece)):
            delivered += len(block)
            yield block
        return
    except _DAMAGE:
        pass
    try:
        yield from _skipped(members(_pieces(again(), FINE_PIECE)), delivered)
    except EOFError:
        raise Damaged(f"the rest of the {kind} stream") from None
    except _DAMAGE:
        raise Damaged(f"an intact {kind} stream") from None


def _pieces(blocks: Iterable[bytes], size: int) -> Blocks:
    """Cut at multiples of ``size``, so that what a decoder is given does not depend on how the bytes came."""
    rest = b""
    for block in blocks:
        whole = rest + block if rest else block
        full = len(whole) - len(whole) % size
        for start in range(0, full, size):
            yield whole[start : start + size]
        rest = whole[full:]
    if rest:
        yield rest


def _skipped(blocks: Iterable[bytes], count: int) -> Blocks:
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(0, count - len(block))


def _gzip(pieces: Iterable[bytes]) -> Blocks:
    """Members one behind the other, zero bytes as padding allowed between and behind them."""
    member: igzip_lib.IgzipDecompressor | None = None
    for piece in pieces:
        rest = piece
        while rest or (member and not member.needs_input):
            if member is None:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            block = member.decompress(rest, PIECE)
            rest = b""
            if block:
                yield block
            if member.eof:
                rest, member = member.unused_data, None
    if member is not None:
        raise EOFError


def _zstd(pieces: Iterable[bytes]) -> Blocks:
    """Frames one behind the other, skippable ones among them."""
    decoder = zstandard.ZstdDecompressor()
    frame, begun, held = decoder.decompressobj(), False, bytearray()
    try:
        for piece in pieces:
            rest = piece
            while rest:
                held += frame.decompress(rest)
                begun, rest = not frame.eof, frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = decoder.decompressobj()
            if len(held) >= PIECE:
                yield bytes(held)
                held.clear()
    except zstandard.ZstdError:
        yield bytes(held)
        raise
    if held:
        yield bytes(held)
    if begun:
        raise EOFError
