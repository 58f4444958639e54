"""Part lines -> OpenSearch bulk bodies: an action line with the key's ``_id`` and the document behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.json_tree import parse
from ingest_project.formats.keys import ID_BYTES, document_id, key_text
from ingest_project.formats.plain_json import attributes, document, item_key, key_part, line_key
from ingest_project.formats.record_shape import Shape, Unshaped, typed_shape
from ingest_project.formats.shelf import LINE_MODE, OBJECT, KeyedTemplate, Mode, Shelf
from ingest_project.formats.template import PLAIN

BulkBodies = tuple[Sequence[bytes], Mapping[int, str]]
"""Bodies, one for each line, and the reasons of lines (by index) that can have none; there are none here."""

_encode_id = msgspec.json.Encoder().encode


def bulk_body(line: bytes, keys: KeySchema) -> bytes:
    """``{"index":{"_id":...}}``, a line break, the plain document, a line break."""
    item = attributes(line)
    name = _encode_id(document_id(item_key(item, keys)))
    return b'{"index":{"_id":%b}}\n%b\n' % (name, document(item))


def bulk_encoder(keys: KeySchema) -> Callable[[Sequence[bytes]], BulkBodies]:
    """An encoder for core.streaming.PartStream that makes bulk bodies under this key; one for each stream."""
    shelf: Shelf[bytes] = Shelf(lambda shape, mode: BulkTemplate(shape, mode, keys))

    def body(line: bytes) -> bytes:
        found = shelf.find(line, b"\\" not in line)
        if found is None:
            found = bulk_body(line, keys)
            if shelf.learning:
                _teach(shelf, line)
        return found

    def encode(lines: Sequence[bytes]) -> BulkBodies:
        return list(map(body, lines)), {}

    return encode


def key_reader(keys: KeySchema) -> Callable[[bytes], str]:
    """Part line -> readable key, for dead letters."""

    def key_of(line: bytes) -> str:
        return key_text(line_key(line, keys))

    return key_of


class BulkTemplate:
    """Makes bulk bodies of part lines of one shape."""

    def __init__(self, shape: Shape, mode: Mode, keys: KeySchema) -> None:
        self.shape, self.mode = shape, mode
        self._kinds = [kind for _, kind in keys.parts]
        self._one_string = self._kinds == ["S"]
        self._template = KeyedTemplate(shape, mode, keys, (PLAIN, OBJECT))

    def encode(self, text: bytes, pure: bool) -> bytes | None:
        """The bulk body of a part line, or None."""
        found = self._template.match(text, pure)
        if found is None:
            return None
        name = found.key[0]
        if not (pure and self._one_string and len(name) <= ID_BYTES):
            name = _encode_id(document_id(list(map(key_part, self._kinds, found.key))))
        return b'{"index":{"_id":%b}}\n%b\n' % (name, found.template.fill(found.groups))


def _teach(shelf: Shelf[bytes], line: bytes) -> None:
    tree = parse(line)
    try:
        shape = typed_shape({"M": tree["Item"]}) if isinstance(tree, dict) else Shape()
    except Unshaped:
        return
    shelf.learn(line, b"\\" not in line, shape, (LINE_MODE,))
