"""The words of a claim: what is compared with what, and which columns its table has. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.frame import Row, Sample

T = TypeVar("T")
Figure = Callable[[Sample], float]
Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured: ``short`` for CI, ``usual``, and ``full`` with what takes minutes."""

    name: str
    rounds: int

    def of(self, short: T, usual: T, full: T | None = None) -> T:
        if self.name == "short":
            return short
        return usual if self.name == "usual" or full is None else full


SHORT = Scale(name="short", rounds=5)
USUAL = Scale(name="usual", rounds=5)
FULL = Scale(name="full", rounds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a claim needs, ready: its rows, and the services they talk to.

    Attributes:
        services: Process ids; their CPU time stands in the table.
        note: Sentences for below the table.
    """

    rows: Sequence[Row]
    services: Sequence[int] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One figure a row: its median, and from least to most where ``spread`` is set."""

    title: str
    of: Figure
    form: str
    spread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """A ratio to the row ``peer``, round by round: how many times less the other rows spend.

    Attributes:
        cost: What is compared, for one unit.
        gated: CI watches it: it depends neither on the clock nor on what else the machine does.
    """

    peer: str
    title: str
    cost: Figure
    gated: bool = False

    def ratios(self, samples: Samples, row: str) -> list[float]:
        """One a round; above 1: the row spends less than the peer. Empty where the peer was not measured."""
        pairs = zip(samples.get(self.peer, ()), samples[row], strict=False)
        return [self.cost(peer) / max(self.cost(own), 1e-12) for peer, own in pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One table of the benchmarks.

    Attributes:
        name: Of the command and of the result's file.
        family: Claims whose figures stand in one plot.
        unit: What ``units`` counts.
        prepare: Makes the claim's stage with files in the given folder.
        short: Part of the short version, which CI runs.
        rounds: By the scale's name, where it is not the scale's own number.
    """

    name: str
    family: str
    title: str
    unit: str
    columns: Sequence[Column]
    against: Sequence[Against]
    prepare: Callable[[Scale, Path], AbstractContextManager[Stage]]
    short: bool = False
    rounds: Mapping[str, int] = field(default_factory=dict)

    def rounds_at(self, scale: Scale) -> int:
        return self.rounds.get(scale.name, scale.rounds)


def cpu(sample: Sample) -> float:
    """CPU seconds a unit."""
    return sample.cpu / sample.units


def wall(sample: Sample) -> float:
    """Seconds a unit."""
    return sample.wall / sample.units


def times(peer: str, short: str, *, clock: bool = False, gated: bool = False) -> tuple[Against, ...]:
    """Ratios to a peer in CPU, and with ``clock`` in time as well."""
    found = [Against(peer=peer, title=f"x {short}, CPU", cost=cpu, gated=gated)]
    if clock:
        found.append(Against(peer=peer, title=f"x {short}, time", cost=wall))
    return tuple(found)


PEAK = Column(title="peak MB", of=lambda one: one.peak / 2**20, form=".0f")
BUSY = Column(title="service busy", of=lambda one: one.busy, form=".0%")


def usual_columns(unit: str) -> tuple[Column, ...]:
    """Rate, CPU, memory."""
    many = unit if unit.isupper() else f"{unit}s"
    return (
        Column(title=f"{many}/s", of=lambda one: 1 / wall(one), form=",.0f"),
        Column(title=f"CPU us/{unit}", of=lambda one: cpu(one) * 1e6, form=".4g", spread=True),
        PEAK,
    )


def spread(numbers: Sequence[float], form: str) -> str:
    """Median, and least to most where they differ as printed."""
    least, most = format(min(numbers), form), format(max(numbers), form)
    middle = format(statistics.median(numbers), form)
    return middle if least == most else f"{middle} ({least}-{most})"
