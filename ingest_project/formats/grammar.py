"""Where one JSON value ends, and the exact byte at which it stops being JSON. Bytes in, offsets out.

The grammar is RFC 8259, plus what must become the rejection of one record instead of the fault of a file:
the words NaN and Infinity, lone surrogate escapes, bytes in strings that are not UTF-8, nesting of any depth.
"""

from __future__ import annotations

import re

import msgspec

MORE = -1
"""The value goes on behind the bytes at hand."""

WHITE = b" \t\r\n"
_SPACE = re.compile(rb"[ \t\r\n]*")
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(rb"[0-9]*")
_DECODER = msgspec.json.Decoder(msgspec.Raw)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_ESCAPES = b'"\\/bfnrt'
_NUMERIC = b"0123456789.eE"
_HEX = b"0123456789abcdefABCDEF"
CLOSED = b'}]"elyN'
"""Last bytes of values that need no delimiter; a number may go on."""
_WORDS = {0x74: b"true", 0x66: b"false", 0x6E: b"null", 0x4E: b"NaN", 0x49: b"Infinity"}

_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
_SCALAR = rb"[ \t\r\n]*+(?:" + _STRING + rb"|" + _NUMBER + rb"|true|false|null|NaN|-?Infinity)[ \t\r\n]*+"
_MEMBER = rb"[ \t\r\n]*+" + _STRING + rb"[ \t\r\n]*+:" + _SCALAR
_TEXT = re.compile(_STRING)
_ELEMENTS = re.compile(rb"(?:" + _SCALAR + rb",)*+")
_MEMBERS = re.compile(rb"(?:" + _MEMBER + rb",)*+")
_FLAT = re.compile(rb"\{(?:" + _MEMBER + rb",)*+" + _MEMBER + rb"\}")
"""What is passed in one step as far as all is well with it. The byte at which it is not is found below."""

VALUE = "a JSON value"
_OPEN_OBJECT, _OPEN_ARRAY = 0x7B, 0x5B
_CLOSE_OBJECT, _CLOSE_ARRAY = 0x7D, 0x5D
_QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS = 0x22, 0x5C, 0x2C, 0x3A, 0x2D


class Broken(Exception):
    """The grammar is violated at ``offset``, where ``expected`` had to stand.

    Attributes:
        cut: The data ended there; more bytes could have mended it.
    """

    def __init__(self, offset: int, expected: str, *, cut: bool = False) -> None:
        super().__init__(f"byte {offset}: expected {expected}")
        self.offset = offset
        self.expected = expected
        self.cut = cut


class _Short(Exception):
    """The data ends inside the value; the argument says what would go on."""


def _shift() -> int | None:
    """How this msgspec counts the byte of a trailing character: measured, because no document promises it."""
    try:
        _DECODER.decode(b"[] ,")
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        return int(found[1]) - 3 if found else None
    return None


_SHIFT = _shift()


def skip_white(data: bytes, at: int) -> int:
    """Index of the first byte from ``at`` on that is not JSON white space."""
    if at < len(data) and data[at] > 0x20:
        return at
    found = _SPACE.match(data, at)
    return found.end() if found else at


def behind(refusal: Exception) -> int | None:
    """Index behind a value and white space, if the decoder refused only what follows them."""
    found = _TRAILING.search(str(refusal))
    return int(found[1]) - _SHIFT if found and _SHIFT is not None else None


def value_end(data: bytes, at: int, final: bool) -> int:
    """Index behind the value that starts at ``at``, or MORE.

    A decoder in C finds the end at its own speed: it names the byte that follows the value. Where it refuses,
    ``walk`` decides.

    Args:
        final: No more bytes will come: a value that is not complete is broken at the end of the data.

    Raises:
        Broken: With an index into ``data``.
    """
    try:
        raw = _DECODER.decode(memoryview(data)[at:])
    except msgspec.DecodeError as error:
        passed = behind(error)
        if passed:
            end = at + passed
            while data[end - 1] in WHITE:
                end -= 1
            return _ended(data, end)
        if not final and str(error).endswith("truncated"):
            return MORE
    except RecursionError:
        pass
    else:
        end = at + len(raw)
        return end if final or end < len(data) or data[end - 1] in CLOSED else MORE
    return walk(data, at, final)


def _ended(data: bytes, end: int) -> int:
    """A number ends where nothing of a number follows: ``01`` and ``1.5.5`` are no two values."""
    if end < len(data) and data[end] in _NUMERIC and data[end - 1] not in CLOSED:
        raise Broken(end, "the end of a number")
    return end


def walk(data: bytes, at: int, final: bool) -> int:
    """The same as ``value_end`` in Python, without recursion: the authority on what is wrong and where."""
    flat = _FLAT.match(data, at)
    if flat:
        return flat.end()
    try:
        end = _Walker(data).value(at)
    except _Short as short:
        if final:
            raise Broken(len(data), str(short), cut=True) from None
        return MORE
    return end if final or end < len(data) or data[end - 1] in CLOSED else MORE


