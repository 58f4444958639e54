"""Part lines -> plain JSON documents with exact numbers, and the key of a part line.

Part lines were checked when they were written: here nothing is checked again, only taken apart.
"""

from __future__ import annotations

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.json_tree import decode_text
from ingest_project.formats.keys import KeyPart, number_part
from ingest_project.formats.numbers import legal_json
from ingest_project.formats.typed_values import binary

Typed = dict[str, msgspec.Raw]
"""A typed value, its one entry still text."""

_NULL = msgspec.Raw(b"null")


class _PartLine(msgspec.Struct):
    item: dict[str, Typed] = msgspec.field(name="Item")


_line = msgspec.json.Decoder(_PartLine).decode
_map = msgspec.json.Decoder(dict[str, Typed]).decode
_list = msgspec.json.Decoder(list[Typed]).decode
_texts = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode


def attributes(line: bytes) -> dict[str, Typed]:
    """The attributes of a part line, values still text."""
    return _line(line).item


def document(attributes: dict[str, Typed]) -> bytes:
    """One plain JSON object: strings as they stand, numbers unquoted, binaries as base64 strings, sets as
    arrays. A number that JSON would spell otherwise (``007``) is spelled so."""
    return _encode({name: _plain(value) for name, value in attributes.items()})


def plain_document(line: bytes) -> bytes:
    """``document`` of a part line."""
    return document(attributes(line))


def item_key(item: dict[str, Typed], keys: KeySchema) -> tuple[KeyPart, ...]:
    """The canonical key among the attributes of a part line."""
    return tuple(key_part(kind, bytes(item[name][kind])) for name, kind in keys.parts)


def line_key(line: bytes, keys: KeySchema) -> tuple[KeyPart, ...]:
    """The canonical key of a part line."""
    return item_key(attributes(line), keys)


def key_part(kind: str, literal: bytes) -> KeyPart:
    """The key part of a checked literal; a number's may stand with or without its quotes."""
    if kind == "N":
        return number_part(literal.strip(b'"'))
    return KeyPart(kind, binary(literal) if kind == "B" else decode_text(literal).encode())


def _plain(value: Typed) -> object:
    [(kind, text)] = value.items()
    if kind == "N":
        return msgspec.Raw(legal_json(bytes(text)[1:-1]))
    if kind == "M":
        return {name: _plain(inner) for name, inner in _map(text).items()}
    if kind == "L":
        return [_plain(inner) for inner in _list(text)]
    if kind == "NS":
        return [msgspec.Raw(legal_json(number.encode())) for number in _texts(text)]
    return _NULL if kind == "NULL" else text
