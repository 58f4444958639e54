"""Which chunks of an import are worked on: all, or those that the caller names. Looks; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import Chunk, ChunkPlan


def chosen(plan: ChunkPlan, names: Collection[str]) -> tuple[Chunk, ...]:
    """The chunks with these ids, or with ids that begin so; every chunk when no name is given.

    Raises:
        ConfigurationError: A name stands for no chunk of these files, or for several.
    """
    if not names:
        return plan.chunks
    found: dict[str, Chunk] = {}
    for name in names:
        meant = [chunk for chunk in plan.chunks if chunk.id.startswith(name)]
        if len(meant) != 1:
            raise ConfigurationError(
                f"--chunk {name} is {len(meant)} chunks of these files; `ingest status` names them"
            )
        found[meant[0].id] = meant[0]
    return tuple(found.values())


def to_validate(
    chunks: Sequence[Chunk], every: Sequence[Chunk], is_lost: Callable[[Chunk], bool]
) -> list[Chunk]:
    """The chosen chunks, and those whose validated records are no more: their keys decide who wins."""
    mine = {chunk.id for chunk in chunks}
    return [chunk for chunk in every if chunk.id in mine or is_lost(chunk)]
