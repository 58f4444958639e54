"""An independent and slow word on what becomes of a row: the json module, Decimal, a dict. Shares no code
with the entity; how attributes are spelled it says again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expected(raw: bytes, types: Mapping[str, str]) -> dict[str, Any]:
    """The attributes of a good row. JSON texts are given as what they say.

    Args:
        types: Field -> type, in the words of the API's description.
    """
    row = json.loads(raw, parse_float=Decimal)
    made: dict[str, Any] = {}
    for name, value in row.items():
        kind = types[name]
        if kind == "relation":
            made[name] = value["id"] if isinstance(value, dict) else value
            made[name[: -len("_id")] + "_key"] = value.get("key") if isinstance(value, dict) else None
        elif kind == "set":
            made[name] = value
            made[name + "_count"] = len(value) if isinstance(value, list) else _counted(value)
        elif kind == "decimal":
            made[name] = None if value is None else Decimal(value)
        else:
            made[name] = value
    made["version"] = version(row["mod_ts"])
    return made


def _counted(value: Any) -> int | None:
    return value.get("result_count", value.get("count")) if isinstance(value, dict) else None


def version(moment: str) -> int:
    """Two for each microsecond, counted in whole numbers."""
    found = datetime.fromisoformat(moment).astimezone(UTC)
    gone = found - EPOCH
    return 2 * ((gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds)


def read(line: bytes, types: Mapping[str, str]) -> dict[str, Any]:
    """The attributes of a part line as values; numbers without a fraction are whole."""
    item = json.loads(line)["Item"]
    return {name: _value(typed, types.get(name, "")) for name, typed in item.items()}


def _value(typed: Mapping[str, Any], kind: str) -> Any:
    ((tag, value),) = typed.items()
    if tag == "N":
        return Decimal(value)
    if tag == "NULL":
        return None
    return json.loads(value, parse_float=Decimal) if kind in ("set", "object") else value


def digits(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with numbers as their digits: 12.0000 and 12 are not the same."""
    return {
        name: str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
        for name, value in values.items()
    }
