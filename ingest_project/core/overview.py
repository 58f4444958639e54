"""Overview: how far each file of an import is, how far all of it, and how long the rest takes.

Pure: what the ledger says, once or twice with some seconds between, in; values out. A record counts once in
each stage that it has to pass.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ingest_project.core.model import Chunk, WorkStatus
from ingest_project.core.queueing import size_of

QUEUED, WORKING, LOADED, FAILED = "queued", "working", "loaded", "failed"

States = Mapping[tuple[str, str], WorkStatus]
"""(chunk id, stage) -> the ledger's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How far some work is. ``done`` and ``of`` count each record once a stage.

    Attributes:
        rate: A second, between the two looks; 0 when there was one look or nothing moved.
        seconds_left: 0 when nothing is left; None while nobody can know.
    """

    done: int
    of: int
    rate: float = 0.0
    seconds_left: float | None = None

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return min(1.0, self.done / self.of) if self.of else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAdvance:
    """One file of an import. ``state``: queued, working, loaded, or failed, which is also ended in part."""

    uri: str
    state: str
    advance: Advance


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportAdvance:
    """One import: its files in the order in which they are worked on.

    Attributes:
        seconds: Something was at work; ``rows``: that went through by then. Of all that has ended.
    """

    entity: str
    date: str
    files: Sequence[FileAdvance]
    advance: Advance
    seconds: float = 0.0
    rows: int = 0

    def count(self, state: str) -> int:
        return sum(file.state == state for file in self.files)


def stages_of(seen: Collection[str]) -> list[str]:
    """The stages that records pass, in order, by those that the ledger has met: a mirror has other targets
    than a dump, and not every load has an index."""
    mirrored = {"current", "history"}
    targets = ["current", "history"] if mirrored & set(seen) else ["table"]
    return ["validated", *targets, *["index"] * ("index" in seen)]


def overview(
    chunks: Sequence[Chunk],
    stages: Sequence[str],
    now: States,
    before: States | None = None,
    gap: float = 0.0,
) -> ImportAdvance:
    """How far the chunks of one import are.

    What runs is timed by its own rate. What waits is timed by its place: smaller files go first, so that it
    ends when all that goes before it, and it itself, is done at the rate of all.

    Args:
        chunks: All of the import's, at least one.
        before: The ledger's rows ``gap`` seconds before ``now``.
    """
    groups: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        groups.setdefault(chunk.range.uri, []).append(chunk)
    queue = sorted(groups, key=lambda uri: (sum(map(size_of, groups[uri])), uri))
    of = {uri: sum(chunk.records for chunk in groups[uri]) * len(stages) for uri in queue}
    done = {uri: _done(groups[uri], stages, now) for uri in queue}
    rates = dict.fromkeys(queue, 0.0)
    if before is not None and gap > 0:
        rates = {uri: max(0, done[uri] - _done(groups[uri], stages, before)) / gap for uri in queue}
    rate, ahead = sum(rates.values()), 0
    files: list[FileAdvance] = []
    for uri in queue:
        ahead += of[uri] - done[uri]
        own = rates[uri]
        left = _left(of[uri] - done[uri], own) if own else _left(ahead if of[uri] > done[uri] else 0, rate)
        advance = Advance(done=done[uri], of=of[uri], rate=own, seconds_left=left)
        files.append(FileAdvance(uri=uri, state=_state(groups[uri], stages, now), advance=advance))
    whole = Advance(done=sum(done.values()), of=sum(of.values()), rate=rate, seconds_left=_left(ahead, rate))
    return ImportAdvance(entity=chunks[0].entity, date=chunks[0].date, files=files, advance=whole)


def _done(chunks: Sequence[Chunk], stages: Sequence[str], rows: States) -> int:
    """A chunk that has ended in a stage has nothing left there, whatever was refused or broken of it."""
    total = 0
    for chunk in chunks:
        for stage in stages:
            row = rows.get((chunk.id, stage))
            if row is not None:
                ended = row.state in ("sealed", "failed")
                total += chunk.records if ended else min(chunk.records, row.counts.sent)
    return total


def _state(chunks: Sequence[Chunk], stages: Sequence[str], rows: States) -> str:
    known = [rows.get((chunk.id, stage)) for chunk in chunks for stage in stages]
    states = {row.state if row is not None else "" for row in known}
    if "failed" in states:
        return FAILED
    if states == {"sealed"} or not states:
        return LOADED
    return WORKING if "claimed" in states else QUEUED


def _left(work: int, rate: float) -> float | None:
    if work <= 0:
        return 0.0
    return work / rate if rate > 0 else None
