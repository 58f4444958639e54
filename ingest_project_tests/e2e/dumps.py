"""The dumps that the browser tests drop: good ones, and one that was cut off. Made the same every time."""

from __future__ import annotations

import json

GOOD = {"messages": 2000, "orders": 700, "visitors": 400}
"""Table -> records in its dump; the last 50 of each are later versions of the first 50."""

TWICE = 50
BROKEN, BROKEN_RECORDS = "parcels", 300


def dump(records: int) -> bytes:
    """An ``{"Items": [...]}`` dump."""
    return json.dumps({"Items": [_item(number, records) for number in range(records)]}).encode()


def truncated(records: int) -> bytes:
    """The same, as a copy looks that broke off in the middle of a record."""
    whole = dump(records)
    return whole[: len(whole) - len(whole) // 10]


def _item(number: int, records: int) -> dict[str, object]:
    key = number % (records - TWICE)
    text = f"Message {key}, version {number // (records - TWICE) + 1}. " + "Nothing was lost on the way. " * 9
    return {"id": f"m-{key:05d}", "n": number, "price": "12.50", "weight": 1.25, "text": text, "tags": ["a"]}
