"""A JSON record taken apart without losing its text: scalars stay the source's bytes, names are decoded.

The exact and slow reader behind every check and every reason; it knows JSON and nothing of DynamoDB.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

from ingest_project.formats.numbers import JSON_NUMBER, shown

Node: TypeAlias = "bytes | list[Node] | dict[str, Node]"
"""A value: the text of a string (with its quotes), number, true, false or null; or an array; or an object."""

MAX_NESTING = 72
"""Deepest JSON that is read: 32 levels of DynamoDB-typed values take two objects each, and a wrapper."""

SPACE = rb"[ \t\n\r]*+"
STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'

_SCALAR = rb"(" + STRING + rb"|" + JSON_NUMBER.pattern + rb"|true|false|null)" + SPACE
_OPENING = rb"([\[{])" + SPACE
_NAME = SPACE + rb"(" + STRING + rb")" + SPACE + rb":" + SPACE
_START = re.compile(SPACE + rb"(?:" + _SCALAR + rb"|" + _OPENING + rb")")
_ELEMENT = re.compile(SPACE + rb"(?:" + _SCALAR + rb"([,\]])?|" + _OPENING + rb")")
_MEMBER = re.compile(_NAME + rb"(?:" + _SCALAR + rb"([,}])?|" + _OPENING + rb")")
_NAMED = re.compile(_NAME)
_SPACES = re.compile(SPACE)
_WORD = re.compile(rb"[+-]?[A-Za-z][A-Za-z0-9]*+")
_NO_NUMBERS = frozenset({b"nan", b"inf", b"infinity"})

_decode_string = msgspec.json.Decoder(str).decode


class Refused(ValueError):
    """A record that must not go on.

    Attributes:
        reason: What is wrong, without the place.
        path: Attribute names and list indices from the record down to the value.
    """

    def __init__(self, reason: str, *path: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str | int] = list(path)

    def under(self, step: str | int) -> Refused:
        """The same refusal seen from one container further out."""
        self.path.insert(0, step)
        return self

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.reason}" if self.path else self.reason


def path_text(path: list[str | int]) -> str:
    """``meta.tags[2]``; long paths and names are shortened, unprintable names escaped."""
    words = ""
    shown_steps = path if len(path) <= 8 else [*path[:5], "...", *path[-2:]]
    for step in shown_steps:
        if isinstance(step, int):
            words += f"[{step}]"
        else:
            name = step if step.isprintable() and step else ascii(step)
            words += ("." if words else "") + (name if len(name) <= 60 else name[:57] + "...")
    return words


def parse(raw: bytes) -> Node:
    """The tree of one JSON value.

    Raises:
        Refused: The bytes are no JSON value, a string is not UTF-8 or has an unpaired surrogate, a name
            stands twice in one object, or arrays and objects nest deeper than ``MAX_NESTING``.
    """
    match = _START.match(raw)
    if match is None:
        raise _diagnosis(raw, 0)
    text, opening = match.groups()
    if opening is None:
        node: Node = _checked(text)
        at = match.end()
    else:
        node, at = _container(raw, match.end(), opening, 1)
    if at != len(raw):
        raise Refused(f"not JSON: {_sight(raw, at)} behind the value")
    return node


def decode_text(literal: bytes) -> str:
    """The value of a string literal that ``parse`` has let through."""
    return literal[1:-1].decode() if b"\\" not in literal else _decode_string(literal)


def _container(raw: bytes, at: int, opening: bytes, depth: int) -> tuple[Node, int]:
    """Reads from behind the opening bracket to behind the closing one and the space after it."""
    if depth > MAX_NESTING:
        raise Refused(f"arrays and objects nest deeper than {MAX_NESTING} levels")
    if opening == b"{":
        return _object(raw, at, depth)
    return _array(raw, at, depth)


def _object(raw: bytes, at: int, depth: int) -> tuple[Node, int]:
    members: dict[str, Node] = {}
    if raw.startswith(b"}", at):
        return members, _behind_space(raw, at + 1)
    while True:
        match = _MEMBER.match(raw, at)
        if match is None:
            raise _diagnosis(raw, at)
        literal, text, border, opening = match.groups()
        name = _name(literal)
        if name in members:
            raise Refused("the name stands twice in one object", name)
        at = match.end()
        try:
            if opening is None:
                members[name] = _checked(text)
            else:
                members[name], at = _container(raw, at, opening, depth + 1)
                border = raw[at : at + 1]
                at += 1
        except Refused as refused:
            raise refused.under(name) from None
        if border != b",":
            return members, _closed(raw, at, border, b"}")


def _array(raw: bytes, at: int, depth: int) -> tuple[Node, int]:
    elements: list[Node] = []
    if raw.startswith(b"]", at):
        return elements, _behind_space(raw, at + 1)
    while True:
        match = _ELEMENT.match(raw, at)
        try:
            if match is None:
                raise _diagnosis(raw, at)
            text, border, opening = match.groups()
            at = match.end()
            if opening is None:
                elements.append(_checked(text))
            else:
                node, at = _container(raw, at, opening, depth + 1)
                elements.append(node)
                border = raw[at : at + 1]
                at += 1
        except Refused as refused:
            raise refused.under(len(elements)) from None
        if border != b",":
            return elements, _closed(raw, at, border, b"]")


def _closed(raw: bytes, at: int, border: bytes | None, closing: bytes) -> int:
    if border == closing:
        return _behind_space(raw, at)
    at = at if border is None else at - 1
    raise Refused(f"not JSON: expected , or {closing.decode()} and found {_sight(raw, at)}")


def _behind_space(raw: bytes, at: int) -> int:
    match = _SPACES.match(raw, at)
    return match.end() if match else at


def _name(literal: bytes) -> str:
    try:
        return decode_text(_checked(literal))
    except Refused as refused:
        raise Refused(f"an attribute name is {refused.reason}: {shown(literal)}") from None


def _checked(text: bytes) -> bytes:
    """Passes a scalar whose syntax is known; strings must also be Unicode."""
    if text.isascii() and b"\\u" not in text:
        return text
    try:
        _decode_string(text)
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8 (byte {error.start} of the string)") from None
    except (msgspec.DecodeError, msgspec.ValidationError):
        raise Refused("not Unicode: an unpaired surrogate escape") from None
    return text


def _diagnosis(raw: bytes, at: int) -> Refused:
    """What stands where a value (or a name and a value) was expected."""
    named = _NAMED.match(raw, at)
    path = [] if named is None else [_name(named[1])]
    at = _behind_space(raw, at) if named is None else named.end()
    word = _WORD.match(raw, at)
    if word is not None and word[0].lstrip(b"+-").lower() in _NO_NUMBERS:
        return Refused(f"{shown(word[0])} is not a number that can be stored", *path)
    return Refused(f"not JSON: expected a value and found {_sight(raw, at)}", *path)


def _sight(raw: bytes, at: int) -> str:
    if at >= len(raw):
        return "the end of the record"
    return f"{raw[at : at + 20].decode('utf-8', 'backslashreplace')!r} at byte {at} of the record"
