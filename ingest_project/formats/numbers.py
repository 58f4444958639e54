"""Exact decimal numbers by their text: DynamoDB's limits, one canonical form, legal JSON. Never a float.

The limits are those of the DynamoDB developer guide ("Supported data types", "Item sizes and formats"):
at most 38 significant digits, leading and trailing zeros not counted (``1000...0`` and ``0.10`` have one),
magnitude zero or 1E-130 to 9.99...E+125.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_DIGITS = 38
MIN_EXPONENT = -130
MAX_EXPONENT = 125

JSON_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
"""A number as JSON spells it."""

_DECIMAL = re.compile(rb"([+-]?)([0-9]*+)(?:\.([0-9]*+))?(?:[eE]([+-]?)([0-9]++))?")
_LONGEST_EXPONENT = 12
_PLAIN_EXPONENTS = range(-7, 39)
_SHOWN = 60


class Decimal10(NamedTuple):
    """A number taken apart: ``(-1 if negative) * d.ddd * 10 ** exponent``.

    Attributes:
        digits: Significant digits without leading and trailing zeros; empty for zero.
        exponent: Power of ten of the first digit; 0 for zero.
    """

    negative: bool
    digits: bytes
    exponent: int


def take_apart(text: bytes) -> Decimal10 | None:
    """The exact value of a number's text, or None when it is no number.

    The grammar is that of DynamoDB's N (``+1``, ``007``, ``.5`` and ``5.`` are numbers), wider than JSON's.
    An absurdly long exponent is cut to 12 digits, far outside of every limit.
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction, exponent_sign, exponent = match.groups(b"")
    digits = whole + fraction
    if not digits:
        return None
    significant = digits.lstrip(b"0")
    if not significant:
        return Decimal10(False, b"", 0)
    power = int(exponent.lstrip(b"0")[:_LONGEST_EXPONENT] or b"0")
    power = -power if exponent_sign == b"-" else power
    first = len(whole) - (len(digits) - len(significant)) - 1
    return Decimal10(sign == b"-", significant.rstrip(b"0"), first + power)


def fault(text: bytes) -> str:
    """What keeps the text from being stored as a DynamoDB number; empty when nothing does."""
    if len(text) <= MAX_DIGITS and text.isdigit():
        return ""
    value = take_apart(text)
    if value is None:
        return f"{shown(text)} is not a number"
    if len(value.digits) > MAX_DIGITS:
        return (
            f"number {shown(text)} has {len(value.digits)} significant digits, at most {MAX_DIGITS} are kept"
        )
    if value.exponent > MAX_EXPONENT:
        return f"number {shown(text)} is too large, its magnitude may be at most 9.99E+{MAX_EXPONENT}"
    if value.exponent < MIN_EXPONENT:
        return f"number {shown(text)} is too close to zero, its magnitude must be at least 1E{MIN_EXPONENT}"
    return ""


def canonical(text: bytes) -> bytes:
    """One text for each value, also legal JSON: ``1``, ``1.0`` and ``10e-1`` give ``1``, ``-0`` gives ``0``.

    Raises:
        ValueError: The text is no number.
    """
    value = take_apart(text)
    if value is None:
        raise ValueError(f"{shown(text)} is not a number")
    if not value.digits:
        return b"0"
    return (b"-" if value.negative else b"") + _spell(value.digits, value.exponent)


def legal_json(text: bytes) -> bytes:
    """The text itself when JSON has it, else its canonical form (``007`` and ``+7`` give ``7``)."""
    return text if JSON_NUMBER.fullmatch(text) else canonical(text)


def stored_bytes(text: bytes) -> int:
    """Bytes that the number counts for in an item: one for two significant digits, and one."""
    value = take_apart(text)
    return (len(value.digits) + 1) // 2 + 1 if value else 1


def shown(text: bytes) -> str:
    """The text for a message, shortened in the middle."""
    words = text.decode("utf-8", "backslashreplace")
    return words if len(words) <= _SHOWN else f"{words[:40]}...{words[-12:]} ({len(words)} characters)"


def _spell(digits: bytes, exponent: int) -> bytes:
    if exponent not in _PLAIN_EXPONENTS:
        fraction = b"." + digits[1:] if len(digits) > 1 else b""
        return digits[:1] + fraction + b"E%+d" % exponent
    if exponent < 0:
        return b"0." + b"0" * (-exponent - 1) + digits
    whole = exponent + 1
    if len(digits) <= whole:
        return digits + b"0" * (whole - len(digits))
    return digits[:whole] + b"." + digits[whole:]
