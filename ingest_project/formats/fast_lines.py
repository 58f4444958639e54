"""Records -> part lines by templates that are learned on the way: the fast way to what dynamodb_json says.

Nothing is refused here: a record that no template knows goes the exact way.
"""

from __future__ import annotations

from ingest_project.core.model import KeySchema
from ingest_project.formats.dynamodb_json import SURELY_SMALL, unwrap
from ingest_project.formats.json_tree import parse
from ingest_project.formats.keys import PARTITION_KEY_BYTES, SORT_KEY_BYTES, key_hash, string_key_hash
from ingest_project.formats.plain_json import key_part
from ingest_project.formats.record_shape import Shape, Unshaped, record_shape
from ingest_project.formats.shelf import ITEM, LINE_MODE, PLAIN_MODES, TYPED_MODES, KeyedTemplate, Mode, Shelf
from ingest_project.formats.template import TYPED
from ingest_project.formats.typed_values import is_typed

_LIMITS = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)
_IMPURE = bytes.maketrans(bytes(range(32)) + b"\\", b"!" * 33)
"""Changes every text with a control character or a backslash in it."""

Encoded = tuple[bytes, bytes]
"""A part line and the hash of its key."""


class RecordTemplate:
    """Makes part lines of records of one shape; typed records are checked and passed through."""

    def __init__(self, shape: Shape, mode: Mode, keys: KeySchema) -> None:
        self.shape, self.mode, self._keys = shape, mode, keys
        self._template = KeyedTemplate(shape, mode, keys, None if mode.typed else (TYPED, ITEM))
        self._one_string = [kind for _, kind in keys.parts] == ["S"]

    def encode(self, text: bytes, pure: bool) -> Encoded | None:
        """The part line and key hash of a UTF-8 record, or None."""
        found = self._template.match(text, pure)
        if found is None:
            return None
        digest = self._hash(found.key, pure)
        if digest is None:
            return None
        if not self.mode.typed:
            return found.template.fill(found.groups), digest
        return (text if self.mode == LINE_MODE else b'{"Item":%b}' % text), digest

    def _hash(self, literals: list[bytes], pure: bool) -> bytes | None:
        if self._one_string and pure:
            value = literals[0][1:-1]
            return string_key_hash(value) if 0 < len(value) <= PARTITION_KEY_BYTES else None
        parts = []
        for literal, (_, kind), limit in zip(literals, self._keys.parts, _LIMITS, strict=False):
            part = key_part(kind, literal)
            if not 0 < len(part.value) <= limit:
                return None
            parts.append(part)
        return key_hash(parts)


class LineTemplates:
    """The templates of one chunk's records."""

    def __init__(self, keys: KeySchema) -> None:
        self._keys = keys
        self._shelf: Shelf[Encoded] = Shelf(lambda shape, mode: RecordTemplate(shape, mode, keys))

    def encode(self, raw: bytes) -> Encoded | None:
        """The part line and the key hash of a record, or None when no template knows it."""
        if len(raw) > SURELY_SMALL:
            return None
        if not raw.isascii():
            try:
                raw.decode()
            except UnicodeDecodeError:
                return None
        return self._shelf.find(raw, raw.translate(_IMPURE) == raw)

    def learn(self, raw: bytes) -> None:
        """Looks at a record that no template knew and that the exact way let through."""
        if not self._shelf.learning or len(raw) > SURELY_SMALL:
            return
        record = unwrap(parse(raw), self._keys)
        typed = is_typed(record)
        try:
            shape = record_shape(record, typed)
        except Unshaped:
            return
        self._shelf.learn(raw, raw.translate(_IMPURE) == raw, shape, TYPED_MODES if typed else PLAIN_MODES)
