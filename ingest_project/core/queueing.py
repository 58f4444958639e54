"""The order in which chunks wait for their turn; no result depends on it (law 11). Decides nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ingest_project.core.model import Chunk


def smaller_first(chunks: Iterable[Chunk]) -> list[Chunk]:
    """Chunks of smaller files before those of larger ones; of one file in the order of their places.

    A file's size is what of it is in these chunks.
    """
    queue = list(chunks)
    sizes: Counter[tuple[str, str]] = Counter()
    for chunk in queue:
        sizes[_file(chunk)] += size_of(chunk)
    return sorted(queue, key=lambda chunk: (sizes[_file(chunk)], chunk.order))


def size_of(chunk: Chunk) -> int:
    """Bytes of the chunk's range."""
    return chunk.range.end - chunk.range.start


def _file(chunk: Chunk) -> tuple[str, str]:
    return chunk.date, chunk.range.uri
