"""Texts of the export -> values: money, whole numbers, dates. What is not understood is refused, nothing is
ever guessed or made zero."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

from ingest_project.formats.attribute_values import Value

EXACT = Context(prec=100, traps=[Inexact, InvalidOperation, Overflow])
"""Sums of money are exact or fail; no sum of numbers of 38 digits needs more."""

_NUMBER = re.compile(r"-?[0-9]{1,38}(?:\.[0-9]{1,38})?")
_WHOLE = re.compile(r"[0-9]{1,18}")
_TIME = re.compile(r"(\d{1,2}) +([A-Za-z]+)\.? +(\d{4}), *(\d{1,2}):(\d{2})(?::(\d{2}))?")

_ENGLISH = "january february march april may june july august september october november december"
_INDONESIAN = "januari februari maret april mei juni juli agustus september oktober november desember"
_SHORT = {"peb": 2, "agu": 8, "agt": 8, "ags": 8, "nop": 11, "nopember": 11, "pebruari": 2, "sept": 9}


def _months() -> Mapping[str, int]:
    numbers = dict(_SHORT)
    for names in (_ENGLISH, _INDONESIAN):
        for number, name in enumerate(names.split(), 1):
            numbers[name] = numbers[name[:3]] = number
    return numbers


MONTHS = _months()
"""Name of a month, English or Indonesian, whole or short -> its number."""


def money(text: str) -> Decimal:
    """``15.75`` -> that number, digit for digit.

    Raises:
        ValueError: It is none; thousands separators are not guessed at, ``15.000`` is fifteen.
    """
    text = text.strip()
    if not text:
        raise ValueError("it is empty, a number is needed")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number")
    return Decimal(text)


def whole(text: str) -> int:
    """A number of pieces, at least one. Raises ValueError."""
    text = text.strip()
    number = int(text) if _WHOLE.fullmatch(text) else 0
    if number < 1:
        raise ValueError(f"{text[:40]!r} is not a whole number of at least 1")
    return number


def moment(text: str) -> str:
    """``02 January 2006, 15:04:05`` -> ``2006-01-02T15:04:05``, local time. Raises ValueError."""
    found = _TIME.fullmatch(text.strip())
    month = MONTHS.get(found[2].casefold()) if found else None
    if found is None or month is None:
        raise ValueError(f"{text.strip()[:40]!r} is not a time like '02 January 2006, 15:04:05'")
    day, year, hour, minute, second = (int(found[at] or 0) for at in (1, 3, 4, 5, 6))
    try:
        return f"{date(year, month, day).isoformat()}T{time(hour, minute, second).isoformat()}"
    except ValueError as error:
        raise ValueError(f"{text.strip()!r}: {error}") from None


def invoice(text: str) -> str:
    """The channel's invoice code without the ``'`` that keeps a spreadsheet from taking it for a number."""
    return text.strip().removeprefix("'").strip()


def total(numbers: list[Decimal]) -> Decimal:
    """Their exact sum."""
    result = Decimal(0)
    for number in numbers:
        result = EXACT.add(result, number)
    return result


def plain(number: Decimal) -> Decimal:
    """The same value in its shortest spelling: 31.50 -> 31.5, so that equal sums are equal texts."""
    return Decimal(format(number.normalize(EXACT), "f")) if number else Decimal(0)


def untyped(item: Mapping[str, Mapping[str, object]]) -> dict[str, Value]:
    """A DynamoDB-typed item as values; numbers are Decimals."""
    return {name: _value(typed) for name, typed in item.items()}


def _value(typed: object) -> Value:
    if not isinstance(typed, dict) or len(typed) != 1:
        raise TypeError(f"{typed!r} is no typed value")
    ((kind, value),) = typed.items()
    if kind == "N":
        return Decimal(value)
    if kind == "S":
        return str(value)
    if kind == "BOOL":
        return bool(value)
    if kind == "NULL":
        return None
    if kind == "L":
        return [_value(one) for one in value]
    if kind == "M":
        return {name: _value(one) for name, one in value.items()}
    raise TypeError(f"values of type {kind} are not written here")
