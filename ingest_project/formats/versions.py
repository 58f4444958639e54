"""Versions of records: the integer attribute that says which of two records of one key is newer, read out of
part lines and put into what a target compares. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

MOST_DIGITS = 18
"""OpenSearch takes versions below 2**63."""

VersionOf = Callable[[bytes], bytes]
"""Part line -> its version's digits. Raises BadVersion."""
Encode = Callable[[Sequence[bytes]], tuple[Sequence[bytes], Mapping[int, str]]]

_CONDITION = b'"ExpressionAttributeValues":{":v":{"N":"%b"}},%b'
_EXTERNAL = b'%b,"version":%b,"version_type":"external_gte"%b'


class BadVersion(ValueError):
    """A record without a version, or with one that is none."""


def version_reader(attribute: str) -> VersionOf:
    """Reads the attribute at the top of a line's item, wherever else a name like it stands."""
    number = msgspec.defstruct("Number", [("N", str)])
    item = msgspec.defstruct("Item", [("version", number)], rename={"version": attribute})
    line = msgspec.defstruct("Line", [("Item", item)])
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(line)

    def version_of(text: bytes) -> bytes:
        try:
            digits: str = decoder.decode(text).Item.version.N
        except msgspec.DecodeError as error:
            raise BadVersion(f"{attribute}: {error}") from error
        if not (digits.isascii() and digits.isdigit() and len(digits) <= MOST_DIGITS and int(digits)):
            raise BadVersion(f"{attribute} is no integer from 1 to 18 digits: {digits[:40]}")
        return digits.encode()

    return version_of


def condition_encoder(version_of: VersionOf) -> Encode:
    """Part lines -> the ends of PutItem requests, as sinks.versioned wants them."""

    def body(line: bytes, place: int) -> bytes:
        return _CONDITION % (version_of(line), line[1:])

    return _each(body)


def external_encoder(
    inner: Callable[[Sequence[bytes]], tuple[Sequence[bytes], object]], of: VersionOf
) -> Encode:
    """Part lines -> bulk bodies whose actions carry the version; ``inner`` makes them without."""

    def encode(lines: Sequence[bytes]) -> tuple[Sequence[bytes], Mapping[int, str]]:
        bodies, _ = inner(lines)

        def body(line: bytes, place: int) -> bytes:
            made = bodies[place]
            # An id is a JSON string: no line break stands in it.
            end = made.index(b"\n") - 2
            return _EXTERNAL % (made[:end], of(line), made[end:])

        return _each(body)(lines)

    return encode


def _each(body: Callable[[bytes, int], bytes]) -> Encode:
    def encode(lines: Sequence[bytes]) -> tuple[Sequence[bytes], Mapping[int, str]]:
        bodies: list[bytes] = []
        refused: dict[int, str] = {}
        for place, line in enumerate(lines):
            try:
                bodies.append(body(line, place))
            except BadVersion as error:
                bodies.append(b"")
                refused[place] = str(error)
        return bodies, refused

    return encode
