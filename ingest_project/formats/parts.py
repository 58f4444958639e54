"""Parts as stored bytes: the data object (lines) and the side object (offsets and key entries) of one part.

Pure functions over bytes. Where the objects lie, how they are named and fetched belongs to the part stores.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from operator import add

import zstandard

from ingest_project.core.errors import PermanentFailure

LINES_PER_FRAME = 512
"""At most this many lines in one zstd frame, which is also one block when the part is read."""

BYTES_PER_FRAME = 256 * 1024
"""A frame is closed once its lines reach this size; it holds at most one longer line beyond it."""

ENTRY_BYTES = 24
OFFSET_BYTES = 8

LEVEL, FAST_LEVEL = 1, -5
"""zstd's. Part lines of natural text become 3.4 and 1.9 times smaller, for 2.9 and 1.6 us a KB (and 1.0 and
0.5 to read them); what repeats itself becomes 16 to 70 times smaller for 0.4 us, whatever the level."""

_SLICE = 64 * 1024


class LinePacker:
    """The lines of one part while they come together, compressed frame by frame as soon as they fill one:
    lines that were just made are still in the processor's cache.

    Holds the frames and the lines of less than one frame. ``len`` is the number of lines so far.

    Args:
        level: zstd's compression level; negative ones are faster.
    """

    def __init__(self, level: int = LEVEL) -> None:
        self._compress = zstandard.ZstdCompressor(level=level, write_checksum=True).compress
        self._frames: list[bytes] = []
        self._lines: list[bytes] = []
        self._size = self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, lines: Sequence[bytes]) -> None:
        """Take lines behind those that are there.

        Raises:
            ValueError: A line holds a line break, which would be read back as two lines.
        """
        self._count += len(lines)
        self._lines += lines
        self._size += sum(map(len, lines))
        if self._size >= BYTES_PER_FRAME or len(self._lines) >= LINES_PER_FRAME:
            self._pack()

    def finish(self) -> bytes:
        """The data object of the part: plain zstd (``zstdcat`` reads it), each frame a run of whole lines."""
        self._pack()
        if self._lines:
            self._frames.append(self._compress(_frame(self._lines)))
            self._lines, self._size = [], 0
        return b"".join(self._frames)

    def _pack(self) -> None:
        """Frames of the lines at hand; those that do not fill one wait."""
        start = size = 0
        for at, line in enumerate(self._lines, 1):
            size += len(line)
            if size >= BYTES_PER_FRAME or at - start >= LINES_PER_FRAME:
                self._frames.append(self._compress(_frame(self._lines[start:at])))
                start, size = at, 0
        self._lines, self._size = self._lines[start:], size


def encode_lines(lines: Sequence[bytes]) -> bytes:
    """The data object of a part with these lines; see LinePacker."""
    packer = LinePacker()
    packer.add(lines)
    return packer.finish()


def decode_lines(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Lines of a data object in order, a list for each frame; holds one piece and one frame at a time.

    Args:
        pieces: The stored bytes, cut anywhere.

    Raises:
        PermanentFailure: The stored bytes are damaged or end in the middle of a frame.
    """
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    texts: list[bytes] = []
    begun = False
    for view in _slices(pieces):
        data = bytes(view)
        while data:
            begun = True
            texts.append(_inflate(frame, data))
            if not frame.eof:
                break
            yield _split(b"".join(texts))
            data = frame.unused_data
            frame, texts, begun = decompressor.decompressobj(), [], False
    if begun:
        raise PermanentFailure("a stored part ends in the middle of a zstd frame: validate its chunk again")


def encode_side(offsets: Sequence[int], hashes: Sequence[bytes], first: int) -> bytes:
    """The side object of a part: ``records`` offsets of 8 bytes, then ``records`` key entries of 24 bytes.

    All numbers are big-endian, entries ascend, so that any range can be fetched and read by itself.

    Args:
        offsets: Source byte offset of each record.
        hashes: 16-byte key hash of each record.
        first: Ordinal of the first record in its chunk.
    """
    count = len(offsets)
    if count != len(hashes):
        raise ValueError(f"{count} offsets but {len(hashes)} key hashes")
    ordinals = struct.pack(f">{count}Q", *range(first, first + count))
    tails = [ordinals[at : at + 8] for at in range(0, 8 * count, 8)]
    entries = b"".join(sorted(map(add, hashes, tails)))
    if len(entries) != count * ENTRY_BYTES:
        raise ValueError("a key hash is not 16 bytes long")
    return struct.pack(f">{count}Q", *offsets) + entries


def side_size(records: int) -> int:
    """Bytes of the side object of a part with this many records."""
    return records * (OFFSET_BYTES + ENTRY_BYTES)


def offset_range(index: int) -> tuple[int, int]:
    """Half-open byte range in the side object of the ``index``-th record's source offset."""
    return index * OFFSET_BYTES, (index + 1) * OFFSET_BYTES


def entry_range(records: int) -> tuple[int, int]:
    """Half-open byte range in the side object of all key entries."""
    return records * OFFSET_BYTES, side_size(records)


def decode_offset(piece: bytes) -> int:
    """The source offset in the bytes of one ``offset_range``."""
    (offset,) = struct.unpack(">Q", piece)
    return int(offset)


def decode_entries(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Runs of whole 24-byte key entries from the bytes of ``entry_range``, cut anywhere; holds one piece at a
    time.

    Raises:
        PermanentFailure: The bytes end in the middle of an entry.
    """
    rest = b""
    for piece in pieces:
        data = rest + piece if rest else bytes(piece)
        whole = len(data) - len(data) % ENTRY_BYTES
        if whole:
            yield data[:whole]
        rest = data[whole:]
    if rest:
        raise PermanentFailure("the key entries of a stored part are cut short: validate its chunk again")


def _frame(lines: Sequence[bytes]) -> bytes:
    if b"\n" in b"".join(lines):
        raise ValueError("a line of a part holds a line break")
    return b"\n".join(lines) + b"\n"


def _split(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    del lines[-1]
    return lines


def _slices(pieces: Iterable[bytes]) -> Iterator[memoryview]:
    """Small slices: what is left of a slice behind a frame is copied once for each further frame in it."""
    for piece in pieces:
        view = memoryview(piece)
        for at in range(0, len(view), _SLICE):
            yield view[at : at + _SLICE]


def _inflate(frame: zstandard.ZstdDecompressionObj, data: bytes) -> bytes:
    try:
        return frame.decompress(data)
    except zstandard.ZstdError as error:
        raise PermanentFailure(f"a stored part is damaged ({error}): validate its chunk again") from error
