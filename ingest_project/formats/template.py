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
    inside, what parts a name from its value and members from each other, and null."""

    scalars: dict[str, tuple[bytes, bytes]]
    array: tuple[bytes, bytes]
    object: tuple[bytes, bytes]
    comma: bytes = b","
    colon: bytes = b":"
    null: bytes = b"null"

    @property
    def bare(self) -> bool:
        """Whether scalars stand as they are, so that the first byte tells their kind."""
        return all(not before for before, _ in self.scalars.values())


_BARE = dict.fromkeys(("S", "N", "B", "BOOL"), (b"", b""))
PLAIN = Form(_BARE, (b"[", b"]"), (b"{", b"}"))
SPACED = Form(_BARE, (b"[", b"]"), (b"{", b"}"), b", ", b": ")
TYPED = Form(
    {
        "S": (b'{"S":', b"}"),
        "N": (b'{"N":"', b'"}'),
        "B": (b'{"B":', b"}"),
        "BOOL": (b'{"BOOL":', b"}"),
    },
    (b'{"L":[', b"]}"),
    (b'{"M":{', b"}}"),
    null=b'{"NULL":true}',
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
        spellings = {name, json.dumps(member.name).encode()}
        pattern = b"(?:" + b"|".join(re.escape(text) for text in sorted(spellings)) + b")"
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
        return (
            Piece(b"(" + unsplit + b")", b"%b", (_optional(Template(whole)),)) if grouped else Piece(unsplit)
        )

    def _value(self, shape: Shape, grouped: bool) -> Piece:
        alternatives = shape.alternatives
        if len(alternatives) != 1:
            return self._choice(alternatives, grouped)
        if shape.members is not None:
            pieces = self._members(shape.members, grouped)
            return joined(pieces, self._source.object, self._target.object)
        if shape.element is not None:
            return self._array(shape.element, grouped)
        [kind] = shape.scalars
        if kind == "NULL":
            return Piece(re.escape(self._source.null), _literal(self._target.null))
        before, behind = map(re.escape, self._source.scalars[kind])
        first, last = map(_literal, self._target.scalars[kind])
        if not grouped:
            return Piece(before + b"(?:" + self._texts[kind] + b")" + behind)
        return Piece(before + b"(" + self._texts[kind] + b")" + behind, first + b"%b" + last, (None,))

    def _choice(self, alternatives: Sequence[Shape], grouped: bool) -> Piece:
        pattern = b"|".join(self._value(shape, False).pattern for shape in alternatives)
        if not grouped:
            return Piece(b"(?:" + pattern + b")")
        return Piece(b"(" + pattern + b")", b"%b", (self._chooser(alternatives),))

    def _chooser(self, alternatives: Sequence[Shape]) -> Convert:
        if self._source.bare and all(shape.scalars for shape in alternatives):
            return _by_first_byte(self._target)
        return _choice([Template(self._value(shape, True)) for shape in alternatives])

    def _array(self, element: Shape, grouped: bool) -> Piece:
        opening, closing = self._source.array
        first, last = self._target.array
        if not element.alternatives:
            return Piece(re.escape(opening + closing), _literal(first + last))
        one = self._value(element, False).pattern
        many = one + b"(?:" + re.escape(self._source.comma) + one + b")*+"
        pattern = re.escape(opening) + b"(?:" + many + b")?+" + re.escape(closing)
        if not grouped:
            return Piece(pattern)
        template = Template(self._value(element, True))
        inside = slice(len(opening), -len(closing))

        def convert(text: bytes) -> bytes:
            return first + self._target.comma.join(template.each(text[inside])) + last

        return Piece(b"(" + pattern + b")", b"%b", (convert,))


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


def _optional(template: Template) -> Convert:
    def convert(text: bytes) -> bytes:
        groups = template.groups(text) if text else None
        return b"" if groups is None else template.fill(groups)

    return convert


def _choice(templates: Sequence[Template]) -> Convert:
    def convert(text: bytes) -> bytes:
        for template in templates:
            groups = template.groups(text)
            if groups is not None:
                return template.fill(groups)
        raise AssertionError("a text matched a choice and none of its alternatives")

    return convert


def _by_first_byte(target: Form) -> Convert:
    formats = {
        kind: _literal(first) + b"%b" + _literal(last) for kind, (first, last) in target.scalars.items()
    }
    table = dict.fromkeys(b"-0123456789", formats["N"]) | dict.fromkeys(b"tf", formats["BOOL"])
    table |= {ord('"'): formats["S"], ord("n"): _literal(target.null) + b"%.0b"}

    def convert(text: bytes) -> bytes:
        return table[text[0]] % text

    return convert
