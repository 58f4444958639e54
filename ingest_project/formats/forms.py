"""Forms: how JSON values are spelled, plain or DynamoDB-typed, and what a scalar's text may be.

Constants only. Patterns are built of them in formats.compiling.
"""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """How values are spelled: what stands before and behind a scalar's text, an array's and an object's
    inside, what parts a name from its value and members from each other, and null.
    """

    scalars: dict[str, tuple[bytes, bytes]]
    array: tuple[bytes, bytes]
    object: tuple[bytes, bytes]
    comma: bytes = b","
    colon: bytes = b":"
    null: bytes = b"null"


PLAIN = Form(dict.fromkeys(("S", "N", "B", "BOOL"), (b"", b"")), (b"[", b"]"), (b"{", b"}"))
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
    null=b'{"NULL":true}',
)

PURE_STRING = rb'"[^"]*+"'
"""A string where no string holds a backslash."""

# A quote ends its string unless an odd number of backslashes stands before it. Runs of more than four are
# left to the exact way. Looking back at a quote is much faster than looking at each byte.
_ESCAPED = rb"(?<=\\)(?:(?<=[^\\]\\)|(?<=[^\\]\\\\\\))"
_CLOSING = rb"(?:(?<!\\)|(?<=[^\\]\\\\)|(?<=[^\\]\\\\\\\\))"
STRING = rb'"[^"]*+(?:' + _ESCAPED + rb'"[^"]*+)*+' + _CLOSING + rb'"'
"""Any string whose escapes are known to be legal."""

# 19 digits before the point, 18 behind and two of exponent: at most 37 digits, 1E-117 to 1E+118.
NUMBER = rb"-?(?:0|[1-9][0-9]{0,18}+)(?:\.[0-9]{1,18}+)?+(?:[eE][+-]?[0-9]{1,2}+)?+"
BASE64 = rb'"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?+"'


def scalar_texts(pure: bool) -> dict[str, bytes]:
    """For each kind of scalar the pattern of its text, in legal JSON; ``pure``: without backslashes."""
    return {"S": PURE_STRING if pure else STRING, "N": NUMBER, "B": BASE64, "BOOL": rb"true|false"}
