"""What is known of the fields of an entity whose source describes itself, and what a person decided of them.

Values, their transitions and the door to where they are kept. Which kinds there are is the entity's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ingest_project.core.errors import ConfigurationError

ACCEPT, ASIDE, REFUSE = CHOICES = ("accept", "aside", "refuse")
"""What a person can decide of a kind that a field did not have before: from now on the field has it; its
values are kept beside the field; records with it stay refused."""

REPLAY = "ingest rejections replay --reason 'changed type'"
"""Sends what was refused once more."""

DESCRIBED, EXTENDED, ASKED = "described", "extended", "asked"
"""What else happens to a field: it was there from the beginning, it came later, it was met with a kind that
nobody decided on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownField:
    """A field of an entity.

    Attributes:
        kinds: Kinds that its values may have, the one that counts first in front.
        origin: Where the first kind is from: ``describe``, ``known``, ``name``, ``sample`` or ``derived``.
        asked: Kinds that were met and wait for a decision; records with them are refused meanwhile.
        aside: Kinds whose values are kept beside the field.
        refused: Kinds that a person refused.
    """

    name: str
    kinds: tuple[str, ...]
    origin: str
    asked: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def waiting(self) -> tuple[str, ...]:
        """The kinds that a decision is about: those asked for, else those decided on before, as a decision
        can be taken back."""
        return self.asked or self.refused or self.aside

    def met(self, kind: str) -> KnownField:
        """The field after a value of a kind that it does not have; itself when that is known."""
        if kind in (*self.kinds, *self.asked, *self.aside, *self.refused):
            return self
        return replace(self, asked=(*self.asked, kind))

    def decided(self, choice: str) -> KnownField:
        """The field after a decision on all kinds that wait, or on those refused or set aside before.

        Raises:
            ConfigurationError: There is nothing to decide, or no such choice.
        """
        if choice not in CHOICES:
            raise ConfigurationError(f"{choice!r} is no choice; it is one of {', '.join(CHOICES)}")
        waiting = self.waiting
        if not waiting:
            raise ConfigurationError(f"field {self.name}: no change of its type waits for a decision")
        field = replace(
            self,
            asked=_without(self.asked, waiting),
            aside=_without(self.aside, waiting),
            refused=_without(self.refused, waiting),
        )
        if choice == ACCEPT:
            return replace(field, kinds=(*waiting, *_without(self.kinds, waiting)))
        if choice == ASIDE:
            return replace(field, aside=(*field.aside, *waiting))
        return replace(field, refused=(*field.refused, *waiting))


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEvent:
    """One entry of an entity's history of fields.

    Attributes:
        event: ``described``, ``extended``, ``asked`` or a choice.
        kinds: The kinds it is about.
        detail: A sample, or who decided.
        at: Seconds since 1970.
    """

    name: str
    event: str
    kinds: tuple[str, ...]
    detail: str
    at: float


class FieldBook(Protocol):
    """Where the fields are kept: shared by all runs and processes. Every verb is one transaction."""

    def known(self, entity: str) -> Mapping[str, KnownField]:
        """All fields by name."""
        ...

    def add(self, entity: str, fields: Iterable[KnownField], *, event: str, detail: str = "") -> None:
        """Take in fields; those that are known stay as they are."""
        ...

    def ask(self, entity: str, name: str, kind: str, *, detail: str) -> KnownField:
        """Note that a field was met with a kind that it does not have; the field as it is then."""
        ...

    def decide(self, entity: str, name: str, choice: str, *, by: str) -> KnownField:
        """Store a person's decision. Raises ConfigurationError as ``KnownField.decided``, and for a field
        that nobody knows."""
        ...

    def history(self, entity: str) -> Sequence[FieldEvent]:
        """All that happened, in order."""
        ...


class HeldFields:
    """FieldBook in memory: for work that leaves no trace, and for tests."""

    def __init__(self) -> None:
        self._fields: dict[tuple[str, str], KnownField] = {}
        self._events: list[tuple[str, FieldEvent]] = []

    def known(self, entity: str) -> Mapping[str, KnownField]:
        return {name: field for (owner, name), field in self._fields.items() if owner == entity}

    def add(self, entity: str, fields: Iterable[KnownField], *, event: str, detail: str = "") -> None:
        for field in fields:
            if (entity, field.name) not in self._fields:
                self._put(entity, field, event, field.kinds, detail)

    def ask(self, entity: str, name: str, kind: str, *, detail: str) -> KnownField:
        field = known_or_raise(self.known(entity), entity, name)
        after = field.met(kind)
        if after != field:
            self._put(entity, after, ASKED, (kind,), detail)
        return after

    def decide(self, entity: str, name: str, choice: str, *, by: str) -> KnownField:
        field = known_or_raise(self.known(entity), entity, name)
        after = field.decided(choice)
        self._put(entity, after, choice, field.waiting, by)
        return after

    def history(self, entity: str) -> Sequence[FieldEvent]:
        return [event for owner, event in self._events if owner == entity]

    def _put(self, entity: str, field: KnownField, event: str, kinds: tuple[str, ...], detail: str) -> None:
        self._fields[entity, field.name] = field
        at = float(len(self._events))
        self._events.append(
            (entity, FieldEvent(name=field.name, event=event, kinds=kinds, detail=detail, at=at))
        )


def known_or_raise(fields: Mapping[str, KnownField], entity: str, name: str) -> KnownField:
    """The field. Raises ConfigurationError when there is none of the name."""
    if name not in fields:
        raise ConfigurationError(f"{entity} has no field {name!r}")
    return fields[name]


def _without(kinds: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    return tuple(kind for kind in kinds if kind not in set(others))


def choices(entity: str, name: str) -> Mapping[str, str]:
    """Command -> what it means, for a field whose changed type waits for a person."""
    meanings = {
        ACCEPT: "the field has the new type from now on",
        ASIDE: f"such values are kept in {name}__aside",
        REFUSE: "such rows stay refused",
    }
    return {f"ingest schema {entity} --{choice} {name}": meaning for choice, meaning in meanings.items()}
