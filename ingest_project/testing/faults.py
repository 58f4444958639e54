"""Faults as data: what a double answers to its n-th call, and when the process dies. Deterministic; no
mocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum


class Answer(Enum):
    """What becomes of one request to a sink double."""

    OK = "ok"
    THROTTLE = "throttle"
    THROTTLE_ALL = "throttle all"
    PARTIAL = "partial"
    LOST_BEFORE = "lost before"
    LOST_AFTER = "lost after"
    TOO_LARGE = "too large"
    PERMANENT = "permanent"
    MISCOUNT = "miscount"
    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"


HARMLESS = (
    Answer.OK,
    Answer.THROTTLE,
    Answer.THROTTLE_ALL,
    Answer.PARTIAL,
    Answer.LOST_BEFORE,
    Answer.LOST_AFTER,
    Answer.TOO_LARGE,
)
"""Answers that a load must survive without help."""


class Killed(BaseException):
    """SIGKILL of the process, as far as one process can play it. Not an Exception: nothing may catch and mend
    it."""


@dataclass(slots=True)
class Life:
    """One process. When it is dead, every mortal double it uses raises Killed and does nothing more."""

    dead: bool = False

    def check(self) -> None:
        if self.dead:
            raise Killed

    def end(self) -> None:
        self.dead = True
        raise Killed


@dataclass(slots=True)
class FaultScript:
    """Answers in order, one for each call; behind its end everything is well."""

    answers: Iterable[Answer] = ()
    _rest: Iterator[Answer] = field(init=False)

    def __post_init__(self) -> None:
        self._rest = iter(self.answers)

    def next(self) -> Answer:
        return next(self._rest, Answer.OK)


@dataclass(slots=True)
class KillPoint:
    """Dies at the n-th passage (0-based); ``None``: never. ``after``: the call still takes effect."""

    life: Life
    at: int | None = None
    after: bool = False

    def before_effect(self) -> None:
        self.life.check()
        if self.at == 0 and not self.after:
            self.life.end()

    def behind_effect(self) -> None:
        if self.at == 0:
            self.life.end()
        if self.at is not None:
            self.at -= 1
