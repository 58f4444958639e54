"""The key of a part line, in the forms that stores and people want it in."""

from __future__ import annotations

from ingest_project.core.model import KeySchema
from ingest_project.formats.json_tree import decode_text
from ingest_project.formats.keys import KeyPart, id_text, key_text, number_part
from ingest_project.formats.plain_json import Typed, attributes
from ingest_project.formats.typed_values import binary


def key_parts(item: dict[str, Typed], keys: KeySchema) -> tuple[KeyPart, ...]:
    """The canonical key among the attributes of a part line."""
    return tuple(_key_part(kind, bytes(item[name][kind])) for name, kind in keys.parts)


def line_key(line: bytes, keys: KeySchema) -> str:
    """The readable key of a part line."""
    return key_text(key_parts(attributes(line), keys))


def document_id(line: bytes, keys: KeySchema) -> str:
    """The OpenSearch ``_id`` of a part line."""
    return id_text(key_parts(attributes(line), keys))


def typed_key(line: bytes, keys: KeySchema) -> dict[str, dict[str, str]]:
    """The key of a part line as GetItem wants it, e.g. ``{"id": {"S": "1"}}``."""
    item = attributes(line)
    return {name: {kind: decode_text(bytes(item[name][kind]))} for name, kind in keys.parts}


def _key_part(kind: str, literal: bytes) -> KeyPart:
    if kind == "N":
        return number_part(literal[1:-1])
    return KeyPart(kind, binary(literal) if kind == "B" else decode_text(literal).encode())
