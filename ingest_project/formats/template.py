"""Templates: a record shape compiled to one pattern over the source's text and one format for the result.

A match proves the whole text: order and spelling of names, syntax of every value, numbers well inside of
DynamoDB's limits. A text that does not match goes the exact way; a template refuses nothing by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ingest_project.formats.record_shape import Member, Shape, Unshaped
from ingest_project.formats.typed_values import name_text

Convert = Callable[[bytes], bytes]

_PURE_STRING = rb'"[^"]*+"'
_UNICODE = (
    rb"(?:[0-9a-cA-CefEF][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2}"
    rb"|[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
_UNIT = rb'[^"\\\x00-\x1f]*+'
_STRING = rb'"' + _UNIT + rb'(?:\\(?:["\\/bfnrt]|u' + _UNICODE + rb")" + _UNIT + rb')*+"'
# 19 digits before the point, 18 behind and two of exponent: at most 37 digits, 1E-117 to 1E+118.
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,18}+)(?:\.[0-9]{1,18}+)?+(?:[eE][+-]?[0-9]{1,2}+)?+"
_BASE64 = rb'"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?+"'


class Form(NamedTuple):
    """How values are spelled: what stands before and behind a scalar's text, an array's and an object's
    inside, what parts a name from its value and members from each other, and null.

    ``tag`` is where a value's text tells its kind, ``tags`` what may stand there for each kind.
    """

    scalars: dict[str, tuple[bytes, bytes]]
    array: tuple[bytes, bytes]
    object: tuple[bytes, bytes]
    tags: dict[str, tuple[bytes, ...]]
    comma: bytes = b","
    colon: bytes = b":"
    null: bytes = b"null"
    tag: slice = slice(0, 1)


_BARE = dict.fromkeys(("S", "N", "B", "BOOL"), (b"", b""))
_FIRST_BYTES = {
    "S": (b'"',),
    "N": tuple(b"-0123456789"[at : at + 1] for at in range(11)),
    "BOOL": (b"t", b"f"),
    "NULL": (b"n",),
    "L": (b"[",),
    "M": (b"{",),
}
PLAIN = Form(_BARE, (b"[", b"]"), (b"{", b"}"), _FIRST_BYTES)
SPACED = PLAIN._replace(comma=b", ", colon=b": ")
TYPED = Form(
    {
        "S": (b'{"S":', b"}"),
        "N": (b'{"N":"', b'"}'),
        "B": (b'{"B":', b"}"),
        "BOOL": (b'{"BOOL":', b"}"),
    },
    (b'{"L":[', b"]}"),
    (b'{"M":{', b"}}"),
    {kind: (kind.encode()[:2].ljust(2, b'"'),) for kind in ("S", "N", "B", "BOOL", "NULL", "L", "M")},
    null=b'{"NULL":true}',
    tag=slice(2, 4),
)


class Piece(NamedTuple):
    """A part of a template: pattern, format, and a converter (or None) for each group of the pattern."""

    pattern: bytes
    format: bytes = b""
    converters: tuple[Convert | None, ...] = ()


class Template:
    """A compiled piece: text in the source form -> text in the target form."""

    def __init__(self, piece: Piece) -> None:
        pattern = re.compile(piece.pattern)
        self._match, self._find = pattern.fullmatch, pattern.finditer
        self._format = piece.format
        self._slow = [(at, convert) for at, convert in enumerate(piece.converters) if convert is not None]

    def groups(self, text: bytes) -> tuple[bytes, ...] | None:
        """The variable parts of the text, still in the source form; None when the text does not match."""
        match = self._match(text)
        return None if match is None else match.groups()

    def fill(self, groups: tuple[bytes, ...]) -> bytes:
        """The text in the target form, of what ``groups`` gave."""
        if not self._slow:
            return self._format % groups
        filled = list(groups)
        for at, convert in self._slow:
            filled[at] = convert(filled[at])
        return self._format % tuple(filled)

    def each(self, text: bytes) -> Iterator[bytes]:
        """Results for the matches in a text that is known to be matches and commas."""
        for match in self._find(text):
            yield self.fill(match.groups())


class Compiler:
    """Makes pieces for one pair of forms.

    Args:
        source: Form of the texts that will be matched.
        target: Form of the results.
        pure: The texts are known to hold neither backslashes nor control characters.
    """

    def __init__(self, source: Form, target: Form, *, pure: bool) -> None:
        self._source, self._target = source, target
        string = _PURE_STRING if pure else _STRING
        self._texts = {"S": string, "N": _NUMBER, "B": _BASE64, "BOOL": rb"true|false"}

    def members(self, members: Sequence[Member]) -> list[Piece]:
        """A piece for each member of an object, with the comma that parts it from its neighbour.

        Raises:
            Unshaped: No member is always there, so that no comma has a place.
        """
        return self._members(members, True)

    def unsplit(self, members: Sequence[Member]) -> list[Piece]:
        """The same without groups and formats: for a text that is only to be checked."""
        return self._members(members, False)

    def _members(self, members: Sequence[Member], grouped: bool) -> list[Piece]:
        anchor = next((at for at, member in enumerate(members) if not member.optional), None)
        if anchor is None and members:
            raise Unshaped("no member is always there")
        return [self._member(member, at - (anchor or 0), grouped) for at, member in enumerate(members)]

    def _member(self, member: Member, place: int, grouped: bool) -> Piece:
        """``place`` is below 0 for optional members before the first one that is always there."""
        value = self._value(member.shape, grouped)
        name = name_text(member.name)
        spellings = sorted({name, json.dumps(member.name).encode()})
        pattern = b"(?:" + b"|".join(map(re.escape, spellings)) + b")"
        pattern += re.escape(self._source.colon) + value.pattern
        text = _literal(name + self._target.colon) + value.format
        if place < 0:
            pattern, text = pattern + re.escape(self._source.comma), text + self._target.comma
        if place > 0:
            pattern, text = re.escape(self._source.comma) + pattern, self._target.comma + text
        whole = Piece(pattern, text, value.converters)
        if not member.optional:
            return whole
        unsplit = b"(?:" + self._member(Member(member.name, member.shape), place, False).pattern + b")?+"
        if not grouped:
            return Piece(unsplit)
        if len(spellings) > 1 or place < 0:
            return Piece(b"(" + unsplit + b")", b"%b", (_whole(Template(whole)),))
        skipped = len(self._source.comma + name + self._source.colon)
        before = self._target.comma + name + self._target.colon
        return Piece(b"(" + unsplit + b")", b"%b", (_behind(skipped, before, self._convert(member.shape)),))

    def _value(self, shape: Shape, grouped: bool) -> Piece:
        alternatives = shape.alternatives
        if len(alternatives) != 1:
            pattern = b"|".join(self._value(one, False).pattern for one in alternatives)
        elif shape.members is not None:
            pieces = self._members(shape.members, grouped)
            return joined(pieces, self._source.object, self._target.object)
        elif shape.element is not None:
            pattern = self._elements(shape.element)
        else:
            return self._scalar(shape, grouped)
        if not grouped:
            return Piece(b"(?:" + pattern + b")")
        return Piece(b"(" + pattern + b")", b"%b", (self._convert(shape),))

    def _scalar(self, shape: Shape, grouped: bool) -> Piece:
        [kind] = shape.scalars
        if kind == "NULL":
            return Piece(re.escape(self._source.null), _literal(self._target.null))
        before, behind = map(re.escape, self._source.scalars[kind])
        first, last = map(_literal, self._target.scalars[kind])
        if not grouped:
            return Piece(before + b"(?:" + self._texts[kind] + b")" + behind)
        return Piece(before + b"(" + self._texts[kind] + b")" + behind, first + b"%b" + last, (None,))

    def _elements(self, element: Shape) -> bytes:
        """The pattern of an array, without groups."""
        opening, closing = map(re.escape, self._source.array)
        if not element.alternatives:
            return opening + closing
        one = self._value(element, False).pattern
        many = one + b"(?:" + re.escape(self._source.comma) + one + b")*+"
        return opening + b"(?:" + many + b")?+" + closing

    def _convert(self, shape: Shape) -> Convert:
        """A converter for a value's text that is known to match."""
        alternatives = shape.alternatives
        if len(alternatives) != 1:
            return self._chosen(alternatives)
        if shape.members is not None:
            return _whole(Template(self._value(shape, True)))
        if shape.element is not None:
            return self._converted_array(shape.element)
        [kind] = shape.scalars
        if kind == "NULL":
            null = self._target.null
            return lambda text: null
        before, behind = map(len, self._source.scalars[kind])
        first, last = self._target.scalars[kind]
        return lambda text: first + text[before : len(text) - behind] + last

    def _chosen(self, alternatives: Sequence[Shape]) -> Convert:
        tag = self._source.tag
        table: dict[bytes, Convert] = {}
        for shape in alternatives:
            kind = (
                "M" if shape.members is not None else "L" if shape.element is not None else min(shape.scalars)
            )
            table |= dict.fromkeys(self._source.tags[kind], self._convert(shape))
        return lambda text: table[text[tag]](text)

    def _converted_array(self, element: Shape) -> Convert:
        opening, closing = self._source.array
        first, last = self._target.array
        if not element.alternatives:
            return lambda text: first + last
        template = Template(self._value(element, True))
        inside, comma = slice(len(opening), -len(closing)), self._target.comma
        return lambda text: first + comma.join(template.each(text[inside])) + last


def joined(pieces: Sequence[Piece], source: tuple[bytes, bytes], target: tuple[bytes, bytes]) -> Piece:
    """Pieces one after another between two brackets."""
    opening, closing = map(re.escape, source)
    first, last = map(_literal, target)
    return Piece(
        opening + b"".join(piece.pattern for piece in pieces) + closing,
        first + b"".join(piece.format for piece in pieces) + last,
        tuple(convert for piece in pieces for convert in piece.converters),
    )


def _literal(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")


def _whole(template: Template) -> Convert:
    """Converts a text that matches the template, or is empty."""

    def convert(text: bytes) -> bytes:
        groups = template.groups(text) if text else None
        return b"" if groups is None else template.fill(groups)

    return convert


def _behind(skipped: int, before: bytes, convert: Convert) -> Convert:
    """Converts a value behind a name, or nothing at all."""
    return lambda text: before + convert(text[skipped:]) if text else b""
