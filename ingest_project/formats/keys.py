"""Primary keys: canonical bytes, the 16-byte hash that orders and finds them, and the text people read.

A key is computed from decoded values (strings unescaped, numbers canonical, binaries decoded), so that two
spellings of one key are one key. No JSON is read here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from ingest_project.formats.numbers import canonical

HASH_BYTES = 16
ID_BYTES = 512
"""OpenSearch takes ids up to this length."""

PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024


class KeyPart(NamedTuple):
    """One attribute of a key.

    Attributes:
        kind: S, N or B.
        value: UTF-8 of the string, canonical text of the number, or the binary's own bytes.
    """

    kind: str
    value: bytes


def number_part(text: bytes) -> KeyPart:
    """The key part of a number's text; all spellings of a value give the same part."""
    return KeyPart("N", canonical(text))


def key_bytes(parts: Sequence[KeyPart]) -> bytes:
    """Unambiguous bytes of a key: kind, length (4, big-endian) and value of each part."""
    return b"".join(kind.encode() + len(value).to_bytes(4, "big") + value for kind, value in parts)


def key_hash(parts: Sequence[KeyPart]) -> bytes:
    """BLAKE2b of ``key_bytes``, 16 bytes: 2**64 keys are needed for an even chance of one collision."""
    return blake2b(key_bytes(parts), digest_size=HASH_BYTES).digest()


def string_key_hash(value: bytes) -> bytes:
    """``key_hash`` of a key of one string, given as UTF-8 (the usual key, on the fast path)."""
    return blake2b(b"S%b%b" % (len(value).to_bytes(4, "big"), value), digest_size=HASH_BYTES).digest()


def key_text(parts: Sequence[KeyPart]) -> str:
    """Readable and unambiguous: the value alone, or ``partition|sort`` with ``|`` and ``\\`` escaped."""
    texts = [_part_text(part) for part in parts]
    if len(texts) == 1:
        return texts[0]
    return "|".join(text.replace("\\", "\\\\").replace("|", "\\|") for text in texts)


def document_id(parts: Sequence[KeyPart]) -> str:
    """The key as an OpenSearch ``_id``: its text, or ``blake2b:`` and its hash when that is too long."""
    text = key_text(parts)
    if len(text) <= ID_BYTES // 4 or len(text.encode()) <= ID_BYTES:
        return text
    return "blake2b:" + key_hash(parts).hex()


def _part_text(part: KeyPart) -> str:
    return b64encode(part.value).decode() if part.kind == "B" else part.value.decode()
