"""What to do next about the files of an inbox: a decision made of the register and of runs as they stand.

Only decides; the sensor hands it a view of the runs and turns its requests into Dagster's. A file moves on
when its
runs ended, never when they were asked for, so that a restart or a kill at any point repeats at most a
question.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from ingest_project.core.errors import PermanentFailure
from ingest_project.ledgers.files import FileEntry

GATHER_SECONDS = 20.0

PLAN, LOAD, DELIVER = "plan", "load", "deliver"
"""``plan`` materializes the date's plan, ``load`` all stages of its slots, ``deliver`` the stages behind
``validated``:
it follows a load that Dagster cut short because a slot's validation failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A run to be launched. ``run_key`` is idempotent: Dagster launches one run for it, whoever asks
    again.

    Attributes:
        size: Bytes of the request's files; smaller ones go first.
    """

    request: str
    phase: str
    date: str
    size: int = field(default=0, compare=False)

    @property
    def run_key(self) -> str:
        return f"{self.request}:{self.phase}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseState:
    """The latest run of one phase of a request. ``finished`` counts only when Dagster will not retry it."""

    finished: bool
    succeeded: bool
    reason: str = ""


class Register(Protocol):
    """What is needed of ledgers.files.FileRegister."""

    def pending(self, entity: str, *, limit: int = 100) -> Sequence[FileEntry]: ...

    def list(
        self, entity: str, *, state: str | None = None, date: str | None = None, limit: int = 1000
    ) -> Sequence[FileEntry]: ...

    def mark_requested(self, uri: str, etag: str, *, run: str, date: str, target: str) -> bool: ...

    def mark_consumed(self, uri: str, etag: str) -> bool: ...

    def mark_failed(self, uri: str, etag: str, reason: str) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxDecider:
    """One entity's inbox.

    Attributes:
        phases: Request key -> state of each phase that was launched.
        verdict: File -> "" when all its chunks are sealed in all stages, else why not.
        place: File -> (date, target); raises PermanentFailure when it has none.
        has_open: Date -> whether stages behind ``validated`` are open there.
        now: Wall clock, seconds.
        gather: So many seconds a complete file waits for others that are still being observed, so that files
            dropped together share their runs.
    """

    entity: str
    register: Register
    phases: Callable[[str], Mapping[str, PhaseState]]
    verdict: Callable[[FileEntry], str]
    place: Callable[[FileEntry], tuple[str, str]]
    has_open: Callable[[str], bool]
    now: Callable[[], float] = time.time
    gather: float = GATHER_SECONDS

    def decide(self) -> list[Ask]:
        """Settle what has ended, ask for what comes next. At most 1000 files under way and 100 new ones a
        call."""
        asks = [ask for group in self._under_way() for ask in self._follow(group)]
        busy = {ask.date for ask in asks} | {entry.date for entry in self._requested()}
        asks += self._start(busy)
        return asks

    def _requested(self) -> Sequence[FileEntry]:
        return self.register.list(self.entity, state="requested")

    def _under_way(self) -> Iterator[list[FileEntry]]:
        entries = sorted(self._requested(), key=lambda entry: entry.run)
        for _, group in groupby(entries, key=lambda entry: entry.run):
            yield list(group)

    def _follow(self, group: list[FileEntry]) -> list[Ask]:
        """What a request that is under way needs next."""
        request, day, size = group[0].run, group[0].date, _size(group)
        phases = self.phases(request)
        for phase in (DELIVER, LOAD):
            state = phases.get(phase)
            if state is None:
                continue
            if not state.finished:
                return []
            if phase == LOAD and not state.succeeded and self.has_open(day):
                return [Ask(request=request, phase=DELIVER, date=day, size=size)]
            self._settle(group, state)
            return []
        plan = phases.get(PLAN)
        if plan is None:
            return [Ask(request=request, phase=PLAN, date=day, size=size)]
        if plan.finished and plan.succeeded:
            return [Ask(request=request, phase=LOAD, date=day, size=size)]
        if plan.finished:
            self._settle(group, plan)
        return []

    def _settle(self, group: Iterable[FileEntry], state: PhaseState) -> None:
        for entry in group:
            reason = self.verdict(entry)
            if reason:
                self.register.mark_failed(entry.file.uri, entry.file.etag, f"{reason} {state.reason}".strip())
            else:
                self.register.mark_consumed(entry.file.uri, entry.file.etag)

    def _start(self, busy: set[str]) -> list[Ask]:
        """One request a date for all files that became complete; a date with a request under way waits for
        its end."""
        ready: dict[str, list[tuple[FileEntry, str]]] = {}
        pending = self.register.pending(self.entity)
        if pending and self._others_come(min(entry.last_seen for entry in pending)):
            return []
        for entry in pending:
            try:
                day, target = self.place(entry)
            except PermanentFailure as error:
                self.register.mark_failed(entry.file.uri, entry.file.etag, str(error))
                continue
            if day not in busy:
                ready.setdefault(day, []).append((entry, target))
        return [self._request(day, entries) for day, entries in sorted(ready.items())]

    def _others_come(self, since: float) -> bool:
        young = self.now() - since < self.gather
        return young and bool(self.register.list(self.entity, state="seen", limit=1))

    def _request(self, day: str, entries: Sequence[tuple[FileEntry, str]]) -> Ask:
        names = sorted(entry.next_run for entry, _ in entries)
        request = f"{self.entity}:{day}:{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}"
        for entry, target in entries:
            self.register.mark_requested(
                entry.file.uri, entry.file.etag, run=request, date=day, target=target
            )
        return Ask(request=request, phase=PLAN, date=day, size=_size(entry for entry, _ in entries))


def _size(entries: Iterable[FileEntry]) -> int:
    return sum(entry.file.size for entry in entries)
