"""Progress of one stage of an import, over all of its chunks, as ImportProgress. Tells at most ten times a
second."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.core.journey import Journey
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import ChunkOutcome
from ingest_project.core.ports import Clock
from ingest_project.core.progress import ProgressMeter
from ingest_project.resources.importing.report import ImportProgress, ImportWatcher

TELL_SECONDS = 0.1


class StageMeter:
    """Adds up what the chunks tell.

    Args:
        total: Records; bytes for ``planned``.
        known: Chunk id -> what of it was done before.
        journey: The import's stages; of this one alone when it is left out.
    """

    def __init__(
        self,
        stage: str,
        total: int,
        watch: ImportWatcher | None,
        clock: Clock,
        known: Mapping[str, int] | None = None,
        journey: Journey | None = None,
    ) -> None:
        self._chunks = dict(known or {})
        done = sum(self._chunks.values())
        self._stage, self._total, self._watch, self._clock = stage, total, watch, clock
        self._meter = ProgressMeter(total=total, clock=clock, done=done)
        self._journey, self._memory = journey or Journey(clock), ""
        self._journey.begin(stage, total, done)
        self._sum, self._told = done, clock()
        self._tell()

    def step(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        """core.ports.Progress."""
        self._move(chunk, done)

    def ended(self, outcome: ChunkOutcome) -> None:
        """A chunk has ended, also one that told nothing on the way."""
        self._move(outcome.chunk, outcome.counts.sent)

    def more(self, count: int) -> None:
        """So much more is done."""
        self._sum += count
        self._news()

    def press(self, text: str) -> None:
        """What memory presses to, from now on."""
        self._memory = text
        self._tell()

    def close(self) -> None:
        """Tell the last state."""
        self._tell()

    def _move(self, chunk: Chunk, done: int) -> None:
        self.more(done - self._chunks.get(chunk.id, 0))
        self._chunks[chunk.id] = done

    def _news(self) -> None:
        if self._clock() - self._told >= TELL_SECONDS:
            self._tell()

    def _tell(self) -> None:
        self._told = self._clock()
        self._meter.update(self._sum)
        self._journey.update(self._sum)
        if self._watch is not None:
            self._watch(
                ImportProgress(
                    stage=self._stage,
                    done=self._sum,
                    total=self._total,
                    rate=self._meter.rate,
                    seconds_left=self._journey.stage_left,
                    all_left=None if self._stage == "planned" else self._journey.left,
                    memory=self._memory,
                )
            )
