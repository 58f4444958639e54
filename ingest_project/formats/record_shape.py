"""The shape of records: which attributes they have, in which order, of which kinds. Learned and merged.

Shapes hold no values and no text; formats.template makes patterns of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ingest_project.formats.dynamodb_json import scalar_kind
from ingest_project.formats.json_tree import Node

MAX_MEMBERS = 256
"""An object with more names is rather a map with keys of its own than a record."""


class Unshaped(ValueError):
    """No shape covers this: the record goes the exact way."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands at one place of the records seen.

    Attributes:
        scalars: Kinds of scalars (S, N, B, BOOL, NULL).
        members: An object's members in order, when there were objects.
        element: What arrays hold, ``NOTHING`` when all were empty, None when there were no arrays.
    """

    scalars: frozenset[str] = frozenset()
    members: tuple[Member, ...] | None = None
    element: Shape | None = None

    @property
    def alternatives(self) -> tuple[Shape, ...]:
        """Shapes of one kind each that together make this one."""
        found = [Shape(scalars=frozenset({kind})) for kind in sorted(self.scalars)]
        if self.members is not None:
            found.append(Shape(members=self.members))
        if self.element is not None:
            found.append(Shape(element=self.element))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Member:
    """One attribute of an object; ``optional`` when some objects lack it."""

    name: str
    shape: Shape
    optional: bool = False


NOTHING = Shape()


def plain_shape(value: Node) -> Shape:
    """The shape of a plain value."""
    if isinstance(value, bytes):
        return Shape(scalars=frozenset({scalar_kind(value)}))
    if isinstance(value, list):
        return Shape(element=_union(map(plain_shape, value)))
    return _object(value, plain_shape)


def typed_shape(value: Node) -> Shape:
    """The shape of a checked typed value. Raises Unshaped for sets."""
    [(kind, inner)] = value.items() if isinstance(value, dict) else [("", value)]
    if kind == "M" and isinstance(inner, dict):
        return _object(inner, typed_shape)
    if kind == "L" and isinstance(inner, list):
        return Shape(element=_union(map(typed_shape, inner)))
    if not isinstance(inner, bytes):
        raise Unshaped(f"type {kind}")
    return Shape(scalars=frozenset({kind}))


def record_shape(record: dict[str, Node], typed: bool) -> Shape:
    """The shape of a record's attributes. Raises Unshaped."""
    return _object(record, typed_shape if typed else plain_shape)


def merge(one: Shape, other: Shape) -> Shape:
    """The smallest shape that covers both. Raises Unshaped when their attributes are in different order."""
    if one == other:
        return one
    members, element = one.members, one.element
    if other.members is not None:
        members = other.members if members is None else _merged_members(members, other.members)
    if other.element is not None:
        element = other.element if element is None else merge(element, other.element)
    return Shape(scalars=one.scalars | other.scalars, members=members, element=element)


def _object(attributes: dict[str, Node], shape_of: Callable[[Node], Shape]) -> Shape:
    if len(attributes) > MAX_MEMBERS:
        raise Unshaped(f"{len(attributes)} names")
    return Shape(members=tuple(Member(name, shape_of(value)) for name, value in attributes.items()))


def _union(shapes: Iterable[Shape]) -> Shape:
    union = NOTHING
    for shape in shapes:
        union = merge(union, shape)
    return union


def _merged_members(one: tuple[Member, ...], other: tuple[Member, ...]) -> tuple[Member, ...]:
    """Members of both in an order that both follow; those that only one has are optional."""
    places = {member.name: at for at, member in enumerate(one)}
    merged: list[Member] = []
    taken = 0
    for member in other:
        at = places.get(member.name)
        if at is None:
            merged.append(Member(member.name, member.shape, True))
            continue
        if at < taken:
            raise Unshaped(f"{member.name} stands elsewhere")
        merged += [Member(left.name, left.shape, True) for left in one[taken:at]]
        both = one[at]
        shape = merge(both.shape, member.shape)
        merged.append(Member(member.name, shape, both.optional or member.optional))
        taken = at + 1
    merged += [Member(left.name, left.shape, True) for left in one[taken:]]
    if len(merged) > MAX_MEMBERS:
        raise Unshaped(f"{len(merged)} names")
    return tuple(merged)
