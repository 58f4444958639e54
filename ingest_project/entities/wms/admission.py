"""RowAdmission of the warehouse: rows of the API -> part lines, flattened, typed and with their versions.

The layout of rows is learned from the first one; one that no template knows goes the exact way, which is the
rule, knows the contract and finds what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ingest_project.core.fields import FieldBook, HeldFields
from ingest_project.core.model import Admitted, Chunk, RecordBatch, Rejection
from ingest_project.entities.wms.contract import Contract
from ingest_project.entities.wms.kinds import KEY, MOMENT, NULL, is_timestamp, is_whole, members
from ingest_project.entities.wms.templates import RowTemplate, row_template
from ingest_project.entities.wms.tombstones import MARK, tombstone
from ingest_project.entities.wms.values import (
    NOTHING,
    VERSION,
    Member,
    aside_attribute,
    attribute,
    flattened,
    json_text,
    version_of,
)
from ingest_project.formats.dynamodb_json import ITEM_BYTES, SURELY_SMALL, key_of
from ingest_project.formats.json_tree import Refused, decode_text, parse
from ingest_project.formats.keys import key_hash
from ingest_project.formats.python_items import item_of
from ingest_project.formats.typed_values import check_name, item_size, name_text

MOST_LESSONS = 100
"""Layouts that one admission asks for: some 20 ms each where the process does not know them."""

ID_DIGITS = 18


class Made(NamedTuple):
    """A good row."""

    line: bytes
    hash: bytes


def admission(chunk: Chunk, book: FieldBook | None = None) -> WarehouseAdmission:
    """The contract for one chunk; without a book what it learns is known to nobody else."""
    return WarehouseAdmission(chunk, book if book is not None else HeldFields())


class WarehouseAdmission:
    """core.ports.Admission for rows of one entity; one for each chunk, not shared by threads."""

    def __init__(self, chunk: Chunk, book: FieldBook) -> None:
        self._keys = chunk.keys
        self._contract = Contract(chunk.entity, book)
        self._growth, self._lessons, self._spaced = 0, MOST_LESSONS, False
        self._layouts: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
        self._last: tuple[tuple[str, str], ...] = ()

    def __call__(self, batch: RecordBatch) -> Admitted:
        known = _is_legal(batch.text) and not self._spaced
        raws = batch.raws if known else [_legal(bytes(raw)) for raw in batch.raws]
        pure = b"\\" not in (batch.text or b"".join(map(bytes, raws)))
        made = self._fast(raws, pure)
        rejections: list[Rejection] = []
        for at, one in enumerate(made):
            if one is None:
                try:
                    made[at] = self._one(bytes(batch.raws[at]), pure)
                except Refused as refused:
                    rejections.append(_rejection(batch, at, refused))
        if not rejections:
            lines, hashes = zip(*made, strict=True) if made else ((), ())
            return Admitted(lines=lines, hashes=hashes, offsets=batch.offsets)
        good = [(one, offset) for one, offset in zip(made, batch.offsets, strict=True) if one]
        return Admitted(
            lines=[one.line for one, _ in good],
            hashes=[one.hash for one, _ in good],
            offsets=[offset for _, offset in good],
            rejections=rejections,
        )

    def _fast(self, raws: Sequence[bytes], pure: bool) -> list[Made | None]:
        """What the template of the last row knows."""
        template = row_template(self._last, self._keys, pure) if self._last else None
        if template is None:
            return [None] * len(raws)
        matches = list(map(template.match, raws))
        rows = [match.groups(b"") for match in matches if match]
        found = map(Made, template.lines(rows), template.hashes(rows))
        return [next(found) if match else None for match in matches]

    def _one(self, raw: bytes, pure: bool) -> Made:
        """A row by the template of its own layout, or the exact way. Raises Refused."""
        compact, row = _taken_apart(raw)
        layout = self._layouts.get((*row,))
        spaced = len(compact) < len(raw)
        if layout and (layout != self._last or (spaced and not self._spaced)):
            template = row_template(layout, self._keys, pure)
            made = template and _filled(template, compact)
            if made:
                self._last, self._spaced = layout, self._spaced or spaced
                return made
        if MARK in row:
            return self._checked(tombstone({name: bytes(value) for name, value in row.items()}))
        made = self._checked(self._exact(row))
        self._learn(row)
        return made

    def _exact(self, row: Mapping[str, msgspec.Raw]) -> dict[str, bytes]:
        """The attributes of a row, value by value. Raises Refused."""
        found: dict[str, bytes] = {}
        for name, raw in row.items():
            text = bytes(raw)
            check_name(name)
            try:
                made = self._members(name, text)
                if name == MOMENT:
                    made.append((VERSION, b'{"N":"%d"}' % _version(text)))
            except Refused as refused:
                raise refused if refused.path else refused.under(name) from None
            found |= made[:1]
            for extra, value in made[1:]:
                if extra not in row or extra == VERSION:
                    found[extra] = value
        _check_row(row)
        return found

    def _members(self, name: str, text: bytes) -> list[Member]:
        kind = self._contract.kind(name, text)
        if kind:
            return list(flattened(name, kind, text))
        if text == NULL:
            return [(attribute(name), NOTHING)]
        return [(attribute(name), NOTHING), (aside_attribute(name), json_text(text))]

    def _learn(self, row: Mapping[str, object]) -> None:
        if self._growth != self._contract.growth:
            self._layouts.clear()
            self._growth = self._contract.growth
        names = (*row,)
        if names in self._layouts or self._lessons <= 0:
            return
        self._lessons -= 1
        self._last = self._layouts[names] = tuple((name, self._contract.first(name)) for name in names)

    def _checked(self, item: Mapping[str, bytes]) -> Made:
        """The part line of typed attributes. Raises Refused: DynamoDB takes no such key, or no item so
        large."""
        key = {name: parse(item[name]) for name, _ in self._keys.parts if name in item}
        line = b'{"Item":{%b}}' % b",".join(name_text(name) + b":" + value for name, value in item.items())
        if len(line) > SURELY_SMALL and (size := item_size(item_of(line))) > ITEM_BYTES:
            raise Refused(f"the item has {size} bytes, at most {ITEM_BYTES} are allowed")
        return Made(line, key_hash(key_of(key, self._keys, typed=True)))


def _filled(template: RowTemplate, compact: bytes) -> Made | None:
    match = template.match(compact)
    if match is None:
        return None
    rows = [match.groups(b"")]
    return Made(template.lines(rows)[0], template.hashes(rows)[0])


def _taken_apart(raw: bytes) -> tuple[bytes, dict[str, msgspec.Raw]]:
    """A row without white space, and its fields. Raises Refused: no object, or a name stands twice."""
    try:
        raw.decode()
        compact = msgspec.json.format(raw, indent=-1)
        row = members(compact)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        raise _reason(raw) from None
    size = 1 + sum(len(name_text(name)) + len(value) + 2 for name, value in row.items())
    if size != len(compact):
        # Names with escapes, or names that stand twice: only the latter are refused.
        parse(compact)
    return compact, row


def _reason(raw: bytes) -> Refused:
    try:
        parse(raw)
    except Refused as refused:
        return refused
    return Refused("the record is no object")


def _version(text: bytes) -> int:
    if text == NULL or not is_timestamp(decode_text(text)):
        raise Refused("without it a row has no version")
    version = version_of(decode_text(text))
    if version < 2:
        raise Refused(f"{text.decode()} is before 1970")
    return version


def _check_row(row: Mapping[str, msgspec.Raw]) -> None:
    """What no row lacks. Raises Refused."""
    text = bytes(row.get(KEY, NULL))
    if not is_whole(text) or text.startswith(b"-") or len(text) > ID_DIGITS:
        raise Refused(f"not the id of a row: {text[:40].decode()}", KEY)
    if MOMENT not in row:
        raise Refused("is missing, and without it a row has no version", MOMENT)


def _is_legal(text: bytes) -> bool:
    """Whether a decoder has seen all rows, and their strings are UTF-8."""
    if not text:
        return False
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _legal(raw: bytes) -> bytes:
    """A row as templates may see it; empty when it is none."""
    try:
        raw.decode()
        return msgspec.json.format(raw, indent=-1)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return b""


def _rejection(batch: RecordBatch, at: int, refused: Refused) -> Rejection:
    raw = bytes(batch.raws[at])
    return Rejection(
        ordinal=batch.first + at,
        offset=batch.offsets[at],
        reason=str(refused),
        raw=raw,
        key=_readable_id(raw),
    )


class _Key(msgspec.Struct):
    id: int


def _readable_id(raw: bytes) -> str:
    try:
        return str(msgspec.json.decode(raw, type=_Key).id)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
