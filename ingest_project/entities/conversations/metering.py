"""What contexts took and cost, as numbers and as OpenMetrics. Bounded: the last thousand, and sums.

Measures nothing by itself: the engine tells. What a number may be is decided in alerts.py.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil

from ingest_project.core.caching import CacheCounts
from ingest_project.core.consumption import Consumption
from ingest_project.core.metrics import Metric

LAST, SESSIONS = 1_000, 10_000
_BUILD, _SEARCH, _ENCODE = "context_build", "embedding_search", "question_encode"


@dataclass(slots=True)
class Times:
    """Durations: how many, their sum, and the last of them. Seconds."""

    count: int = 0
    total: float = 0.0
    last: deque[float] = field(default_factory=lambda: deque(maxlen=LAST))

    def note(self, seconds: float) -> None:
        self.count, self.total = self.count + 1, self.total + seconds
        self.last.append(seconds)

    @property
    def mean_ms(self) -> float:
        """Of the last thousand; 0 without any."""
        return 1000 * sum(self.last) / len(self.last) if self.last else 0.0

    def quantile_ms(self, share: float) -> float:
        """Of the last thousand: so many took no longer; 0 without any."""
        return 1000 * quantile(self.last, share)


def quantile(values: Sequence[float] | deque[float], share: float) -> float:
    """The smallest of the values that at least this share does not exceed; 0 without any."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass(slots=True, kw_only=True)
class Meter:
    """What one process's engine did.

    Attributes:
        clock: Seconds, for rates.
        resident: Bytes of the process now: 0 where nobody knows.
        reads, writes: Units, as the service's answers say.
        builds: Contexts; ``fresh``: those of them of which something was read.
    """

    clock: Callable[[], float]
    resident: Callable[[], int] = lambda: 0
    reads: Consumption = field(default_factory=Consumption)
    writes: Consumption = field(default_factory=Consumption)
    cache: CacheCounts = field(default_factory=CacheCounts)
    builds: Times = field(default_factory=Times)
    fresh: Times = field(default_factory=Times)
    searches: Times = field(default_factory=Times)
    encodes: Times = field(default_factory=Times)
    looked_at: int = 0
    broken: int = 0
    largest: int = 0
    began: float = field(init=False)
    _base: int = field(init=False)
    _sessions: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.began, self._base = self.clock(), self.resident()

    def built(self, seconds: float, *, session: tuple[str, str], size: int, cached: bool) -> None:
        """One context. ``size``: bytes of its parts."""
        self.builds.note(seconds)
        if not cached:
            self.fresh.note(seconds)
        self.largest = max(self.largest, size)
        self._sessions[session] = None
        self._sessions.move_to_end(session)
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)

    def searched(self, *, encode: float, search: float, looked_at: int, broken: int) -> None:
        """One search for similar messages."""
        self.encodes.note(encode)
        self.searches.note(search)
        self.looked_at, self.broken = self.looked_at + looked_at, self.broken + broken

    @property
    def session_bytes(self) -> float:
        """What the process grew by since the start, for each of the last sessions that it served."""
        return max(0, self.resident() - self._base) / max(1, len(self._sessions))

    @property
    def read_rate(self) -> float:
        """Read units a second since the start."""
        return self.reads.units / max(self.clock() - self.began, 1e-9)

    def metrics(self) -> list[Metric]:
        """All numbers, under stable names."""
        return [
            _gauge("avg_context_build_ms", self.builds.mean_ms, "Time of a context, of the last 1000."),
            _gauge("avg_embedding_search_ms", self.searches.mean_ms, "Time of a similarity search."),
            *self._quantiles(),
            *_consumed("read_units", self.reads, "Read units that were consumed."),
            *_consumed("write_units", self.writes, "Write units that were consumed."),
            _count("contexts", self.builds.count, "Contexts that were built."),
            _count("similar_looked_at", self.looked_at, "Embeddings whose sketches were compared."),
            _count("broken_vectors", self.broken, "Stored vectors that could not be read."),
            _count("cache_hits", self.cache.hits, "Parts of contexts that the cache had."),
            _count("cache_misses", self.cache.misses, "Parts of contexts that it had not."),
            _count("cache_evictions", self.cache.evicted, "Parts that were dropped for room."),
            _count("cache_failures", self.cache.failed, "Calls that the cache did not answer."),
            _gauge("cache_hit_ratio", self.cache.rate or 0.0, "Hits of all parts.", unit="ratio"),
            _gauge("session_memory_bytes", self.session_bytes, "Growth a session served.", unit="bytes"),
            _gauge("largest_context_bytes", self.largest, "Parts of the largest context.", unit="bytes"),
        ]

    def _quantiles(self) -> Iterator[Metric]:
        for name, times in ((_BUILD, self.builds), (_SEARCH, self.searches), (_ENCODE, self.encodes)):
            for share in (0.5, 0.95):
                yield Metric(
                    name=_named(f"{name}_quantile_ms"),
                    value=times.quantile_ms(share),
                    help="Of the last 1000.",
                    labels={"quantile": f"{share:g}"},
                )


def _named(name: str) -> str:
    return f"ingest_conversations_{name}"


def _gauge(name: str, value: float, help: str, unit: str = "") -> Metric:
    return Metric(name=_named(name), value=value, help=help, unit=unit)


def _count(name: str, value: float, help: str) -> Metric:
    return Metric(name=_named(name), value=value, help=help, kind="counter")


def _consumed(name: str, consumption: Consumption, help: str) -> list[Metric]:
    """By pattern and place; one without labels where nothing was consumed yet."""
    return [
        Metric(
            name=_named(name),
            value=units,
            help=help,
            kind="counter",
            labels={"pattern": pattern, "place": place},
        )
        for pattern, tally in sorted(consumption.tallies.items())
        for place, units in sorted(tally.units.items())
    ] or [_count(name, 0, help)]
