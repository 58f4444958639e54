"""Processes that die at any step of what they do to the outside, before or behind its effect."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ingest_project.testing.faults import Life


@dataclass(slots=True)
class Dice:
    """A process that dies at any of its steps, before or behind its effect."""

    chance: float
    rng: Random
    life: Life = field(default_factory=Life)
    steps: int = 0

    def before(self) -> None:
        self.life.check()
        self.steps += 1
        if self.rng.random() < self.chance / 2:
            self.life.end()

    def behind(self) -> None:
        if self.rng.random() < self.chance / 2:
            self.life.end()


class Mortal:
    """Any object as a process sees it that can die at each call."""

    def __init__(self, inner: Any, dice: Dice) -> None:
        self._inner, self._dice = inner, dice

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if inspect.iscoroutinefunction(found):
            return self._awaited(found)
        return self._called(found) if callable(found) else found

    def _called(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **named: Any) -> Any:
            self._dice.before()
            result = call(*args, **named)
            self._dice.behind()
            return result

        return mortal

    def _awaited(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def mortal(*args: Any, **named: Any) -> Any:
            self._dice.before()
            result = await call(*args, **named)
            self._dice.behind()
            return result

        return mortal
