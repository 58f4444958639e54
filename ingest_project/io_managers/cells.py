"""Keys of the date x file_chunk grid: how a slot of a date is written and read. Nothing else."""

from __future__ import annotations

import dagster as dg


def slot_key(slot: int) -> str:
    """Slot 3 -> ``"03"``: fixed width, so that text order is slot order."""
    return f"{slot:02d}"


def cell(day: str, slot: int) -> dg.MultiPartitionKey:
    """The grid's key of one slot of one date. Dagster joins dimensions in the order of their names: date
    first."""
    return dg.MultiPartitionKey({"date": day, "file_chunk": slot_key(slot)})


def parse_cell(key: str) -> tuple[str, int]:
    """``"2026-11-22|03"`` -> ``("2026-11-22", 3)``."""
    day, slot = key.split("|")
    return day, int(slot)
