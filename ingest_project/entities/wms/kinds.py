"""Kinds of fields: which kind a name, a description or a value speaks for, and which values a kind takes.

A value is the compact JSON text that the API sent; nothing is changed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from ingest_project.formats.json_tree import decode_text
from ingest_project.formats.numbers import JSON_NUMBER

TEXT, INTEGER, DECIMAL, BOOLEAN, TIMESTAMP, DATE = (
    "text",
    "integer",
    "decimal",
    "boolean",
    "timestamp",
    "date",
)
RELATION, SET, OBJECT = "relation", "set", "object"

KEY = "id"
MOMENT = "mod_ts"
NULL = b"null"

_NAMES = {
    "_id": RELATION,
    "_key": TEXT,
    "_qty": DECIMAL,
    "_ts": TIMESTAMP,
    "_flg": BOOLEAN,
    "_set": SET,
}
_LETTERS = {"s": TEXT, "n": DECIMAL, "i": INTEGER, "b": BOOLEAN, "s@ts": TIMESTAMP, "s@d": DATE}
_WORDS = {
    TEXT: "text string str char varchar charfield textfield choice email url uuid",
    INTEGER: "integer int bigint biginteger long short smallint smallinteger autofield",
    DECIMAL: "decimal number numeric float double",
    BOOLEAN: "boolean bool",
    TIMESTAMP: "timestamp datetime date-time",
    DATE: "date",
    RELATION: "relation related field foreignkey foreign_key fk",
    SET: "set list array relatedset related_set",
    OBJECT: "object nested json dict",
}
_BY_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}

DAY = (
    r"(?:(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])))"
)
"""A day of any year; the 29th of February is looked up in the calendar."""
TIME = (
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
)

_DAY, _STAMP = re.compile(DAY), re.compile(DAY + TIME)
_LEAP_DAY, _LEAP_STAMP = re.compile(r"[0-9]{4}-02-29"), re.compile(r"[0-9]{4}-02-29" + TIME)
_WHOLE = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")

members: Callable[[bytes], dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""The members of an object, values as they stand."""


def kind_of_name(name: str) -> str:
    """By the ending of a field's name; empty when that says nothing."""
    if name == KEY:
        return INTEGER
    return next((kind for ending, kind in _NAMES.items() if name.endswith(ending)), "")


def kind_of_letter(name: str, letter: str) -> str:
    """By the list of known fields. A relation is flattened there: what the API sends is told by its name."""
    named = kind_of_name(name)
    return named if named in (RELATION, SET) else _LETTERS[letter]


def kind_of_word(name: str, word: str) -> str:
    """By the description's type; the name where that word is none that is known."""
    return _BY_WORD.get(word.strip().lower().replace(" ", ""), "") or kind_of_name(name)


def kind_of_value(text: bytes) -> str:
    """By a value; empty for null."""
    first = text[:1]
    if first == b'"':
        return _kind_of_text(decode_text(text))
    if first in (b"t", b"f"):
        return BOOLEAN
    if first == b"[":
        return SET
    if first == b"{":
        names = members(text).keys()
        return RELATION if fits(RELATION, text) else SET if "result_count" in names else OBJECT
    if first == b"n":
        return ""
    return INTEGER if _WHOLE.fullmatch(text) else DECIMAL


def _kind_of_text(text: str) -> str:
    if is_timestamp(text):
        return TIMESTAMP
    if is_date(text):
        return DATE
    return DECIMAL if _FRACTION.fullmatch(text) else TEXT


def fits(kind: str, text: bytes) -> bool:
    """Whether a field of this kind takes the value; null it always takes."""
    return text == NULL or _FITS[kind](text)


def is_whole(text: bytes) -> bool:
    return _WHOLE.fullmatch(text) is not None


def is_text(text: bytes) -> bool:
    return text.startswith(b'"')


def number_of(text: bytes) -> bytes:
    """The digits of a decimal, which the API sends as a quoted string."""
    return decode_text(text).encode() if is_text(text) else text


def is_timestamp(text: str) -> bool:
    """An ISO-8601 moment with its offset, on a day that there was."""
    if _STAMP.fullmatch(text):
        return True
    return _LEAP_STAMP.fullmatch(text) is not None and _is_day(text[:10])


def is_date(text: str) -> bool:
    """An ISO-8601 day."""
    return _DAY.fullmatch(text) is not None or (_LEAP_DAY.fullmatch(text) is not None and _is_day(text))


def _is_day(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_relation(text: bytes) -> bool:
    if not text.startswith(b"{"):
        return is_whole(text)
    found = {name: bytes(value) for name, value in members(text).items()}
    row, key = found.get("id", b""), found.get("key", NULL)
    return (is_whole(row) or is_text(row)) and (key == NULL or is_text(key))


_FITS: Mapping[str, Callable[[bytes], bool]] = {
    TEXT: is_text,
    INTEGER: is_whole,
    DECIMAL: lambda text: JSON_NUMBER.fullmatch(number_of(text)) is not None,
    BOOLEAN: lambda text: text in (b"true", b"false"),
    TIMESTAMP: lambda text: is_text(text) and is_timestamp(decode_text(text)),
    DATE: lambda text: is_text(text) and is_date(decode_text(text)),
    RELATION: _is_relation,
    SET: lambda text: text[:1] in (b"[", b"{"),
    OBJECT: lambda text: text[:1] in (b"[", b"{"),
}
