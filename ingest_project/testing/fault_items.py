"""How large DynamoDB counts an item: names and values as the service's pages describe them.

An approximation: numbers are counted as one byte for two significant digits, one more, and one for a minus;
compression of numbers with trailing zeros and the 100 bytes of index entries are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NESTED, MEMBER = 3, 1


def item_size(item: Mapping[str, Any]) -> int:
    """Bytes of an item in typed JSON."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(typed: Mapping[str, Any]) -> int:
    """Bytes of one value, ``{"S": "text"}``."""
    ((kind, value),) = typed.items()
    if kind == "S":
        return len(value.encode())
    if kind == "N":
        return _number_size(value)
    if kind == "B":
        return len(value.rstrip("=")) * 3 // 4
    if kind == "L":
        return NESTED + sum(MEMBER + value_size(one) for one in value)
    if kind == "M":
        return NESTED + len(value) * MEMBER + item_size(value)
    if kind in ("SS", "NS", "BS"):
        return sum(value_size({kind[0]: one}) for one in value)
    return 1


def _number_size(text: str) -> int:
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + mantissa.startswith("-")
