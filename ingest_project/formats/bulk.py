"""Part lines -> OpenSearch bulk bodies: an action line with the key's ``_id`` and the document behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.keys import document_id, key_text
from ingest_project.formats.plain_json import attributes, document, item_key, line_key

BulkBodies = tuple[Sequence[bytes], Mapping[int, str]]
"""Bodies, one for each line, and the reasons of lines (by index) that can have none; there are none here."""

_encode_id = msgspec.json.Encoder().encode


def bulk_body(line: bytes, keys: KeySchema) -> bytes:
    """``{"index":{"_id":...}}``, a line break, the plain document, a line break."""
    item = attributes(line)
    name = _encode_id(document_id(item_key(item, keys)))
    return b'{"index":{"_id":%b}}\n%b\n' % (name, document(item))


def bulk_encoder(keys: KeySchema) -> Callable[[Sequence[bytes]], BulkBodies]:
    """An encoder for core.streaming.PartStream that makes bulk bodies under this key."""

    def encode(lines: Sequence[bytes]) -> BulkBodies:
        return [bulk_body(line, keys) for line in lines], {}

    return encode


def key_reader(keys: KeySchema) -> Callable[[bytes], str]:
    """Part line -> readable key, for dead letters."""

    def key_of(line: bytes) -> str:
        return key_text(line_key(line, keys))

    return key_of
