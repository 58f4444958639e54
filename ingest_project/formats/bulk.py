"""Part lines -> OpenSearch bulk bodies: an action line with the key's ``_id`` and the document behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, repeat
from threading import Lock

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.forms import PLAIN
from ingest_project.formats.json_tree import parse
from ingest_project.formats.keys import ID_BYTES, document_id, key_text
from ingest_project.formats.plain_json import attributes, document, item_key, key_part, line_key
from ingest_project.formats.record_shape import Shape, Unshaped, typed_shape
from ingest_project.formats.shelf import (
    LINE_MODE,
    OBJECT,
    KeyedTemplate,
    Mode,
    Shelf,
    Swept,
    laid,
    samples,
    spread,
)
from ingest_project.formats.template import Row
from ingest_project.formats.typed_values import TYPES

BulkBodies = tuple[Sequence[bytes], Mapping[int, str]]
"""Bodies, one for each line, and the reasons of lines (by index) that can have none; there are none here."""

GROUP_BYTES = 96 * 1024
"""Of lines that are taken apart together: their pieces and bodies stay in the processor's near cache."""

MOST_IN_VAIN = 3
"""Groups in a row that held other shapes too, after which a template looks at lines one by one."""

MOST_STREAMS = 256
"""Streams after which what may learn no more is made anew: others may have come. To learn wide records takes
as long as to make 10,000 bodies of them the exact way."""

_ACTION = b'{"index":{"_id":'
_BEHIND_ID = b"}}\n"

_encode_id = msgspec.json.Encoder().encode


def bulk_body(line: bytes, keys: KeySchema) -> bytes:
    """``{"index":{"_id":...}}``, a line break, the plain document, a line break."""
    item = attributes(line)
    name = _encode_id(document_id(item_key(item, keys)))
    return b"".join((_ACTION, name, _BEHIND_ID, document(item), b"\n"))


def bulk_encoder(keys: KeySchema) -> Callable[[Sequence[bytes]], BulkBodies]:
    """An encoder for core.streaming.PartStream that makes bulk bodies under this key."""
    return BulkEncoders().of(keys)


class BulkEncoders:
    """Makes encoders, one a stream, that share what they have learned: wide records take a second of it, and
    a stream may have a thousand records only. Streams may be read by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[KeySchema, _Bodies] = {}

    def of(self, keys: KeySchema) -> Callable[[Sequence[bytes]], BulkBodies]:
        """An encoder for core.streaming.PartStream."""
        with self._lock:
            bodies = self._known.get(keys)
            if bodies is None or (not bodies.learning and bodies.streams >= MOST_STREAMS):
                bodies = self._known[keys] = _Bodies(keys)
            bodies.streams += 1

        def encode(lines: Sequence[bytes]) -> BulkBodies:
            with self._lock:
                return bodies.of(lines), {}

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
        # A part of a line can begin like a whole one only where the first name is that of a type.
        self._vain = 0 if TYPES.isdisjoint(one.name for one in shape.members or ()) else MOST_IN_VAIN
        self._kinds = [kind for _, kind in keys.parts]
        document = (_BEHIND_ID + OBJECT[0], OBJECT[1] + b"\n")
        self._keyed = KeyedTemplate(shape, mode, keys, (PLAIN, document))

    def encode(self, texts: Sequence[bytes], pure: bool) -> Swept:
        """Bulk bodies of part lines."""
        rows, missed = self._rows(texts, pure)
        names = self._names([[row[place] for row in rows] for place in self._keyed.places])
        bodies = self._keyed.template(pure).fill_behind([_ACTION + name for name in names], rows)
        spread((bodies,), missed)
        return Swept((bodies,), missed)

    def _rows(self, texts: Sequence[bytes], pure: bool) -> tuple[list[Row], list[int]]:
        """What the groups of the pattern found in each text that matches, and the others' indices."""
        if self._vain < MOST_IN_VAIN:
            rows = self._keyed.template(pure).rows(texts)
            if rows is not None:
                self._vain = 0
                return rows, []
            self._vain += 1
        matches, missed = self._keyed.find(texts, pure)
        return [match.groups(b"") for match in matches], missed

    def _names(self, columns: Sequence[Sequence[bytes]]) -> Sequence[bytes]:
        """JSON strings."""
        first = columns[0]
        short = self._kinds == ["S"] and max(map(len, first), default=0) <= ID_BYTES
        if short and b"\\" not in b"".join(first):
            return first
        parts = [
            list(map(key_part, repeat(kind), column))
            for kind, column in zip(self._kinds, columns, strict=True)
        ]
        return [_encode_id(document_id(row)) for row in zip(*parts, strict=True)]


class _Bodies:
    """Bulk bodies under one key."""

    def __init__(self, keys: KeySchema) -> None:
        self._keys, self.streams = keys, 0
        self._shelf = Shelf(lambda shape, mode: BulkTemplate(shape, mode, keys), width=1)

    @property
    def learning(self) -> bool:
        """Whether it can learn more."""
        return self._shelf.learning

    def of(self, lines: Sequence[bytes]) -> list[bytes]:
        step = max(1, len(lines) * GROUP_BYTES // max(1, sum(map(len, lines))))
        groups = (lines[first : first + step] for first in range(0, len(lines), step))
        return list(chain.from_iterable(map(self._group, groups)))

    def _group(self, lines: Sequence[bytes]) -> list[bytes]:
        [bodies], missed = self._known(lines)
        while missed:
            at, missed = missed[0], missed[1:]
            bodies[at] = bulk_body(lines[at], self._keys)
            others = [lines[place] for place in missed]
            if self._shelf.learning and self._teach(samples([lines[at], *others])):
                missed = laid(self._known(others), missed, (bodies,))
        return bodies

    def _known(self, lines: Sequence[bytes]) -> Swept:
        return self._shelf.sweep(lines, b"\\" not in b"".join(lines))

    def _teach(self, lines: Sequence[bytes]) -> bool:
        """Whether there is a template now that there was not."""
        shapes = list(map(_shape, lines))
        known = [shape for shape in shapes if shape is not None]
        return shapes[0] is not None and self._shelf.learn(lines[0], known, (LINE_MODE,))


def _shape(line: bytes) -> Shape | None:
    tree = parse(line)
    try:
        return typed_shape({"M": tree["Item"]}) if isinstance(tree, dict) else None
    except Unshaped:
        return None
