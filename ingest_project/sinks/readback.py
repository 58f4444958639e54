"""Reading back: what a target holds against what was validated, value by value and digit for digit.

Compares only; fetching belongs to tables and indexes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from decimal import Context
from typing import Any

from ingest_project.core.model import KeySchema

_EXACT = Context(prec=60)
"""DynamoDB's numbers have 38 digits; nothing is rounded at 60."""


def typed_key(line: bytes, keys: KeySchema) -> dict[str, Any]:
    """The key attributes of a part line, typed, as BatchGetItem wants them."""
    item = json.loads(line)["Item"]
    return {name: item[name] for name, _ in keys.parts}


def item_differences(
    found: Sequence[Mapping[str, Any]], lines: Sequence[bytes], keys: KeySchema
) -> list[str]:
    """One text for each line whose item is missing among ``found`` or not equal to it.

    Numbers are equal when their values are, exactly: DynamoDB spells ``1.0`` as ``1``. Sets have no order.
    """
    stored = {_identity(item, keys): item for item in found}
    texts: list[str] = []
    for line in lines:
        wanted = json.loads(line)["Item"]
        name = ", ".join(f"{part}={next(iter(wanted[part].values()))}" for part, _ in keys.parts)
        item = stored.get(_identity(wanted, keys))
        if item is None:
            texts.append(f"item {name}: missing")
            continue
        differing = sorted(
            attribute
            for attribute in wanted.keys() | item.keys()
            if canonical(wanted.get(attribute, {})) != canonical(item.get(attribute, {}))
        )
        if differing:
            texts.append(f"item {name}: {', '.join(differing)} not equal to the validated record")
    return texts


def standing_lines(
    found: Sequence[Mapping[str, Any]], lines: Sequence[bytes], keys: KeySchema, version: str
) -> list[bytes]:
    """The lines over which nothing newer stands among ``found``."""
    stored = {_identity(item, keys): int(item[version]["N"]) for item in found if version in item}
    return [
        line
        for line in lines
        if stored.get(_identity(item := json.loads(line)["Item"], keys), 0) <= int(item[version]["N"])
    ]


def canonical(value: Mapping[str, Any]) -> object:
    """A typed value as something that compares by value: exact numbers, bytes, sets without order."""
    return tuple((kind, _canonical(kind, inner)) for kind, inner in value.items())


def _canonical(kind: str, inner: Any) -> object:
    if kind == "N":
        return _EXACT.create_decimal(inner)
    if kind == "B":
        return base64.b64decode(inner)
    if kind in ("NS", "SS", "BS"):
        return frozenset(_canonical(kind[0], member) for member in inner)
    if kind == "L":
        return tuple(canonical(member) for member in inner)
    if kind == "M":
        return {name: canonical(member) for name, member in inner.items()}
    return inner


def _identity(item: Mapping[str, Any], keys: KeySchema) -> tuple[object, ...]:
    return tuple(canonical(item[name]) for name, _ in keys.parts)
