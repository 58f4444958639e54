"""Packers: compressed streams that are written bit by bit, the same bytes for the same input and library.

Blocks of ranked lines on a local disk have their form here, too. No I/O.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import zstandard
from isal import isal_zlib

from ingest_project.core.errors import PermanentFailure

ENDINGS = {"zstd": ".zst", "gzip": ".gz", "none": ""}
"""Kind of compression -> what a name ends with."""

_ZSTD_LEVEL, _GZIP_LEVEL, _GZIP_BITS = 3, 3, 31
_HEAD = struct.Struct("<II")
HEAD_BYTES = _HEAD.size


class Packer(Protocol):
    """Takes text, gives what is compressed so far, possibly nothing yet."""

    def compress(self, text: bytes, /) -> bytes: ...

    def flush(self) -> bytes:
        """The rest; nothing may follow."""
        ...


class _Plain:
    def compress(self, text: bytes, /) -> bytes:
        return text

    def flush(self) -> bytes:
        return b""


def packer(kind: str) -> Packer:
    """A new stream of ``zstd`` (with a checksum), ``gzip`` or ``none``."""
    if kind == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compressobj()
    if kind == "gzip":
        made: Packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP_BITS)
        return made
    if kind == "none":
        return _Plain()
    raise ValueError(f"no compression {kind!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockHead:
    """Sizes of a stored block: its records, and its bytes behind the head."""

    records: int
    bytes: int


def pack_block(ranks: Sequence[int], lines: Sequence[bytes]) -> bytes:
    """A head, the ranks, and the lines compressed; for this machine alone (native byte order)."""
    text = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(b"\n".join(lines))
    numbers = array("Q", ranks).tobytes()
    return _HEAD.pack(len(lines), len(numbers) + len(text)) + numbers + text


def block_head(stored: bytes) -> BlockHead:
    """The sizes in the first HEAD_BYTES of a block. Raises PermanentFailure when it is shorter."""
    if len(stored) != HEAD_BYTES:
        raise PermanentFailure("a spilled block ends in its head")
    records, size = _HEAD.unpack(stored)
    return BlockHead(records=records, bytes=size)


def unpack_block(head: BlockHead, stored: bytes) -> tuple[array[int], list[bytes]]:
    """Ranks and lines of a block's bytes behind its head. Raises PermanentFailure when they are damaged."""
    ranks = array("Q")
    try:
        if len(stored) != head.bytes:
            raise ValueError(f"{len(stored)} bytes, not {head.bytes}")
        ranks.frombytes(stored[: 8 * head.records])
        lines = zstandard.ZstdDecompressor().decompress(stored[8 * head.records :]).split(b"\n")
    except (ValueError, zstandard.ZstdError) as error:
        raise PermanentFailure(f"a spilled block is damaged: {error}") from error
    if len(lines) != head.records:
        raise PermanentFailure(f"a spilled block holds {len(lines)} lines, not {head.records}")
    return ranks, lines
