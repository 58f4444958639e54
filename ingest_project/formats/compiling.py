"""Compiler: the shape of records -> a template's pattern and what it makes, for one pair of forms.

Patterns rely on it that each source text is legal JSON as far as the content of its strings goes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from ingest_project.formats.forms import Form, scalar_texts
from ingest_project.formats.record_shape import Member, Shape, Unshaped
from ingest_project.formats.template import Convert, Node, Option, Piece, Slot, Template
from ingest_project.formats.typed_values import name_text


class Compiler:
    """Makes pieces for one pair of forms.

    Args:
        source: Form of the texts that will be matched.
        target: Form of the results.
        pure: The texts are known to hold no backslash.
        texts: Patterns of scalars' texts that differ from the usual ones, by kind.
    """

    def __init__(
        self, source: Form, target: Form, *, pure: bool, texts: Mapping[str, bytes] | None = None
    ) -> None:
        self._source, self._target = source, target
        self._pure, self._texts = pure, {**scalar_texts(pure), **(texts or {})}

    def members(self, members: Sequence[Member]) -> list[Piece]:
        """A piece for each member of an object, with the comma that parts it from its neighbour.

        Raises:
            Unshaped: No member is always there, so that no comma has a place.
        """
        return self._members(members, True)

    def unsplit(self, members: Sequence[Member]) -> list[Piece]:
        """The same without groups and results: for a text that is only to be checked."""
        return self._members(members, False)

    def _members(self, members: Sequence[Member], grouped: bool) -> list[Piece]:
        anchor = next((at for at, member in enumerate(members) if not member.optional), None)
        if anchor is None and members:
            raise Unshaped("no member is always there")
        return [self._member(member, at - (anchor or 0), grouped) for at, member in enumerate(members)]

    def _member(self, member: Member, place: int, grouped: bool) -> Piece:
        """``place`` is below 0 for optional members before the first one that is always there."""
        source, target = self._source, self._target
        value = self._value(member.shape, grouped)
        name = name_text(member.name)
        spellings = sorted({name, json.dumps(member.name).encode()})
        pattern = b"(?:" + b"|".join(map(re.escape, spellings)) + b")"
        pattern += re.escape(source.colon) + value.pattern
        nodes: tuple[Node, ...] = (name + target.colon, *value.nodes)
        if place < 0:
            pattern, nodes = pattern + re.escape(source.comma), (*nodes, target.comma)
        if place > 0:
            pattern, nodes = re.escape(source.comma) + pattern, (target.comma, *nodes)
        if not member.optional:
            return Piece(pattern, nodes if grouped else ())
        if not grouped:
            return Piece(b"(?:" + pattern + b")?+")
        # An empty branch is faster than a question mark, and groups in possessive repeats are not sound.
        marked = _marked(Piece(pattern, nodes))
        return Piece(b"(?:" + marked.pattern + b"|)", (Option(marked.nodes),))

    def _value(self, shape: Shape, grouped: bool) -> Piece:
        alternatives = shape.alternatives
        if len(alternatives) != 1:
            pieces = [self._value(one, grouped) for one in alternatives]
            if grouped:
                pieces = [Piece(one.pattern, (Option(one.nodes),)) for one in map(_marked, pieces)]
            pattern = b"(?:" + b"|".join(piece.pattern for piece in pieces) + b")"
            return Piece(pattern, tuple(node for piece in pieces for node in piece.nodes))
        if shape.members is not None:
            return joined(self._members(shape.members, grouped), self._source.object, self._target.object)
        if shape.element is None:
            return self._scalar(shape, grouped)
        pattern = self._elements(shape.element)
        if not grouped:
            return Piece(pattern)
        return Piece(b"(" + pattern + b")", (Slot(self._converted_array(shape.element)),))

    def _scalar(self, shape: Shape, grouped: bool) -> Piece:
        [kind] = shape.scalars
        if kind == "NULL":
            return Piece(re.escape(self._source.null), (self._target.null,))
        before, behind = map(re.escape, self._source.scalars[kind])
        first, last = self._target.scalars[kind]
        if not grouped:
            return Piece(before + b"(?:" + self._texts[kind] + b")" + behind)
        return Piece(before + b"(" + self._texts[kind] + b")" + behind, (first, Slot(), last))

    def _elements(self, element: Shape) -> bytes:
        """The pattern of an array, without groups."""
        opening, closing = map(re.escape, self._source.array)
        if not element.alternatives:
            return opening + closing
        # The element stands here once: twice would double the pattern with each level of nesting.
        one, comma = self._value(element, False).pattern, re.escape(self._source.comma)
        border = b"(?:" + comma + b"(?!" + closing + b")|(?=" + closing + b"))"
        return opening + b"(?:" + one + border + b")*+" + closing

    def _converted_array(self, element: Shape) -> Convert:
        """A converter for arrays' texts that are known to match."""
        opening, closing = self._source.array
        first, last = self._target.array
        inside, comma = slice(len(opening), -len(closing)), self._target.comma
        if not element.alternatives:
            return lambda texts: [text and first + last for text in texts]
        if self._pure and len(element.alternatives) == 1 and element.scalars and element.scalars != {"NULL"}:
            return self._converted_scalars(min(element.scalars))
        each = Template(self._value(element, True)).each

        def convert(texts: Sequence[bytes]) -> list[bytes]:
            found = zip(texts, each([text[inside] for text in texts]), strict=True)
            return [text and first + comma.join(elements) + last for text, elements in found]

        return convert

    def _converted_scalars(self, kind: str) -> Convert:
        """Between two scalars always stands the same: from inside the first one on it is found by searching,
        as no string holds a quote."""
        source, target = self._source, self._target
        quote = b'"' if kind in ("S", "B") else b""
        before, behind = source.scalars[kind][0] + quote, quote + source.scalars[kind][1]
        first, last = target.scalars[kind][0] + quote, quote + target.scalars[kind][1]
        found, wanted = behind + source.comma + before, last + target.comma + first
        inside = slice(len(source.array[0] + before), -len(behind + source.array[1]))
        first, last = target.array[0] + first, last + target.array[1]
        nothing, empty = len(b"".join(source.array)), b"".join(target.array)

        def convert(texts: Sequence[bytes]) -> list[bytes]:
            return [
                first + text[inside].replace(found, wanted) + last if len(text) > nothing else text and empty
                for text in texts
            ]

        return convert


def joined(pieces: Sequence[Piece], source: tuple[bytes, bytes], target: tuple[bytes, bytes]) -> Piece:
    """Pieces one after another between two brackets."""
    opening, closing = map(re.escape, source)
    return Piece(
        opening + b"".join(piece.pattern for piece in pieces) + closing,
        (target[0], *(node for piece in pieces for node in piece.nodes), target[1]),
    )


def _marked(piece: Piece) -> Piece:
    """The piece with a group that takes part in every match of it: its own, or one of a byte looked at."""
    if any(isinstance(node, Slot) for node in piece.nodes):
        return piece
    return Piece(b"(?=(.))" + piece.pattern, (Slot(silent=True), *piece.nodes))
