"""Part lines -> OpenSearch bulk bodies: an action line with the key's ``_id`` and the document behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.keys import id_text
from ingest_project.formats.keys_of_lines import key_parts
from ingest_project.formats.plain_json import attributes, document

BulkBodies = tuple[Sequence[bytes], Mapping[int, str]]
"""Bodies, one for each line, and the reasons of lines (by index) that can have none; there are none here."""

_encode_id = msgspec.json.Encoder().encode


def bulk_body(line: bytes, keys: KeySchema) -> bytes:
    """``{"index":{"_id":...}}``, a line break, the plain document, a line break."""
    item = attributes(line)
    return b'{"index":{"_id":%b}}\n%b\n' % (_encode_id(id_text(key_parts(item, keys))), document(item))


def bulk_encoder(keys: KeySchema) -> Callable[[Sequence[bytes]], BulkBodies]:
    """An encoder for core.streaming.PartStream that makes bulk bodies under this key."""

    def encode(lines: Sequence[bytes]) -> BulkBodies:
        return [bulk_body(line, keys) for line in lines], {}

    return encode
