"""MemoryWatch: how much of a memory budget is in use decides how much is taken at once, and when nothing is.

Only decides: reading, clock and sleep are handed in, and whoever takes rows asks first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock

from ingest_project.core.errors import TransientFailure
from ingest_project.core.ports import Clock

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPolicy:
    """How much of ``budget`` bytes may be in use before less is taken at once.

    Attributes:
        every: Seconds from one reading to the next.
        rows: Rows that are taken at once while nothing presses.
        steps: (share of the budget, share of the rows), ascending: from there on only so many.
        pause: Share of the budget from which on nothing is taken; below it the work goes on.
        look: Seconds from one reading to the next during a pause.
        patience: Seconds of one pause after which chunks are handed back instead.
    """

    budget: int = 1024 * MIB
    every: float = 10.0
    rows: int = 1000
    steps: tuple[tuple[float, float], ...] = ((0.4, 0.75), (0.6, 0.5), (0.8, 0.25))
    pause: float = 0.9
    look: float = 0.5
    patience: float = 900.0

    def __post_init__(self) -> None:
        falling = all(low < high and more > less for (low, more), (high, less) in pairwise(self.steps))
        sound = self.budget > 0 and self.rows > 0 and self.pause > 0 and self.every >= 0 and self.look > 0
        if not sound or not falling or any(not 0 < share <= 1 for _, share in self.steps):
            raise ValueError(f"the more memory is in use, the less is taken, but never nothing: {self}")

    def share_at(self, used: float) -> float:
        """Share of what is taken at once, from 1 down to 0 (a pause), while ``used`` of the budget is."""
        if used >= self.pause:
            return 0.0
        return next((share for limit, share in reversed(self.steps) if used >= limit), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What was seen of memory while something was done.

    Attributes:
        peak: Largest share of the budget in use; 0 when nobody looked.
        rows: Fewest rows that were taken at once; 0 when nobody looked.
        paused: Seconds in which nothing was taken.
    """

    peak: float = 0.0
    rows: int = 0
    paused: float = 0.0

    def __or__(self, other: Pressure) -> Pressure:
        """What both have seen; pauses at the same time count once."""
        rows = [seen.rows for seen in (self, other) if seen.rows]
        return Pressure(
            peak=max(self.peak, other.peak),
            rows=min(rows, default=0),
            paused=max(self.paused, other.paused),
        )


UNSEEN = Pressure()


@dataclass(slots=True, eq=False)
class Witness:
    """Sees what a watch reads while one chunk is worked on."""

    seen: Pressure = UNSEEN


@dataclass(slots=True, kw_only=True, eq=False)
class MemoryWatch:
    """The memory of one process, and what may be taken under the policy. Threads may share it.

    Without a reading it never presses. To ask costs a look at the clock; the reading is made once in
    ``policy.every`` seconds, by whoever asks first.

    Attributes:
        clock: Monotonic seconds.
        sleep: Blocks the thread that asks.
        reading: Bytes in use now.
        relieve: Gives back what nobody needs; called before a pause is decided.
        tell: Told in a sentence when the rows change.
        share: Of what may be taken and held, from 1 down to 0, which is a pause.
    """

    policy: MemoryPolicy = field(default_factory=MemoryPolicy)
    clock: Clock = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    reading: Callable[[], int] | None = None
    relieve: Callable[[], None] | None = None
    tell: Callable[[str], None] = lambda text: None
    share: float = field(init=False, default=1.0)
    _due: float = field(init=False, default=float("-inf"))
    _read_at: float = field(init=False, default=0.0)
    _paused_at: float = field(init=False, default=0.0)
    _latest: Pressure = field(init=False, default=UNSEEN)
    _witnesses: list[Witness] = field(init=False, default_factory=list)
    _lock: Lock = field(init=False, default_factory=Lock)

    @property
    def rows(self) -> int:
        """Rows that may be taken at once now; a pause takes none, which is ``look``'s to say."""
        return max(1, int(self.policy.rows * self.share))

    def look(self) -> bool:
        """Whether something may be taken now.

        Raises:
            TransientFailure: The pause has outlasted the policy's patience.
        """
        if self.reading is not None and self.clock() >= self._due and self._lock.acquire(blocking=False):
            try:
                self._read(self.reading)
            finally:
                self._lock.release()
        return self.share > 0.0

    @contextmanager
    def witness(self) -> Iterator[Witness]:
        """Sees what is read meanwhile, and what was read last."""
        made = Witness(Pressure(peak=self._latest.peak, rows=self._latest.rows))
        self._witnesses.append(made)
        try:
            yield made
        finally:
            self._witnesses.remove(made)

    def _read(self, reading: Callable[[], int]) -> None:
        now, before, budget = self.clock(), self.share, self.policy.budget
        used = reading() / budget
        if before > 0.0 and self.policy.share_at(used) == 0.0 and self.relieve is not None:
            self.relieve()
            used = reading() / budget
        self.share = self.policy.share_at(used)
        waited = now - self._read_at if before == 0.0 else 0.0
        if before > 0.0:
            self._paused_at = now
        self._read_at = now
        self._due = now + (self.policy.look if self.share == 0.0 else self.policy.every)
        self._latest = Pressure(peak=used, rows=self.rows if self.share else 0)
        for witness in tuple(self._witnesses):
            paused = witness.seen.paused + waited
            witness.seen = Pressure(peak=used, rows=self._latest.rows, paused=paused) | witness.seen
        self._told(before, used)
        if self.share == 0.0 and now - self._paused_at >= self.policy.patience:
            raise TransientFailure(
                f"{self._text(used)} since {now - self._paused_at:,.0f} s: gave up waiting"
            )

    def _told(self, before: float, used: float) -> None:
        if self.share != before:
            then = f"batches of {self.rows:,} rows" if self.share else "paused until it falls"
            self.tell(f"{self._text(used)}: {then}")

    def _text(self, used: float) -> str:
        budget = self.policy.budget
        return f"memory: {used * budget / MIB:,.0f} of {budget / MIB:,.0f} MB in use ({used:.0%})"
