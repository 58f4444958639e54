"""Hashes of many keys at once: the same as formats.keys gives one by one, for literals taken from records.

Which literals are legal is known; escapes are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from ingest_project.formats.keys import (
    HASH_BYTES,
    PARTITION_KEY_BYTES,
    SORT_KEY_BYTES,
    KeyPart,
    key_bytes,
)
from ingest_project.formats.plain_json import key_part

_LIMITS = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)


class _Hashers(dict[int, blake2b]):
    """Length of a string -> a hash that has taken what stands before it in a key of that string alone."""

    def __missing__(self, size: int) -> blake2b:
        made = self[size] = blake2b(b"S" + size.to_bytes(4, "big"), digest_size=HASH_BYTES)
        return made


_HASHERS = _Hashers()


def key_hashes(kinds: Sequence[str], columns: Sequence[Sequence[bytes]]) -> list[bytes]:
    """``key_hash`` of each row of literals; empty where a part of the key is empty or too long.

    Args:
        kinds: Of the key's parts: S, N or B.
        columns: For each part its literals.
    """
    if len(kinds) == 1 and kinds[0] == "S":
        return _string_hashes(_values("S", columns[0]))
    parts = [
        [
            key_bytes((KeyPart(kind, value),)) if 0 < len(value) <= limit else b""
            for value in _values(kind, column)
        ]
        for kind, column, limit in zip(kinds, columns, _LIMITS, strict=False)
    ]
    return [
        blake2b(b"".join(row), digest_size=HASH_BYTES).digest() if all(row) else b""
        for row in zip(*parts, strict=True)
    ]


def _string_hashes(values: Sequence[bytes]) -> list[bytes]:
    hashes = []
    for value in values:
        size = len(value)
        if not 0 < size <= PARTITION_KEY_BYTES:
            hashes.append(b"")
            continue
        hasher = _HASHERS[size].copy()
        hasher.update(value)
        hashes.append(hasher.digest())
    return hashes


def _values(kind: str, literals: Sequence[bytes]) -> list[bytes]:
    """The bytes that count in a key."""
    if kind == "S" and b"\\" not in b"".join(literals):
        return [literal[1:-1] for literal in literals]
    if kind == "N":
        return [literal if literal.isdigit() else key_part(kind, literal).value for literal in literals]
    return [key_part(kind, literal).value for literal in literals]
