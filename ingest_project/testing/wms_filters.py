"""Filters of a query: ``field__lookup=value``, read against an entity's fields, and what they mean for a row.

Pure. What the table can answer by itself (ranges of id and mod_ts) is told apart from what must be looked up
in the row's own text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest_project.testing import wms_fields as kinds
from ingest_project.testing.wms_errors import invalid
from ingest_project.testing.wms_fields import Field
from ingest_project.testing.wms_stamps import Stamps
from ingest_project.testing.wms_table import HIGHEST, LOWEST

Test = Callable[[Mapping[str, Any]], bool]
"""Of a row's values as JSON has them."""

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "exact": lambda one, other: bool(one == other),
    "gt": lambda one, other: bool(one > other),
    "gte": lambda one, other: bool(one >= other),
    "lt": lambda one, other: bool(one < other),
    "lte": lambda one, other: bool(one <= other),
}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "iexact": lambda text, part: text.casefold() == part.casefold(),
    "contains": lambda text, part: part in text,
    "icontains": lambda text, part: part.casefold() in text.casefold(),
    "startswith": lambda text, part: text.startswith(part),
    "istartswith": lambda text, part: text.casefold().startswith(part.casefold()),
    "endswith": lambda text, part: text.endswith(part),
    "iendswith": lambda text, part: text.casefold().endswith(part.casefold()),
}
LOOKUPS = (*_COMPARE, *_TEXT, "in", "range", "isnull")

PLACES = ("company_id__code", "facility_id__code")
"""Every entity can be asked for a company and a facility, also where its rows do not name them."""


@dataclass(slots=True, kw_only=True)
class Filters:
    """What a query asks for.

    Attributes:
        ids: Half-open range of ids.
        modified: Half-open range of mod_ts.
        chosen: Ids that were named one by one.
        codes: Company and facility, where they were named.
        tests: The rest; each looks at the row.
    """

    ids: tuple[int, int] = (LOWEST, HIGHEST)
    modified: tuple[int, int] = (LOWEST, HIGHEST)
    chosen: frozenset[int] | None = None
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tests: list[Test] = field(default_factory=list)


def read_filters(asked: Sequence[tuple[str, str]], fields: Sequence[Field], stamps: Stamps) -> Filters:
    """The filters of a query.

    Raises:
        Refused: A field or a lookup that the entity does not have, or a value of the wrong type.
    """
    known = {one.name: one for one in fields}
    found = Filters()
    for name, text in asked:
        place = next((one for one in PLACES if name in (one, f"{one}__exact", f"{one}__in")), "")
        if place:
            found.codes[place] = tuple(text.split(",")) if name.endswith("__in") else (text,)
            continue
        path = name.split("__")
        lookup = path.pop() if len(path) > 1 and path[-1] in LOOKUPS else "exact"
        target = known.get(path[0])
        if target is None or target.kind == kinds.SET or target.name == "url":
            raise invalid(name, "Invalid filter field or lookup")
        if (
            target.name in ("id", "mod_ts")
            and len(path) == 1
            and _narrowed(found, target, lookup, text, stamps)
        ):
            continue
        found.tests.append(_test(name, target, path[1:], lookup, text, stamps))
    return found


def value_reader(target: Field, inner: Sequence[str], stamps: Stamps) -> Callable[[Any], Any]:
    """What makes a field's values comparable, from JSON and from a query alike.

    Raises:
        KeyError: A relation has no such part here.
    """
    if target.kind == kinds.RELATION:
        return {(): int, ("id",): int, ("key",): str, ("code",): str}[tuple(inner)]
    if inner:
        raise KeyError(inner[0])
    readers: Mapping[str, Callable[[Any], Any]] = {
        kinds.INTEGER: int,
        kinds.DECIMAL: Decimal,
        kinds.BOOLEAN: _boolean,
        kinds.TIMESTAMP: stamps.moment,
        kinds.DATE: date.fromisoformat,
    }
    return readers.get(target.kind, str)


def value_at(target: Field, inner: Sequence[str], values: Mapping[str, Any]) -> Any:
    """The field's value in a row, as JSON has it; a relation's id or key."""
    found = values.get(target.name)
    if target.kind == kinds.RELATION and found is not None:
        return found["key" if inner and inner[0] in ("key", "code") else "id"]
    return found


def _narrowed(found: Filters, target: Field, lookup: str, text: str, stamps: Stamps) -> bool:
    """Take a filter of id or mod_ts as a range; False when it is none."""
    read = int if target.name == "id" else stamps.moment
    try:
        if lookup == "range":
            low, high = (read(part.strip()) for part in text.split(","))
            span = (low, high + 1)
        elif lookup == "in" and target.name == "id":
            chosen = frozenset(int(part) for part in text.split(","))
            found.chosen = chosen if found.chosen is None else found.chosen & chosen
            return True
        elif lookup in _COMPARE:
            value = read(text)
            span = {
                "exact": (value, value + 1),
                "gt": (value + 1, HIGHEST),
                "gte": (value, HIGHEST),
                "lt": (LOWEST, value),
                "lte": (LOWEST, value + 1),
            }[lookup]
        else:
            return False
    except ValueError:
        raise invalid(f"{target.name}__{lookup}", f"Enter a valid value: {text!r}") from None
    if target.name == "id":
        found.ids = max(found.ids[0], span[0]), min(found.ids[1], span[1])
    else:
        found.modified = max(found.modified[0], span[0]), min(found.modified[1], span[1])
    return True


def _test(name: str, target: Field, inner: Sequence[str], lookup: str, text: str, stamps: Stamps) -> Test:
    if lookup == "isnull":
        wanted = _boolean(text)
        return lambda values: (values.get(target.name) is None) == wanted
    try:
        read = value_reader(target, inner, stamps)
        if lookup in _TEXT:
            return _text_test(target, inner, _TEXT[lookup], text)
        parts = (
            [read(part.strip()) for part in text.split(",")] if lookup in ("in", "range") else [read(text)]
        )
        if lookup == "range" and len(parts) != 2:
            raise ValueError(text)
    except KeyError:
        raise invalid(name, "Invalid filter field or lookup") from None
    except (ValueError, InvalidOperation):
        raise invalid(name, f"Enter a valid value: {text!r}") from None

    def test(values: Mapping[str, Any]) -> bool:
        raw = value_at(target, inner, values)
        if raw is None:
            return False
        value = read(raw)
        if lookup == "in":
            return value in parts
        if lookup == "range":
            return bool(parts[0] <= value <= parts[1])
        return _COMPARE[lookup](value, parts[0])

    return test


def _text_test(target: Field, inner: Sequence[str], holds: Callable[[str, str], bool], part: str) -> Test:
    def test(values: Mapping[str, Any]) -> bool:
        raw = value_at(target, inner, values)
        return raw is not None and holds(str(raw), part)

    return test


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "y": True, "false": False, "0": False, "n": False}
    if str(value).lower() not in words:
        raise ValueError(value)
    return words[str(value).lower()]
