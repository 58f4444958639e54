"""Standings: which records of the chunks at hand a later record of their key supersedes, and how much that
knowledge covers.

Asks the ledger for the horizon first and looks at the published chunks then, so that what it says it knows it
knows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ingest_project.core.entity import VERSIONED
from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Chunk
from ingest_project.core.ports import Ledger, PartStore
from ingest_project.core.superseding import superseded

EVERYTHING = 2**62
"""The horizon of chunks whose order the target decides: nobody waits for them, and nobody overtakes them."""

Rivals = Callable[[str, str], Iterable[Chunk]]
"""(date, target) -> the target's planned chunks of that date and later ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One chunk's losers. ``horizon``: number of validated chunks of the target that were looked at."""

    losers: array[int]
    horizon: int


class Standings:
    """Losers of the chunks that a run is about to deliver: 8 bytes a loser are held.

    Args:
        across_dates: ``newer_only``: later dates compete too; ``overwrite``: only the date itself does;
            ``versioned``: nothing is decided here, the target does it.
    """

    def __init__(self, ledger: Ledger, parts: PartStore, rivals: Rivals, *, across_dates: str) -> None:
        self._ledger, self._parts, self._rivals = ledger, parts, rivals
        self._within_dates = across_dates == "overwrite"
        self._versioned = across_dates == VERSIONED
        self._known: dict[str, Standing] = {}

    def prepare(self, chunks: Sequence[Chunk]) -> None:
        """Look once for all chunks of a run; those that were never published are left out."""
        by_target: dict[tuple[str, str], list[Chunk]] = {}
        for chunk in () if self._versioned else chunks:
            if self._published(chunk):
                by_target.setdefault((chunk.entity, chunk.target), []).append(chunk)
        for (entity, target), group in by_target.items():
            self._look(entity, target, group)

    def of(self, chunk: Chunk) -> Standing:
        """The chunk's standing, looked up anew when chunks were validated since."""
        if self._versioned:
            return Standing(losers=array("Q"), horizon=EVERYTHING)
        known = self._known.get(chunk.id)
        if known is None or known.horizon < self._ledger.horizon(chunk.entity, chunk.target):
            self._look(chunk.entity, chunk.target, [chunk])
        return self._known[chunk.id]

    def known(self, chunk: Chunk) -> Standing | None:
        """What is held of the chunk, without a look."""
        return self._known.get(chunk.id)

    def adopt(self, chunk: Chunk, standing: Standing) -> None:
        """Take over what another process looked up."""
        self._known[chunk.id] = standing

    def forget(self, chunk: Chunk) -> None:
        """Free a chunk's losers."""
        self._known.pop(chunk.id, None)

    def _look(self, entity: str, target: str, chunks: Sequence[Chunk]) -> None:
        horizon = self._ledger.horizon(entity, target)
        first = min(chunk.date for chunk in chunks)
        published = [chunk for chunk in self._rivals(first, target) if self._published(chunk)]
        losers = superseded(chunks, published, self._parts, within_dates=self._within_dates)
        for chunk in chunks:
            self._known[chunk.id] = Standing(losers=losers[chunk.id], horizon=horizon)

    def _published(self, chunk: Chunk) -> bool:
        try:
            self._parts.parts(chunk)
        except TargetMissing:
            return False
        return True
