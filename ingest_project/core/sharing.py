"""Sharing: work side by side on machines with few cores and within one quota, each slowing the others down.

Virtual time and nothing random. Who works where, and what gets lost, is said by core.capacity.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A piece of a run's work.

    Attributes:
        seconds: It takes when nothing is short.
        cores: It keeps busy meanwhile.
        units: Of the quota that it takes in all, evenly over its time.
    """

    seconds: float
    cores: float = 0.0
    units: float = 0.0

    @property
    def rate(self) -> float:
        """Units a second when nothing is short."""
        return self.units / self.seconds if self.seconds > 0 else 0.0

    def left(self, seconds: float) -> Phase:
        """The last ``seconds`` of it."""
        share = seconds / self.seconds if self.seconds > 0 else 0.0
        return Phase(seconds=seconds, cores=self.cores, units=self.units * share)


@dataclass(slots=True)
class _Machine:
    """Clocks say how far undisturbed work would be: ``clocks[1]`` is for work under the quota.

    ``ends`` holds (clock, serial) of what ends when, ``seen`` when the clocks were set.
    """

    clocks: list[float] = field(default_factory=lambda: [0.0, 0.0])
    ends: tuple[list[tuple[float, int]], list[tuple[float, int]]] = field(default_factory=lambda: ([], []))
    seen: list[float] = field(default_factory=lambda: [0.0, 0.0])
    speed: float = 1.0
    cores: float = 0.0
    rate: float = 0.0
    version: int = 0


@dataclass(frozen=True, slots=True)
class _Task:
    serial: int
    machine: int
    metered: int
    end: float
    phase: Phase


class Sharing:
    """Tasks of one phase each.

    Cores are shared in proportion to what tasks would use, the quota to what they would send: where either
    is short, all that need it go on slower by the same factor. A step costs the logarithm of the number of
    tasks, as each machine has clocks of its own and the quota bends one clock for all.

    Args:
        cores: Of each machine.
        quota: Units a second for all machines together.
    """

    def __init__(self, *, cores: float = inf, quota: float = inf) -> None:
        self._cores, self._quota = cores, quota
        # Real seconds, and seconds as the quota lets them pass.
        self._now = [0.0, 0.0]
        self._flow, self._wanted = 1.0, 0.0
        self._machines: dict[int, _Machine] = {}
        self._due: tuple[list[tuple[float, int, int]], list[tuple[float, int, int]]] = ([], [])
        self._tasks: dict[Hashable, _Task] = {}
        self._names: dict[int, Hashable] = {}
        self._serials = count()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._now[0]

    def limit(self, quota: float) -> None:
        """Units a second from now on."""
        self._quota = quota
        self._let_flow()

    def begin(self, name: Hashable, machine: int, phase: Phase) -> None:
        """``name`` has no other task under way."""
        found = self._machines.setdefault(machine, _Machine())
        self._bring_up(found)
        metered = int(phase.units > 0 and phase.seconds > 0)
        task = _Task(next(self._serials), machine, metered, found.clocks[metered] + phase.seconds, phase)
        self._tasks[name], self._names[task.serial] = task, name
        heappush(found.ends[metered], (task.end, task.serial))
        self._changed(machine, found, phase.cores, phase.rate)

    def cancel(self, name: Hashable) -> float:
        """Stop a task; the seconds that it would still need undisturbed."""
        task = self._tasks[name]
        machine = self._machines[task.machine]
        self._bring_up(machine)
        left = max(0.0, task.end - machine.clocks[task.metered])
        self._drop(name, task, machine)
        return left

    def step(self, until: float) -> Hashable | None:
        """Go on to the next end of a task, whose name is returned; to ``until`` when none ends before."""
        times = (self._next(0), self._next(1))
        metered = int(times[1] < times[0])
        time = times[metered]
        if time > until:
            self._pass(until)
            return None
        self._pass(time)
        machine = self._machines[self._due[metered][0][2]]
        self._bring_up(machine)
        end, serial = machine.ends[metered][0]
        machine.clocks[metered] = end
        name = self._names[serial]
        self._drop(name, self._tasks[name], machine)
        return name

    def _next(self, metered: int) -> float:
        """When the next task ends."""
        due = self._due[metered]
        while due and due[0][1] != self._machines[due[0][2]].version:
            heappop(due)
        if not due:
            return inf
        flow = self._flow if metered else 1.0
        return self._now[0] + max(0.0, due[0][0] - self._now[metered]) / flow

    def _pass(self, time: float) -> None:
        self._now[1] += max(0.0, time - self._now[0]) * self._flow
        self._now[0] = max(time, self._now[0])

    def _bring_up(self, machine: _Machine) -> None:
        for kind in (0, 1):
            machine.clocks[kind] += (self._now[kind] - machine.seen[kind]) * machine.speed
            machine.seen[kind] = self._now[kind]

    def _drop(self, name: Hashable, task: _Task, machine: _Machine) -> None:
        del self._tasks[name], self._names[task.serial]
        self._changed(task.machine, machine, -task.phase.cores, -task.phase.rate)

    def _changed(self, number: int, machine: _Machine, cores: float, rate: float) -> None:
        """What is under way on a machine is another: its speed, and when its next tasks end."""
        self._wanted -= machine.speed * machine.rate
        machine.cores, machine.rate = machine.cores + cores, machine.rate + rate
        machine.speed = min(1.0, self._cores / machine.cores) if machine.cores > 0 else 1.0
        self._wanted += machine.speed * machine.rate
        machine.version += 1
        for kind, ends in enumerate(machine.ends):
            while ends and ends[0][1] not in self._names:
                heappop(ends)
            if ends:
                left = (ends[0][0] - machine.clocks[kind]) / machine.speed
                heappush(self._due[kind], (self._now[kind] + left, machine.version, number))
        self._let_flow()

    def _let_flow(self) -> None:
        self._flow = min(1.0, self._quota / self._wanted) if self._wanted > 0 else 1.0
