"""Capacity: runs on several hosts in virtual time, as Dagster's queue and a cluster's workers carry them.

One simulation with its luck given. What a run is made of says core.run_pace; many simulations are weighed by
core.fleet_forecast.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import ceil, inf
from random import Random

from ingest_project.core.fleet import HOUR, Failures, Fleet, Quota
from ingest_project.core.sharing import Phase, Sharing

TICK = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a simulation went.

    Attributes:
        seconds: From the first run's entry into the queue to the last one's end.
        lost: Attempts that got lost; ``given_up``: runs that got lost once more than they are repeated.
        quota, cores, slots, launches: Share of what there was that was used: of the quota's units, of the
            machines' cores, of the hosts' places for runs, of the daemon's time.
    """

    seconds: float
    lost: int
    given_up: int
    quota: float
    cores: float
    slots: float
    launches: float


Run = Sequence[Phase]
"""The first phase is the run's start, which each attempt makes anew; what was done after it stays done."""


def simulate(
    runs: Sequence[Run],
    fleet: Fleet,
    random: Random,
    *,
    failures: Failures | None = None,
    quota: Quota | None = None,
) -> Outcome:
    """Carry the runs, in their order."""
    return _Simulation(runs, fleet, random, failures or Failures(), quota or Quota()).outcome()


@dataclass(slots=True)
class _Attempt:
    """Of a run. ``working``: its start is over."""

    host: int
    since: float
    working: bool = False


