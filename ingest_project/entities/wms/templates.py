"""Templates: one pattern over rows of one layout, and the part lines that it makes of them, all at once.

A match proves the whole row, names, order and values; what does not match goes the exact way (values), which
makes the same bytes. Patterns rely on it that a row is compact and legal JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.entities.wms import kinds
from ingest_project.entities.wms.values import (
    NOTHING,
    VERSION,
    attribute,
    count_attribute,
    count_of,
    key_attribute,
    version_of,
)
from ingest_project.formats.forms import PURE_STRING, STRING
from ingest_project.formats.key_columns import key_hashes
from ingest_project.formats.record_shape import Unshaped
from ingest_project.formats.template import Node, Piece, Row, Slot, Template
from ingest_project.formats.typed_values import name_text

MOST_KEPT = 64
"""Layouts kept in a process; one compiles in some 20 ms."""

_INTEGER = rb"-?(?:0|[1-9][0-9]{0,36}+)"
_ID = rb"(?:0|[1-9][0-9]{0,17}+)"
_DECIMAL = rb"-?(?:0|[1-9][0-9]{0,19}+)(?:\.[0-9]{1,18}+)?+"
"""At most 38 digits, as many as DynamoDB keeps."""
_DAY, _STAMP = kinds.DAY.encode(), (kinds.DAY + kinds.TIME).encode()
_RECENT = rb"(?=(?:19[89]|[2-9][0-9][0-9])[0-9]-)"
"""Years whose moments are surely behind 1970 in every offset."""

_quoted = msgspec.json.Encoder().encode

Layout = tuple[tuple[str, str], ...]
"""A row's fields in order, each with its kind; that is empty where a field was null in every row."""


class RowTemplate:
    """Rows of one layout -> part lines and key hashes.

    Args:
        pure: The rows hold no backslash.

    Raises:
        Unshaped: The layout lacks id, mod_ts or a part of the key, or they are not of the right kind.
    """

    def __init__(self, layout: Layout, keys: KeySchema, *, pure: bool) -> None:
        names = frozenset(name for name, _ in layout)
        wanted = {kinds.KEY, kinds.MOMENT, *(name for name, _ in keys.parts)}
        if not wanted <= names:
            raise Unshaped(f"no {', '.join(sorted(wanted - names))}")
        compiler = _Members(names, PURE_STRING if pure else STRING)
        pieces = [compiler.piece(name, kind) for name, kind in layout]
        nodes: list[Node] = [b'{"Item":{']
        for at, piece in enumerate(pieces):
            nodes += [b",", *piece.nodes] if at else piece.nodes
        pattern = rb"\{" + b",".join(piece.pattern for piece in pieces) + rb"\}"
        self._template = Template(Piece(pattern, (*nodes, b"}}")))
        self.match = self._template.match
        self._kinds = [kind for _, kind in keys.parts]
        self._places = [_key_place(layout, pieces, name, kind) for name, kind in keys.parts]

    def lines(self, rows: Sequence[Row]) -> list[bytes]:
        """The part lines of matches' groups."""
        return [
            line.replace(b'{"S":}', NOTHING).replace(b'{"N":""}', NOTHING).replace(b'{"BOOL":}', NOTHING)
            for line in self._template.fill(rows)
        ]

    def hashes(self, rows: Sequence[Row]) -> list[bytes]:
        """The hashes of their keys."""
        return key_hashes(self._kinds, [[row[place] for row in rows] for place in self._places])


@lru_cache(MOST_KEPT)
def row_template(layout: Layout, keys: KeySchema, pure: bool) -> RowTemplate | None:
    """The template, known in this process or made; None where there is none."""
    try:
        return RowTemplate(layout, keys, pure=pure)
    except Unshaped:
        return None


def _key_place(layout: Layout, pieces: Sequence[Piece], name: str, kind: str) -> int:
    """The group that holds a part of the key."""
    at = next(at for at, (field, _) in enumerate(layout) if field == name)
    required = {kinds.KEY: "N", kinds.MOMENT: "S"}
    if required.get(name) != kind:
        raise Unshaped(f"the key {name} is not always there, or not {kind}")
    return sum(isinstance(node, Slot) for piece in pieces[:at] for node in piece.nodes)


