"""Covers: whether a text holds nothing but part lines of one shape, told by one match over all of it.

What is covered goes on as it stands; its keys are looked up when somebody asks for their hashes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import overload

from ingest_project.core.model import KeySchema
from ingest_project.formats.compiling import Compiler
from ingest_project.formats.forms import TYPED
from ingest_project.formats.key_columns import key_hashes
from ingest_project.formats.keys import PARTITION_KEY_BYTES, SORT_KEY_BYTES
from ingest_project.formats.record_shape import Member, Shape
from ingest_project.formats.shelf import ITEM, place_of

_MOST_SKIPPED = 16
_OBJECT = 0x7B
_KEY_BYTES = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)


class Hashes(Sequence[bytes]):
    """Key hashes of ``count`` records; worked out when the first one is asked for."""

    __slots__ = ("_count", "_known", "_make")

    def __init__(self, count: int, make: Callable[[], Sequence[bytes]]) -> None:
        self._count, self._make = count, make
        self._known: Sequence[bytes] = ()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        return self._all()[index]

    def _all(self) -> Sequence[bytes]:
        self._known = self._known or self._make()
        return self._known


class Tries:
    """Whether a way that seldom fails is worth its cost just now: after each failure the next tries are
    rarer."""

    def __init__(self) -> None:
        self._skip, self._penalty = 0, 1

    def ready(self) -> bool:
        if self._skip:
            self._skip -= 1
            return False
        return True

    def ended(self, well: bool) -> bool:
        """Take note of how a try ended, and say it."""
        if well:
            self._penalty = 1
        else:
            self._skip, self._penalty = self._penalty, min(self._penalty * 2, _MOST_SKIPPED)
        return well


def surely_legal(kinds: Sequence[str], columns: Sequence[Sequence[bytes]]) -> bool:
    """Whether literals without backslashes are surely neither empty nor too long for a key."""
    return all(
        kind == "N" or (kind == "S" and min(map(len, column)) > 2 and max(map(len, column)) <= limit + 2)
        for kind, column, limit in zip(kinds, columns, _KEY_BYTES, strict=False)
    )


class Cover:
    """The cover of one shape of part lines. Does not know keys of binaries.

    Raises:
        Unshaped: The key is not always there, or not always of the right kind.
    """

    def __init__(self, shape: Shape, keys: KeySchema) -> None:
        self._members: Sequence[Member] = shape.members or ()
        self._kinds = [kind for _, kind in keys.parts]
        self._places = [place_of(self._members, name, kind) for name, kind in keys.parts]
        self._matches: Callable[[bytes], re.Match[bytes] | None] | None = None
        self._begins: Callable[[bytes], re.Match[bytes] | None] | None = None

    def covers(self, raws: Sequence[bytes], text: bytes) -> bool:
        """Whether all records are of this shape, with legal keys.

        Args:
            raws: Records of the text, bytes-like.
            text: Surely small, UTF-8 without backslashes; see core.model.RecordBatch.
        """
        # The first byte tells the elements of an array from a record that is itself an array of records.
        if memoryview(raws[0])[0] != _OBJECT:
            return False
        if self._matches is None:
            self._matches = re.compile(self._text_pattern()).fullmatch
        return self._matches(text) is not None

    def hashes(self, raws: Sequence[bytes]) -> Hashes:
        """The key hashes of covered records."""
        return Hashes(len(raws), lambda: self._hashes(raws))

    def _hashes(self, raws: Sequence[bytes]) -> list[bytes]:
        if self._begins is None:
            self._begins = re.compile(self._key_pattern()).match
        rows = [match.groups() for match in map(self._begins, raws) if match]
        places = map(sorted(self._places).index, self._places)
        columns = [[row[place] for row in rows] for place in places]
        return key_hashes(self._kinds, columns)

    def _text_pattern(self) -> bytes:
        """Records, and what a decoder lets stand between them: the text is known to be values in an array,
        or values with space between them."""
        usual = Compiler(TYPED, TYPED, pure=True).unsplit(self._members)
        for place, limit in zip(self._places, _KEY_BYTES, strict=False):
            texts = {"S": b'"[^"]{1,%d}+"' % limit, "B": rb"(?!)"}
            usual[place] = Compiler(TYPED, TYPED, pure=True, texts=texts).unsplit(self._members)[place]
        opening, closing = map(re.escape, ITEM)
        record = opening + b"".join(piece.pattern for piece in usual) + closing
        return rb"[ \t\r\n]*+\[?[ \t\r\n]*+(?:" + record + rb"[ \t\r\n,]*+)*\]?[ \t\r\n]*+"

    def _key_pattern(self) -> bytes:
        """The beginning of a record up to the last part of its key, with a group for each part."""
        compiler = Compiler(TYPED, TYPED, pure=True)
        pieces, grouped = compiler.unsplit(self._members), compiler.members(self._members)
        for place in self._places:
            pieces[place] = grouped[place]
        return re.escape(ITEM[0]) + b"".join(piece.pattern for piece in pieces[: max(self._places) + 1])
