"""Advice before a load: what its files, its size and its deadline suggest. Sentences; nothing is measured or
done here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MIB, GIB = 2**20, 2**30
MANY, SMALL_BYTES = 200, MIB
GIANT_BYTES, GIANT_SHARE = GIB, 0.5
BAD_SHARE = 0.01
WORKER_BYTES = 110 * MIB
"""A worker process without what it is allowed to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a load before it begins.

    Attributes:
        files, bytes: Their number and stored bytes.
        largest: Bytes of the largest; ``largest_packed``: it is compressed.
        packed: Files that are compressed, each of which is one chunk.
        chunks: What can be worked on side by side; 0 when nobody knows.
        workers: Processes over the chunks.
        cores, free_bytes: Of this machine; 0 when nobody knows.
        rejected_share: Of a sample.
        held_bytes: That one worker may hold.
    """

    files: int
    bytes: int
    largest: int = 0
    largest_packed: bool = False
    packed: int = 0
    chunks: int = 0
    workers: int = 1
    cores: int = 0
    free_bytes: int = 0
    rejected_share: float = 0.0
    held_bytes: int = 0

    @property
    def mean(self) -> float:
        return self.bytes / self.files if self.files else 0.0

    @property
    def memory(self) -> int:
        """Bytes that the load takes at most, all of its processes together."""
        processes = self.workers + 1 if self.workers > 1 else 1
        return processes * WORKER_BYTES + self.workers * self.held_bytes


def advise(facts: Facts) -> tuple[str, ...]:
    """What to do, the most useful first; empty when nothing suggests itself."""
    return (*_files(facts), *_workers(facts), *_records(facts))


def _files(facts: Facts) -> Iterator[str]:
    if not facts.files:
        yield "There is no file to load."
    if facts.files >= MANY and facts.mean < SMALL_BYTES:
        yield (
            f"{facts.files:,} files of {_size(facts.mean)} on average: each costs some milliseconds of its "
            "own. Join small files, or load the folder in one call, not a call a file."
        )
    if facts.largest >= GIANT_BYTES and facts.largest_packed:
        yield (
            f"The largest file has {_size(facts.largest)} and is compressed: it cannot be cut, so one worker "
            "reads all of it, and a load that was killed inflates it from its beginning. Split it, or store "
            "it plain."
        )
    elif facts.largest >= GIANT_BYTES and facts.largest >= GIANT_SHARE * facts.bytes:
        yield (
            f"One file has {_size(facts.largest)} of {_size(facts.bytes)}: it is cut into chunks at record "
            "borders, so that more workers help."
        )
    if facts.packed > facts.files // 2 and facts.packed < facts.workers:
        yield "A compressed file is one chunk: there are fewer of them than workers."


def _workers(facts: Facts) -> Iterator[str]:
    if 0 < facts.chunks < facts.workers:
        yield f"{facts.workers} workers share {_count(facts.chunks, 'chunk')}: {facts.chunks} would do."
    if facts.cores and facts.workers > facts.cores:
        yield f"{facts.workers} workers on {_count(facts.cores, 'core')}: more than one a core does not pay."
    elif facts.cores > facts.workers and facts.chunks > facts.workers and facts.bytes >= GIB:
        most = min(facts.cores, facts.chunks)
        yield f"{_count(facts.cores, 'core')} and {_count(facts.chunks, 'chunk')}: take --workers {most}."
    if facts.free_bytes and facts.memory > facts.free_bytes:
        yield (
            f"Up to {_size(facts.memory)} of memory may be needed, {_size(facts.free_bytes)} are free: take "
            "fewer workers, or lower INGEST_MEMORY_MB."
        )


def _records(facts: Facts) -> Iterator[str]:
    if facts.rejected_share > BAD_SHARE:
        yield (
            f"{facts.rejected_share:.1%} of the sample would be rejected: `ingest load --dry-run` names the "
            "reasons, before anything is written."
        )


def _size(count: float) -> str:
    if count >= GIB:
        return f"{count / GIB:,.1f} GiB"
    return f"{count / MIB:,.1f} MiB" if count >= MIB else f"{count / 1024:,.0f} KiB"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
