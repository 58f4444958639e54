"""DynamoDB items as bytes that are equal when the items are: for comparing and hashing them.

Numbers are equal when their values are, binaries when their bytes are, sets have no order. Reads typed values
as a service spells them; judges none.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from ingest_project.formats.numbers import canonical

_WHOLE = re.compile("[1-9][0-9]{0,17}|0", re.ASCII)
_encode = msgspec.json.Encoder(order="deterministic").encode


def item_bytes(item: Mapping[str, Any]) -> bytes:
    """The item, spelled in one way."""
    return _encode({name: _plain(value) for name, value in item.items()})


def item_digest(item: Mapping[str, Any]) -> bytes:
    """16 bytes that stand for the item."""
    return blake2b(item_bytes(item), digest_size=16).digest()


def _plain(value: Mapping[str, Any]) -> object:
    kind, inner = next(iter(value.items()))
    if kind == "S" or kind == "BOOL" or kind == "NULL":
        return value
    return {kind: _inner(kind, inner)}


def _inner(kind: str, inner: Any) -> object:
    if kind == "N":
        return inner if _WHOLE.fullmatch(inner) else canonical(inner.encode()).decode()
    if kind == "B":
        return _binary(inner)
    if kind in ("NS", "SS", "BS"):
        return sorted(str(_inner(kind[0], one)) for one in inner)
    if kind == "L":
        return [_plain(one) for one in inner]
    if kind == "M":
        return {name: _plain(one) for name, one in inner.items()}
    return inner


def _binary(text: str) -> str:
    """Base64 with its padding: servers leave it out, or not."""
    try:
        return base64.b64encode(base64.b64decode(text + "=" * (-len(text) % 4))).decode()
    except binascii.Error:
        return text
