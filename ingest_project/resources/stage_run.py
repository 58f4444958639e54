"""StageRun: what lies around the chunks of one run of a stage: its targets are prepared before the first one
and finished behind the last, once each.

What goes wrong here keeps no chunk from its turn: it is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from ingest_project.core.delivering import Sleep
from ingest_project.core.errors import IngestError, TransientFailure
from ingest_project.core.model import Chunk
from ingest_project.core.outcomes import BUSY, SEALED, ChunkOutcome
from ingest_project.core.ports import Clock
from ingest_project.core.retrying import RetryPolicy
from ingest_project.ledgers.upkeep import Standing
from ingest_project.resources.destinations import Destination
from ingest_project.sinks.load_mode import HOLD_SECONDS

KEEP_SECONDS = HOLD_SECONDS / 3
MOST_ATTEMPTS = 4
"""Of a finish: a target that does not answer has stopped its chunks already."""

Standings = Mapping[tuple[str, str], Standing]


class StageRun:
    """One run of ``stage`` over some chunks.

    Args:
        destination: None where the stage has no targets of its own.
        standings: What the ledger has of the chunks.
        note: Told what went wrong.
    """

    def __init__(
        self,
        stage: str,
        destination: Destination | None,
        *,
        standings: Standings,
        retry: RetryPolicy,
        clock: Clock,
        sleep: Sleep,
        rng: Random,
        note: Callable[[str], None],
    ) -> None:
        self._stage, self._destination, self._standings = stage, destination, standings
        self._retry, self._clock, self._sleep, self._rng = retry, clock, sleep, rng
        self._note = note
        self._targets: dict[str, Destination] = {}
        self._touched: set[str] = set()
        self._kept = clock()

    async def open(self, chunks: Sequence[Chunk]) -> None:
        """Tell each target what is coming."""
        if self._destination is None:
            return
        groups: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            groups.setdefault(chunk.target, []).append(chunk)
        for target, group in groups.items():
            self._targets[target] = self._destination
            try:
                await self._destination.begin(target, group[0].keys, self._coming(group))
            except IngestError as error:
                # Its chunks meet the same and say so each for itself.
                self._note(f"{self._stage} {target}: not prepared: {error}")

    def saw(self, outcome: ChunkOutcome) -> None:
        """A chunk ended; a target to which nothing was sent needs no refresh."""
        replayed = outcome.state == SEALED and not outcome.fresh.sent
        if not replayed and outcome.state != BUSY:
            self._touched.add(outcome.chunk.target)

    @property
    def due(self) -> bool:
        """Whether the targets have to hear that the run lives."""
        return self._clock() >= self._kept + KEEP_SECONDS

    async def keep(self) -> None:
        """Tell the targets that the run lives, not too often."""
        if not self.due:
            return
        self._kept = self._clock()
        for target, destination in self._targets.items():
            try:
                await destination.keep(target)
            except IngestError as error:
                self._note(f"{self._stage} {target}: {error}")

    async def close(self) -> None:
        """Finish each target, whatever became of its chunks."""
        for target, destination in self._targets.items():
            try:
                await self._finish(target, destination)
            except IngestError as error:
                self._note(f"{self._stage} {target}: not finished, the next load does it: {error}")

    async def _finish(self, target: str, destination: Destination) -> None:
        attempt = 0
        while True:
            try:
                return await destination.finish(target, touched=target in self._touched)
            except TransientFailure as failure:
                attempt += 1
                delay = self._retry.delay(attempt, self._rng, failure.retry_after)
                if delay is None or attempt >= MOST_ATTEMPTS:
                    raise
                await self._sleep(delay)

    def _coming(self, chunks: Sequence[Chunk]) -> Callable[[str], int]:
        """Identity of the target -> records that are still to be sent, as they were planned."""

        def records(identity: str) -> int:
            return sum(chunk.records for chunk in chunks if not self._is_through(chunk, identity))

        return records

    def _is_through(self, chunk: Chunk, identity: str) -> bool:
        known = self._standings.get((chunk.id, self._stage))
        return known is not None and known.state == SEALED and known.identity == identity