class _Members:
    """Makes a piece of each field. Values that are null leave their group empty, which makes texts that stand
    in no string and in no value: RowTemplate.lines makes nulls of them."""

    def __init__(self, names: frozenset[str], string: bytes) -> None:
        self._names, self._string, self._relations = names, string, 0
        # Three levels of brackets, without looking at what stands between them: it is legal JSON.
        inside = rb'(?:[^\[\]{}"]++|' + string + rb")*+"
        for _ in range(2):
            inside = rb'(?:[^\[\]{}"]++|' + string + rb"|[\[{]" + inside + rb"[\]}])*+"
        self._container = rb"(?:([\[{]" + inside + rb"[\]}])|null)"
        self._patterns: Mapping[str, bytes] = {
            kinds.TEXT: rb"(?:(" + string + rb")|null)",
            kinds.INTEGER: rb"(?:(" + _INTEGER + rb")|null)",
            # Quotes are even in legal JSON.
            kinds.DECIMAL: rb'(?:"?+(' + _DECIMAL + rb')"?+|null)',
            kinds.BOOLEAN: rb"(?:(true|false)|null)",
            kinds.TIMESTAMP: rb'(?:("' + _STAMP + rb'")|null)',
            kinds.DATE: rb'(?:("' + _DAY + rb'")|null)',
            kinds.OBJECT: self._container,
        }

    def piece(self, name: str, kind: str) -> Piece:
        """What a member looks like, and what is made of it."""
        head = re.escape(name_text(name) + b":")
        own = name_text(attribute(name)) + b":"
        if name == kinds.KEY and kind == kinds.INTEGER:
            return Piece(head + b"(" + _ID + b")", (own + b'{"N":"', Slot(), b'"}'))
        if name == kinds.MOMENT and kind == kinds.TIMESTAMP:
            pattern = head + b'("' + _RECENT + _STAMP + b'")'
            return Piece(pattern, (own + b'{"S":', Slot(_versions), b"}"))
        if name in (kinds.KEY, kinds.MOMENT):
            raise Unshaped(f"{name} is {kind}")
        if not kind:
            return Piece(head + kinds.NULL, (own + NOTHING,))
        if kind == kinds.RELATION:
            return self._relation(name, head, own)
        if kind == kinds.SET:
            return self._set(name, head, own)
        first, last = _BRACKETS[kind]
        slot = Slot(_json_texts) if kind == kinds.OBJECT else Slot()
        return Piece(head + self._patterns[kind], (own + first, slot, last))

    def _relation(self, name: str, head: bytes, own: bytes) -> Piece:
        """The id alone, or an object with id, key and url."""
        self._relations += 1
        string, mark = self._string, b"o%d" % self._relations
        silent = key_attribute(name) in self._names
        key = rb"(?:" + string + rb"|null)" if silent else rb"(?:(" + string + rb")|null)"
        found = rb"(" + _INTEGER + rb"|(?(" + mark + rb")" + string + rb"|(?!)))"
        rest = rb',"key":' + key + rb',"url":(?:' + string + rb"|null)\}"
        pattern = rb"(?:(?P<" + mark + rb'>\{"id":)?' + found + rb"(?(" + mark + rb")" + rest + rb"|)|null)"
        nodes: list[Node] = [own + b"{", Slot(silent=True), Slot(_ids), b"}"]
        if not silent:
            nodes += [b"," + name_text(key_attribute(name)) + b':{"S":', Slot(), b"}"]
        return Piece(head + pattern, tuple(nodes))

    def _set(self, name: str, head: bytes, own: bytes) -> Piece:
        """JSON text, and the count behind it, unless the API has that in a field of its own."""
        if count_attribute(name) in self._names:
            return Piece(head + self._container, (own + b'{"S":', Slot(_json_texts), b"}"))
        between = b"," + name_text(count_attribute(name)) + b":"

        def convert(texts: Sequence[bytes]) -> list[bytes]:
            return [_json_text(text) + between + _count(text) for text in texts]

        return Piece(head + self._container, (own, Slot(convert)))


_BRACKETS: Mapping[str, tuple[bytes, bytes]] = {
    **dict.fromkeys((kinds.TEXT, kinds.TIMESTAMP, kinds.DATE, kinds.OBJECT), (b'{"S":', b"}")),
    **dict.fromkeys((kinds.INTEGER, kinds.DECIMAL), (b'{"N":"', b'"}')),
    kinds.BOOLEAN: (b'{"BOOL":', b"}"),
}


def _ids(texts: Sequence[bytes]) -> list[bytes]:
    return [
        (b'"S":%b' if text[:1] == b'"' else b'"N":"%b"') % text if text else b'"NULL":true' for text in texts
    ]


def _versions(texts: Sequence[bytes]) -> list[bytes]:
    return [b'%b},"%b":{"N":"%d"' % (text, _VERSION, version_of(text[1:-1].decode())) for text in texts]


def _json_texts(texts: Sequence[bytes]) -> list[bytes]:
    return [text and _quoted(text.decode()) for text in texts]


def _json_text(text: bytes) -> bytes:
    return b'{"S":%b}' % _quoted(text.decode()) if text else NOTHING


def _count(text: bytes) -> bytes:
    count = count_of(text) if text else kinds.NULL
    return NOTHING if count == kinds.NULL else b'{"N":"%b"}' % count


_VERSION = VERSION.encode()