class _Simulation:
    """Events in order of time: those of a heap, and ends of phases from Sharing."""

    def __init__(
        self, runs: Sequence[Run], fleet: Fleet, random: Random, failures: Failures, quota: Quota
    ) -> None:
        self._runs, self._fleet, self._random = runs, fleet, random
        self._failures, self._quota = failures, quota
        self._share = Sharing(cores=fleet.cores, quota=quota.steps[0][1])
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = count()
        self._queue: deque[int] = deque()
        self._sent: deque[int] = deque()
        self._room = fleet.slots if fleet.most_runs is None else fleet.most_runs
        self._look_from, self._looking = 0.0, False
        self._free: list[float] = [fleet.at_once] * fleet.hosts
        self._attempts: dict[int, _Attempt] = {}
        self._todo = [deque(run[1:]) for run in runs]
        self._losses = [0] * len(runs)
        self._not_before = [0.0] * len(runs)
        self._left = len(runs)
        self._given_up = self._launched = 0
        self._busy = self._end = 0.0

    def outcome(self) -> Outcome:
        self._open()
        while self._left:
            ended = self._share.step(self._events[0][0] if self._events else inf)
            if isinstance(ended, int):
                self._phase_ended(ended)
            else:
                heappop(self._events)[2]()
        seconds, fleet = self._end, self._fleet
        phases = [phase for run in self._runs for phase in run]
        used = {
            "quota": (sum(phase.units for phase in phases), self._quota.units_until(seconds)),
            "cores": (
                sum(phase.cores * phase.seconds for phase in phases),
                fleet.cores * fleet.machines * seconds,
            ),
            "slots": (self._busy, fleet.slots * seconds),
            "launches": (self._launched * fleet.launch_seconds, seconds),
        }
        shares = {name: some / there if there > 0 else 0.0 for name, (some, there) in used.items()}
        return Outcome(seconds=seconds, lost=sum(self._losses), given_up=self._given_up, **shares)

    def _at(self, time: float, happens: Callable[[], None]) -> None:
        heappush(self._events, (time, next(self._serials), happens))

    def _open(self) -> None:
        for start, units in self._quota.steps[1:]:
            self._at(start, partial(self._share.limit, units))
        for run in range(len(self._runs)):
            self._at(run * self._fleet.submit_seconds, partial(self._enqueue, run))
        for host in range(self._fleet.hosts):
            self._expect(self._failures.hosts_an_hour, partial(self._host_lost, host))

    def _expect(self, an_hour: float, loss: Callable[[], None]) -> None:
        if an_hour > 0:
            self._at(self._share.now + self._random.expovariate(an_hour / HOUR), loss)

    def _enqueue(self, run: int) -> None:
        self._queue.append(run)
        self._wake()

    def _wake(self) -> None:
        """Have the daemon look into the queue at its next time, if there is something to do for it."""
        if self._looking or not self._queue or self._room <= 0:
            return
        time, pause = self._look_from, self._fleet.dequeue_seconds
        if (late := self._share.now - time) > 0:
            time = self._share.now if pause <= 0 else time + ceil(late / pause) * pause
        self._looking = True
        self._at(time, self._look)

    def _look(self) -> None:
        time = self._share.now
        for _ in range(min(self._room, len(self._queue))):
            time += self._fleet.launch_seconds
            self._at(time, partial(self._arrive, self._queue.popleft()))
            self._room -= 1
            self._launched += 1
        self._look_from, self._looking = time + self._fleet.dequeue_seconds, False
        self._wake()

    def _arrive(self, run: int) -> None:
        self._sent.append(run)
        self._hand_out()

    def _hand_out(self) -> None:
        """The freest host takes the next run."""
        while self._sent:
            host = max(range(len(self._free)), key=self._free.__getitem__)
            if self._free[host] <= 0:
                return
            self._free[host] -= 1
            self._begin(self._sent.popleft(), host)

    def _begin(self, run: int, host: int) -> None:
        self._attempts[run] = _Attempt(host, self._share.now)
        self._work(run, self._runs[run][0])
        self._expect(self._failures.runs_an_hour, partial(self._run_lost, run, self._losses[run]))

    def _work(self, run: int, phase: Phase) -> None:
        self._share.begin(run, self._attempts[run].host // self._fleet.hosts_a_machine, phase)

    def _phase_ended(self, run: int) -> None:
        attempt, todo = self._attempts[run], self._todo[run]
        if attempt.working:
            todo.popleft()
        elif (wait := self._not_before[run] - self._share.now) > TICK:
            self._work(run, Phase(seconds=wait))
            return
        attempt.working = True
        if todo:
            self._work(run, todo[0])
            return
        self._leave(run)
        self._free[attempt.host] += 1
        self._end_of_run()
        self._hand_out()

    def _leave(self, run: int) -> None:
        self._busy += self._share.now - self._attempts.pop(run).since

    def _end_of_run(self) -> None:
        self._left -= 1
        self._end = self._share.now
        self._room += 1
        self._wake()

    def _run_lost(self, run: int, losses: int) -> None:
        """The run's process dies, unless this attempt is over already; its host takes another run."""
        if run not in self._attempts or self._losses[run] != losses:
            return
        host = self._attempts[run].host
        self._lose(run, lease=0.0)
        self._free[host] += 1
        self._hand_out()

    def _host_lost(self, host: int) -> None:
        """All its runs die; its places are away for a while."""
        there = [run for run, attempt in self._attempts.items() if attempt.host == host]
        for run in there:
            self._lose(run, lease=self._failures.lease_seconds)
        taken, self._free[host] = self._free[host] + len(there), -inf
        self._at(self._share.now + self._failures.away_seconds, partial(self._host_back, host, taken))

    def _host_back(self, host: int, places: float) -> None:
        self._free[host] = places
        self._hand_out()
        self._expect(self._failures.hosts_an_hour, partial(self._host_lost, host))

    def _lose(self, run: int, lease: float) -> None:
        left = self._share.cancel(run)
        if self._attempts[run].working:
            self._todo[run][0] = self._todo[run][0].left(left)
        self._leave(run)
        self._losses[run] += 1
        self._not_before[run] = self._share.now + lease
        self._at(
            self._share.now + self._random.uniform(*self._failures.notice_seconds),
            partial(self._noticed, run),
        )

    def _noticed(self, run: int) -> None:
        """Until now it counted as under way."""
        if self._losses[run] > self._failures.retries:
            self._given_up += 1
            self._end_of_run()
            return
        self._room += 1
        self._enqueue(run)
