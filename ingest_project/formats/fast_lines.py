"""Records -> part lines by templates that are learned on the way: the fast way to what dynamodb_json says.

Works on groups of records. Nothing is refused here: a record that no template knows goes the exact way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ingest_project.core.model import KeySchema
from ingest_project.formats.covering import Cover, Hashes, Tries, surely_legal
from ingest_project.formats.dynamodb_json import SURELY_SMALL, encode_record, unwrap
from ingest_project.formats.forms import TYPED
from ingest_project.formats.json_tree import Refused, parse
from ingest_project.formats.key_columns import key_hashes
from ingest_project.formats.record_shape import Shape, Unshaped, record_shape
from ingest_project.formats.shelf import (
    ITEM,
    LINE_MODE,
    PLAIN_MODES,
    TYPED_MODES,
    KeyedTemplate,
    Mode,
    Shelf,
    Swept,
    laid,
    samples,
    spread,
)
from ingest_project.formats.template import Row
from ingest_project.formats.typed_values import is_typed

Columns = tuple[Sequence[bytes], Sequence[bytes]]

_decode = msgspec.json.Decoder(msgspec.Raw).decode


class RecordTemplate:
    """Makes part lines of records of one shape; typed records are checked and passed through."""

    def __init__(self, shape: Shape, mode: Mode, keys: KeySchema) -> None:
        self.shape, self.mode = shape, mode
        self._kinds = [kind for _, kind in keys.parts]
        self._keyed = KeyedTemplate(shape, mode, keys, None if mode.typed else (TYPED, ITEM))
        self._cover = Cover(shape, keys) if mode == LINE_MODE else None
        self._tries = Tries()

    def whole(self, raws: Sequence[bytes], text: bytes) -> Columns | None:
        """Part lines and key hashes when all records are known, by a shorter way than ``encode``.

        Args:
            text: The records stand in it, legal JSON without backslashes; surely small.
        """
        if not self._tries.ready():
            return None
        if self._cover is not None:
            covers = self._tries.ended(self._cover.covers(raws, text))
            return (raws, self._cover.hashes(raws)) if covers else None
        matches, missed = self._keyed.find(raws, True)
        rows = [] if missed else [match.groups(b"") for match in matches]
        columns = [[row[place] for row in rows] for place in self._keyed.places]
        if not self._tries.ended(not missed and surely_legal(self._kinds, columns)):
            return None
        hashes = Hashes(len(rows), lambda: key_hashes(self._kinds, columns))
        return self._lines(matches, rows, True), hashes

    def encode(self, texts: Sequence[bytes], pure: bool) -> Swept:
        """Part lines and key hashes."""
        matches, missed = self._keyed.find(texts, pure)
        rows = [match.groups(b"") for match in matches]
        hashes = key_hashes(self._kinds, [[row[place] for row in rows] for place in self._keyed.places])
        lines = self._lines(matches, rows, pure)
        spread((lines, hashes), missed)
        if not all(hashes):
            missed = [at for at, digest in enumerate(hashes) if not digest]
        return Swept((lines, hashes), missed)

    def _lines(self, matches: Sequence[re.Match[bytes]], rows: Sequence[Row], pure: bool) -> list[bytes]:
        if not self.mode.typed:
            return self._keyed.template(pure).fill(rows)
        if self.mode == LINE_MODE:
            return [match[0] for match in matches]
        return [b'{"Item":%b}' % match[0] for match in matches]


class LineTemplates:
    """The templates of one chunk's records."""

    def __init__(self, keys: KeySchema) -> None:
        self._keys = keys
        self._shelf = Shelf(lambda shape, mode: RecordTemplate(shape, mode, keys), width=2)

    def whole(self, raws: Sequence[bytes], text: bytes) -> Columns | None:
        """The part lines (bytes-like) and key hashes of records when it is easy to tell that all are good.

        Args:
            text: See core.model.RecordBatch.
        """
        first = self._shelf.first
        small = text and len(text) <= SURELY_SMALL
        if not small or not isinstance(first, RecordTemplate) or b"\\" in text or not _is_utf8(text):
            return None
        return first.whole(raws, text)

    def encode(self, raws: Sequence[bytes], text: bytes = b"") -> Swept:
        """The part lines and the key hashes of records.

        Args:
            raws: Bytes-like.
            text: See core.model.RecordBatch.
        """
        if not text or len(text) > SURELY_SMALL or not _is_utf8(text):
            raws = [raw if _fits(raw) else b"" for raw in map(bytes, raws)]
            text = b"".join(raws)
        swept = self._shelf.sweep(raws, b"\\" not in text)
        return self._without_space(raws, swept) if swept.missed else swept

    def _without_space(self, raws: Sequence[bytes], swept: Swept) -> Swept:
        """Tries what is spelled with spaces and line breaks once more, without them."""
        columns, places = swept
        spaced = {place: text for place in places if (text := _without_space(bytes(raws[place])))}
        if not spaced:
            return swept
        found = self._shelf.sweep(list(spaced.values()), b"\\" not in b"".join(spaced.values()))
        left = laid(found, list(spaced), columns)
        return Swept(columns, sorted({*places} - {*spaced} | {*left}))

    def learn(self, raws: Sequence[bytes]) -> bool:
        """Looks at records that no template knew.

        Args:
            raws: Bytes-like; templates will know the first one, if it is good.

        Returns:
            Whether it is worth while to ask again for others.
        """
        raw = bytes(raws[0])
        if not self._shelf.learning or not _fits(raw):
            return False
        typed, shape = self._shape(raw)
        if shape is None:
            return False
        others = map(self._shape, map(bytes, samples(raws)[1:]))
        shapes = [shape, *(other for kind, other in others if other is not None and kind == typed)]
        modes = TYPED_MODES if typed else PLAIN_MODES
        return any(self._shelf.learn(text, shapes, modes) for text in (raw, _without_space(raw)) if text)

    def _shape(self, raw: bytes) -> tuple[bool, Shape | None]:
        """Whether a record is typed, and its shape if it is good and has one."""
        try:
            encode_record(raw, self._keys)
            record = unwrap(parse(raw), self._keys)
            typed = is_typed(record)
            return typed, record_shape(record, typed)
        except (Refused, Unshaped):
            return False, None


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _fits(raw: bytes) -> bool:
    """Whether templates may look at the record: it is JSON in every string, and surely not too large."""
    if len(raw) > SURELY_SMALL or not _is_utf8(raw):
        return False
    try:
        _decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _without_space(raw: bytes) -> bytes:
    """The record without space between its values; empty when there is none, or it does not fit."""
    if not _fits(raw):
        return b""
    compact = msgspec.json.format(raw, indent=-1)
    return compact if len(compact) < len(raw) else b""
