"""The contract of an entity: its fields as all runs know them, how it grows, and where a person is asked.

From the API's description, else the list of known fields, else the name, else the first value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingest_project.core.fields import ACCEPT, DESCRIBED, EXTENDED, FieldBook, KnownField
from ingest_project.core.paging import Field
from ingest_project.entities.wms.kinds import (
    fits,
    kind_of_letter,
    kind_of_name,
    kind_of_value,
    kind_of_word,
)
from ingest_project.entities.wms.known import KNOWN
from ingest_project.formats.json_tree import Refused
from ingest_project.formats.numbers import shown

MOST_FIELDS = 1000
"""A contract grows no further: an API that invents names must not fill the ledger or an index."""

FROM_DESCRIPTION, FROM_LIST, FROM_NAME, FROM_VALUE = "describe", "known", "name", "sample"
NEW = (FROM_NAME, FROM_VALUE)


def listed(entity: str) -> Mapping[str, str]:
    """The known fields of ``wms.order_hdr``."""
    return KNOWN.get(entity.rpartition(".")[2], {})


class Contract:
    """One entity's contract as one admission knows it; not for threads.

    Attributes:
        growth: Grows with each change that was learned here.
    """

    def __init__(self, entity: str, book: FieldBook) -> None:
        self.entity, self._book = entity, book
        self._fields = dict(book.known(entity))
        self._listed = listed(entity)
        self.growth = 0

    def kind(self, name: str, text: bytes) -> str:
        """As which kind the value is kept; empty for one that is set aside, and for a null of which nothing
        is known.

        Raises:
            Refused: The value's kind is not the field's, and nobody has accepted that.
        """
        field = self._fields.get(name) or self._grown(name, text)
        if field is None:
            return ""
        for kind in field.kinds:
            if fits(kind, text):
                return kind
        return self._unfit(field, text)

    def first(self, name: str) -> str:
        """The kind that a field's values have, in general; empty where nothing is known."""
        field = self._fields.get(name)
        return field.kinds[0] if field else ""

    def _grown(self, name: str, text: bytes) -> KnownField | None:
        kind, origin = self._guess(name, text)
        if not kind:
            return None
        if len(self._fields) >= MOST_FIELDS:
            raise Refused(f"a new field, and the contract has {len(self._fields)} already", name)
        made = KnownField(name=name, kinds=(kind,), origin=origin)
        event = EXTENDED if origin in NEW else DESCRIBED
        self._book.add(self.entity, [made], event=event, detail=shown(text))
        # Another process may have met the field before, with another value.
        self._fields = dict(self._book.known(self.entity))
        self.growth += 1
        return self._fields[name]

    def _guess(self, name: str, text: bytes) -> tuple[str, str]:
        if name in self._listed:
            return kind_of_letter(name, self._listed[name]), FROM_LIST
        named = kind_of_name(name)
        if named and fits(named, text):
            return named, FROM_NAME
        return kind_of_value(text), FROM_VALUE

    def _unfit(self, field: KnownField, text: bytes) -> str:
        found = kind_of_value(text)
        if found not in (*field.asked, *field.aside, *field.refused):
            field = self._book.ask(self.entity, field.name, found, detail=shown(text))
            self._fields[field.name] = field
            self.growth += 1
        if found in field.kinds:
            return found
        if found in field.aside:
            return ""
        known = " or ".join(field.kinds)
        what = "was refused" if found in field.refused else "is for a person to decide: ingest schema"
        raise Refused(f"changed type, {found} where {known} is known: {shown(text)}; it {what}", field.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a description says that the contract did not know.

    Attributes:
        new: Fields that came in; not those of the first description.
        changed: ``name: kind, was kind``: records of the new kind are refused until a person decides.
        gone: Fields that a description had and this one has not.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """In sentences."""
        return (
            *(f"new field {name}" for name in self.new),
            *(f"changed type of {what}: decide with `ingest schema`" for what in self.changed),
            *(f"field {name} is no longer described" for name in self.gone),
        )


def review(book: FieldBook, entity: str, fields: Iterable[Field]) -> Review:
    """Hold a description against the contract: what is new extends it, what changed waits for a person."""
    known = book.known(entity)
    described = {field.name: kind for field in fields if (kind := kind_of_word(field.name, field.type))}
    first = not any(field.origin == FROM_DESCRIPTION for field in known.values())
    new = [KnownField(name=name, kinds=(kind,), origin=FROM_DESCRIPTION) for name, kind in described.items()]
    book.add(entity, new, event=DESCRIBED if first else EXTENDED, detail=FROM_DESCRIPTION)
    changed = [
        f"{name}: {kind}, was {known[name].kinds[0]}"
        for name, kind in described.items()
        if name in known and _changes(book, entity, known[name], kind)
    ]
    gone = [
        field.name
        for field in known.values()
        if field.origin == FROM_DESCRIPTION and field.name not in described
    ]
    return Review(
        new=() if first else tuple(name for name in described if name not in known),
        changed=tuple(changed),
        gone=tuple(gone),
    )


def _changes(book: FieldBook, entity: str, field: KnownField, kind: str) -> bool:
    if kind in field.kinds:
        return False
    after = book.ask(entity, field.name, kind, detail="the API's description")
    if field.origin != FROM_DESCRIPTION and kind in after.asked:
        # What was only guessed gives way to what the API says of itself.
        book.decide(entity, field.name, ACCEPT, by=FROM_DESCRIPTION)
        return False
    return kind in after.asked
