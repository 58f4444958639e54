"""Spills: ranked lines on the local disk, in buckets by rank, and from there in order of their ranks.

A sort that needs little memory and reads and writes each line once (twice where a bucket came out too large).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.ranking import RANKS, Ranked
from ingest_project.formats.packing import HEAD_BYTES, block_head, pack_block, unpack_block

BUCKET_BYTES = 8 << 20
"""Bytes of lines that one bucket is meant to hold."""
MOST_BUCKETS = 1024
"""Of one level, while none holds more than a GiB; one larger than HOLD_BYTES is divided once more."""
HOLD_BYTES = 24 << 20
"""Bytes of lines and of what Python adds to them that are held: while spilling, and of one bucket while it is
sorted."""
LINE_OVERHEAD = 150
"""Bytes that a held line costs besides itself: object head, rank, places in lists."""

_COMPLETE = "complete.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What one bucket holds."""

    records: int
    bytes: int

    @property
    def held(self) -> int:
        """Memory that it takes while it is sorted."""
        return self.bytes + LINE_OVERHEAD * self.records


def bucket_count(size: int, largest: int = BUCKET_BYTES) -> int:
    """Into how many buckets so many bytes of lines are divided, ``largest`` bytes each where that can be."""
    coarse = min(4 * MOST_BUCKETS, size >> 30)
    return max(1, coarse, min(MOST_BUCKETS, -(-size // max(1, largest))))


class Spills:
    """Buckets in a folder.

    Memory: HOLD_BYTES, whatever is spilled. Disk: all lines, compressed, and 8 bytes a line.

    Args:
        folder: Its own; made, and emptied unless it is complete.
        buckets: So many equal spans of ranks.
        span: Ranks that come, half-open.
    """

    def __init__(
        self, folder: Path, buckets: int, *, span: tuple[int, int] = (0, RANKS), hold: int = HOLD_BYTES
    ) -> None:
        self._folder, self._span, self._hold = folder, span, hold
        self._count = min(buckets, span[1] - span[0])
        self._size = 0
        self._ranks: list[list[int]] = [[] for _ in range(self._count)]
        self._lines: list[list[bytes]] = [[] for _ in range(self._count)]
        self._records, self._bytes = [0] * self._count, [0] * self._count

    @classmethod
    def complete(cls, folder: Path, mark: str, *, hold: int = HOLD_BYTES) -> Spills | None:
        """What an earlier process spilled to its end, or None. ``mark``: what it must have been told."""
        try:
            state = json.loads((folder / _COMPLETE).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if state.get("mark") != mark:
            return None
        found = cls(folder, len(state["records"]), hold=hold)
        found._records, found._bytes = state["records"], state["bytes"]
        return found

    @property
    def buckets(self) -> Sequence[Bucket]:
        """What each bucket holds by now."""
        pairs = zip(self._records, self._bytes, strict=True)
        return [Bucket(records=records, bytes=size) for records, size in pairs]

    def fill(self, blocks: Iterable[Ranked], mark: str = "") -> None:
        """Spill all of this into the emptied folder; durable against the end of this process.

        Raises:
            OSError: The disk is full.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        low, high = self._span
        width, count = high - low, self._count
        held_ranks, held_lines = self._ranks, self._lines
        for ranks, lines in blocks:
            for rank, line in zip(ranks, lines, strict=True):
                at = (rank - low) * count // width
                held_ranks[at].append(rank)
                held_lines[at].append(line)
            self._size += sum(map(len, lines)) + LINE_OVERHEAD * len(lines)
            if self._size >= self._hold:
                self._flush()
        self._flush()
        state = {"mark": mark, "records": self._records, "bytes": self._bytes}
        draft = self._folder / f".{_COMPLETE}"
        draft.write_text(json.dumps(state))
        os.replace(draft, self._folder / _COMPLETE)

    def lines(self, number: int) -> Iterator[Sequence[bytes]]:
        """One bucket's lines in order of their ranks, in blocks; lines of one rank as they came.

        Raises:
            TransientFailure: What lies on the disk is damaged; it is removed, the same call makes it anew.
        """
        bucket, span = self.buckets[number], self._part(number)
        if bucket.held <= self._hold or bucket.records == 1 or span[1] - span[0] == 1:
            yield self._sorted(number, bucket)
            return
        parts = min(MOST_BUCKETS, -(-2 * bucket.held // self._hold))
        finer = Spills(self._folder / f"finer-{number:05d}", parts, span=span, hold=self._hold)
        try:
            finer.fill(self._blocks(number))
            for inner in range(len(finer.buckets)):
                yield from finer.lines(inner)
        finally:
            finer.discard()

    def discard(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _part(self, number: int) -> tuple[int, int]:
        """The ranks of a bucket: smallest and largest that divide into it."""
        low, high = self._span
        width, count = high - low, self._count
        return low - (-number * width // count), low - (-(number + 1) * width // count)

    def _flush(self) -> None:
        for number, lines in enumerate(self._lines):
            if lines:
                with open(self._path(number), "ab") as file:
                    file.write(pack_block(self._ranks[number], lines))
                self._records[number] += len(lines)
                self._bytes[number] += sum(map(len, lines))
                self._ranks[number].clear()
                lines.clear()
        self._size = 0

    def _sorted(self, number: int, bucket: Bucket) -> list[bytes]:
        pairs = [pair for block in self._blocks(number) for pair in zip(*block, strict=True)]
        if len(pairs) != bucket.records:
            self._damaged(f"bucket {number} holds {len(pairs)} lines, not {bucket.records}")
        pairs.sort(key=itemgetter(0))
        return [line for _, line in pairs]

    def _blocks(self, number: int) -> Iterator[Ranked]:
        if not self.buckets[number].records:
            return
        try:
            with open(self._path(number), "rb") as file:
                while stored := file.read(HEAD_BYTES):
                    head = block_head(stored)
                    yield unpack_block(head, file.read(head.bytes))
        except (PermanentFailure, FileNotFoundError) as error:
            self._damaged(str(error))

    def _damaged(self, why: str) -> None:
        self.discard()
        raise TransientFailure(f"{self._folder}: {why}; it is removed, the same call makes it anew")

    def _path(self, number: int) -> Path:
        return self._folder / f"bucket-{number:05d}"
