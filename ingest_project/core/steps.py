"""What a collection of documents is, as values: its buckets and the steps that its documents pass.

No behaviour of a stage lives here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ingest_project.core.documents import Bucket
from ingest_project.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What documents pass in one go: one stage, or several of a kind (one for each theme).

    Attributes:
        name: Of the asset, and what the names of its stages begin with.
        about: What it does, for people.
        kinds: Of the stores that it writes to.
        after: Steps that must be through first.
    """

    name: str
    about: str
    kinds: frozenset[str] = frozenset()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection of documents whose partitions are buckets: month x number.

    Attributes:
        start: First month, ``YYYY-MM``; what is older belongs to it.
        numbers: Buckets a month; fixed for the collection's life, as buckets are stored.
        steps: In the order in which they are run.
    """

    name: str
    start: str
    numbers: int
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The step of that name. Raises ConfigurationError."""
        for step in self.steps:
            if step.name == name:
                return step
        known = ", ".join(step.name for step in self.steps)
        raise ConfigurationError(f"{self.name} has no stage {name!r}: there are {known}")

    def from_step(self, name: str) -> tuple[Step, ...]:
        """That step and those behind it. Raises ConfigurationError."""
        return self.steps[self.steps.index(self.step(name)) :]

    def buckets(self, month: str) -> Iterator[Bucket]:
        """All of a month."""
        return (Bucket(collection=self.name, month=month, number=number) for number in range(self.numbers))

    def check_month(self, text: str) -> str:
        """The text, if it names a month that has buckets. Raises ConfigurationError."""
        try:
            sound = len(text) == 7 and date.fromisoformat(f"{text}-01") >= date.fromisoformat(
                f"{self.start}-01"
            )
        except ValueError:
            sound = False
        if not sound:
            raise ConfigurationError(f"{text!r} is no month: YYYY-MM, from {self.start} on")
        return text