def string_end(data: bytes, at: int, final: bool) -> int:
    """Index behind the string that starts at ``at``, or MORE. Raises Broken."""
    whole = _TEXT.match(data, at)
    if whole:
        return whole.end()
    try:
        return _Walker(data).key(at)
    except _Short as short:
        if final:
            raise Broken(len(data), str(short), cut=True) from None
        return MORE


class _Walker:
    """One pass over one value; the stack holds a byte for each open bracket."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def value(self, at: int) -> int:
        stack = bytearray()
        at = self._open(at, stack)
        while stack:
            at = skip_white(self.data, at)
            last = stack[-1]
            expected = "',' or '}'" if last == _OPEN_OBJECT else "',' or ']'"
            byte = self._byte(at, expected)
            if byte == _COMMA:
                at = self._open(self._scalars(at + 1, last), stack)
            elif byte == last + 2:
                stack.pop()
                at += 1
            else:
                raise Broken(at, expected)
        return at

    def _open(self, at: int, stack: bytearray) -> int:
        """Consume a scalar, an empty bracket, or opening brackets down to the first scalar."""
        while True:
            at = skip_white(self.data, at)
            byte = self._byte(at, VALUE)
            if byte not in (_OPEN_OBJECT, _OPEN_ARRAY):
                return self._scalar(at, byte)
            at = skip_white(self.data, at + 1)
            inner = self._byte(at, "a key or '}'" if byte == _OPEN_OBJECT else "a JSON value or ']'")
            if inner == byte + 2:
                return at + 1
            stack.append(byte)
            at = self._scalars(at, byte)

    def _scalars(self, at: int, bracket: int) -> int:
        """Consume elements or members that are scalars, each with its comma, and the key of the next one."""
        found = (_MEMBERS if bracket == _OPEN_OBJECT else _ELEMENTS).match(self.data, at)
        at = found.end() if found else at
        return self._member(at) if bracket == _OPEN_OBJECT else at

    def _member(self, at: int) -> int:
        """Consume a key and its colon."""
        at = skip_white(self.data, self.key(skip_white(self.data, at)))
        if self._byte(at, "':'") != _COLON:
            raise Broken(at, "':'")
        return at + 1

    def key(self, at: int) -> int:
        if self._byte(at, "a key") != _QUOTE:
            raise Broken(at, "a key")
        return self._string(at + 1)

    def _scalar(self, at: int, byte: int) -> int:
        if byte == _QUOTE:
            return self._string(at + 1)
        if byte == _MINUS and self._byte(at + 1, "a digit") == 0x49:
            return self._word(at + 1, b"Infinity")
        if byte == _MINUS or 0x30 <= byte <= 0x39:
            return self._number(at + (byte == _MINUS))
        if byte in _WORDS:
            return self._word(at, _WORDS[byte])
        raise Broken(at, VALUE)

    def _word(self, at: int, word: bytes) -> int:
        for index, byte in enumerate(word):
            if self._byte(at + index, word.decode()) != byte:
                raise Broken(at + index, word.decode())
        return at + len(word)

    def _number(self, at: int) -> int:
        end = at + 1 if self._byte(at, "a digit") == 0x30 else self._digits(at)
        if end < self.size and self.data[end] == 0x2E:
            end = self._digits(end + 1)
        if end < self.size and self.data[end] in b"eE":
            sign = self._byte(end + 1, "a digit") in b"+-"
            end = self._digits(end + 1 + sign)
        return _ended(self.data, end)

    def _digits(self, at: int) -> int:
        found = _DIGITS.match(self.data, at)
        end = found.end() if found else at
        if end == at:
            self._byte(at, "a digit")
            raise Broken(at, "a digit")
        return end

    def _string(self, at: int) -> int:
        while True:
            found = _PLAIN.match(self.data, at)
            at = found.end() if found else at
            byte = self._byte(at, "the rest of a string")
            if byte == _QUOTE:
                return at + 1
            if byte != _BACKSLASH:
                raise Broken(at, "a string without control characters")
            at = self._escape(at + 1)

    def _escape(self, at: int) -> int:
        byte = self._byte(at, "the rest of a string")
        if byte in _ESCAPES:
            return at + 1
        if byte != 0x75:
            raise Broken(at, "an escape of JSON")
        for place in range(at + 1, at + 5):
            if self._byte(place, "a hexadecimal digit") not in _HEX:
                raise Broken(place, "a hexadecimal digit")
        return at + 5

    def _byte(self, at: int, expected: str) -> int:
        if at >= self.size:
            raise _Short(expected)
        return self.data[at]
