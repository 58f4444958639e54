"""What was measured of an engine that carries runs, and its table. Measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MIB = 1 << 20
KINDS = ("worker", "run")
"""What is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One run from its launch to its step. Seconds; CPU beyond what the idle engine takes.

    Attributes:
        launch: CPU of the launching process.
        own: CPU of the run's process up to its step.
        engine: CPU of worker and run, end of the run included.
        extra: Bytes that the engine holds more than when idle, in mid-run.
    """

    to_step: float
    launch: float
    own: float
    engine: float
    extra: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """What followed kill -9; seconds from the kill, None: not within two minutes.

    Attributes:
        lost: Until the health check called the run lost.
        unseen: How long the lost run's own process went on.
    """

    kind: str
    lost: float | None
    unseen: float | None
    why: str


@dataclass(slots=True, kw_only=True)
class Found:
    """All that was measured of one engine; bytes, CPU seconds a second."""

    control: int = 0
    worker: int = 0
    control_cpu: float = 0.0
    worker_cpu: float = 0.0
    starts: list[Start] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)


def table(results: Mapping[str, Found]) -> str:
    """Rows are figures, columns engines; medians."""
    names = list(results)
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]

    def row(title: str, of: Callable[[Found], str]) -> None:
        lines.append(f"| {title} | " + " | ".join(of(results[name]) for name in names) + " |")

    def middle(of: Callable[[Start], float]) -> Callable[[Found], float]:
        return lambda found: statistics.median(map(of, found.starts))

    row("idle broker or head, MiB", lambda found: f"{found.control / MIB:.0f}")
    row("idle worker, MiB", lambda found: f"{found.worker / MIB:.0f}")
    row("idle broker or head, CPU ms a second", lambda found: f"{1000 * found.control_cpu:.1f}")
    row("idle worker, CPU ms a second", lambda found: f"{1000 * found.worker_cpu:.1f}")
    row("a run in mid-step, MiB more", lambda found: f"{middle(lambda one: one.extra)(found) / MIB:.0f}")
    row("launch to step, s", lambda found: f"{middle(lambda one: one.to_step)(found):.2f}")
    row("CPU of the run's process to its step, s", lambda found: f"{middle(lambda one: one.own)(found):.2f}")
    row("CPU of the engine for a run, s", lambda found: f"{middle(lambda one: one.engine)(found):.2f}")
    row("CPU of the launching process, s", lambda found: f"{middle(lambda one: one.launch)(found):.2f}")
    for kind in KINDS:
        for title, word in (("called lost after, s", "lost"), ("its run's process went on for, s", "unseen")):
            row(f"kill -9 of the {kind}: {title}", _times(kind, word))
    return "\n".join(lines)


def _times(kind: str, word: str) -> Callable[[Found], str]:
    def shown(found: Found) -> str:
        values = [getattr(kill, word) for kill in found.kills if kill.kind == kind]
        return ", ".join("never" if value is None else f"{value:.1f}" for value in values) or "-"

    return shown
