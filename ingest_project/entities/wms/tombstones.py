"""Tombstones: what stands for a row that the API no longer has. The last values stay, with when they went.

{"id": 7, "__tombstone__": {"deleted_ts": "2026-01-02T03:04:05+00:00", "item": {the current item, typed}}}
"""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.entities.wms.kinds import KEY, is_timestamp, is_whole, members
from ingest_project.entities.wms.values import DELETED, DELETED_AT, RESERVED, VERSION, version_of
from ingest_project.formats.json_tree import Node, Refused, decode_text, parse
from ingest_project.formats.typed_values import typed_text

MARK = "__tombstone__"


def tombstone(row: Mapping[str, bytes]) -> dict[str, bytes]:
    """The attributes of a tombstone, typed: those of the item with ``deleted``, ``deleted_ts`` and a version.

    That is the odd one behind the moment, which is in the source's time and no earlier than any version of
    the row that was read. So rows that are still on their way to the table lose against it.

    Raises:
        Refused: It is not what a tombstone must be.
    """
    digits = row.get(KEY, b"")
    if not is_whole(digits):
        raise Refused("not the id of a row", KEY)
    try:
        return _attributes(digits, row[MARK])
    except Refused as refused:
        raise refused.under(MARK) from None


def _attributes(digits: bytes, mark: bytes) -> dict[str, bytes]:
    said = {name: bytes(value) for name, value in members(mark).items()} if mark.startswith(b"{") else {}
    moment = said.get(DELETED_AT, b"")
    if not moment.startswith(b'"') or not is_timestamp(decode_text(moment)):
        raise Refused("not a moment with an offset", DELETED_AT)
    item = parse(said.get("item", b"{}"))
    own: Node = {"N": b'"%b"' % digits}
    if item == b"null":
        item = {}
    if not isinstance(item, dict) or item.get(KEY, own) != own:
        raise Refused("not the item of this row", "item")
    version = max(_version_of(item.get(VERSION)), version_of(decode_text(moment)))
    kept = {name: value for name, value in item.items() if name not in (KEY, *RESERVED)}
    return {
        KEY: b'{"N":"%b"}' % digits,
        **{name: _typed(name, value) for name, value in kept.items()},
        VERSION: b'{"N":"%d"}' % (version | 1),
        DELETED: b'{"BOOL":true}',
        DELETED_AT: b'{"S":%b}' % moment,
    }


def _typed(name: str, value: Node) -> bytes:
    try:
        return typed_text(value)
    except Refused as refused:
        raise refused.under(name) from None


def _version_of(value: Node | None) -> int:
    """The version of the last values; 0 where there are none."""
    text = value.get("N", b"") if isinstance(value, dict) else b""
    digits = text.strip(b'"') if isinstance(text, bytes) else b""
    if value is not None and not digits.isdigit():
        raise Refused("not a whole number", "item", VERSION)
    return int(digits or b"0")
