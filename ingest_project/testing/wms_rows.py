"""Rows as JSON bytes: a template that is filled in where a row is itself, and ready-made stretches elsewhere.

What a row says depends on its id, its version and the seed only. Decides nothing about which rows exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from ingest_project.testing.wms_fields import SET, Field
from ingest_project.testing.wms_ids import FirstRows, mixed
from ingest_project.testing.wms_stamps import SECOND, Stamps
from ingest_project.testing.wms_values import related, value_of

VARIANTS = 32
STRETCH = 12
"""Fields of a ready-made stretch; each stretch comes in VARIANTS."""

BEGINNINGS = 1024
"""Moments at which first rows were created, all before any of them was modified."""
_APART = 40 * 60 * SECOND

STATUS = (0, 10, 20, 90, 99)
USERS = ("INT", "RF1", "RF2", "admin", "wms.ação")

OWN: Mapping[str, int] = {"allocation": 6, "order_hdr": 9, "order_dtl": 8}
"""How many fields after the six that all entities share are a row's own; the others come ready-made."""


class Renderer:
    """Rows of one entity under one address.

    Args:
        base: URL of the entities, without a slash at the end.
        fields: All fields; those that began later are in `since`.
        since: Name of a field -> the moment it began; rows modified before have null there.
        parents: First rows of the entity that a row belongs to: headers of lines, lines of allocations.
        places: Codes of companies and of facilities; each row has one of each.
    """

    def __init__(
        self,
        entity: str,
        base: str,
        *,
        fields: Sequence[Field],
        since: Mapping[str, int],
        seed: int,
        stamps: Stamps,
        first: FirstRows,
        parents: FirstRows | None,
        places: tuple[Sequence[str], Sequence[str]],
    ) -> None:
        self._base, self._seed, self._stamps = base, seed, stamps
        self._first, self._parents = first, parents
        root = f"{base}/{entity}"
        self._head = (
            b'{"id":%%d,"url":"%s/%%d","create_user":%s,"create_ts":"%%s","mod_user":%%s,"mod_ts":"%%s"'
            % (root.encode(), _json(USERS[0]))
        )
        begin = first.modified_at_rank(0) if first.rows else 0
        self._begun = [stamps.text(begin - number * _APART) for number in range(1, BEGINNINGS + 1)]
        self._users = [_json(user) for user in USERS]
        self._places = [_both(base, *pair) for pair in _pairs(places)]
        self._own: Callable[[int, int], bytes] = getattr(self, f"_{entity}")
        shared = 6 + OWN[entity]
        plain = [field for field in fields[shared:] if field.name not in since]
        groups = [plain[at : at + STRETCH] for at in range(0, len(plain), STRETCH)]
        self._stretches = [_variants(group, f"{seed}/{entity}", base) for group in groups]
        self._later = [
            (
                since[field.name],
                _variants([field], f"{seed}/{entity}", base),
                f',"{field.name}":null'.encode(),
            )
            for field in fields[shared:]
            if field.name in since
        ]

    def row(self, row: int, version: int, modified: int, created: int) -> bytes:
        """One row, as it stands in an answer."""
        chance = mixed(row + (version << 40), self._seed)
        begun = self._stamps.text(created) if created else self._begun[row % BEGINNINGS]
        user = self._users[chance % len(USERS)]
        parts = [self._head % (row, row, begun, user, self._stamps.text(modified)), self._own(row, chance)]
        bits = chance
        for stretch in self._stretches:
            parts.append(stretch[bits & 31])
            bits = bits >> 5 or chance ^ 0x5DEECE66D
        for since, variants, missing in self._later:
            parts.append(variants[chance & 31] if modified >= since else missing)
        parts.append(b"}")
        return b"".join(parts)

    def _parent(self, row: int) -> int:
        """The row it belongs to; which one never changes."""
        parents = self._parents
        if parents is None or not parents.rows:
            return 1 + row // 4
        first = self._first
        if row < first.beyond and first.rows:
            return parents.id_at(first.index_from(row) * parents.rows // first.rows)
        return parents.id_at(mixed(row, 5) % parents.rows)

    def _order_hdr(self, row: int, chance: int) -> bytes:
        place = self._places[mixed(row, 11) % len(self._places)]
        kind = chance >> 8 & 3
        base = self._base.encode()
        return (
            b',%s,"order_nbr":"ORD%d","status_id":%d,"order_type_id":{"id":%d,"key":"TYPE%d","url":"%s/order_type/%d"},'
            b'"total_orig_ord_qty":"%d.0000","order_dtl_set":{"result_count":%d,"url":"%s/order_dtl/?order_id=%d"},'
            b'"order_instructions_set":{"result_count":0,"url":"%s/order_instruction/?order_id=%d"},'
            b'"order_lock_set":{"result_count":0,"url":"%s/order_lock/?order_id=%d"}'
        ) % (
            *(place, row, STATUS[chance % 5], kind, kind, base, kind, chance >> 20 & 4095, chance >> 33 & 7),
            *(base, row, base, row, base, row),
        )

    def _order_dtl(self, row: int, chance: int) -> bytes:
        header, base = self._parent(row), self._base.encode()
        ordered = 1 + (chance >> 20 & 255)
        return (
            b',"order_id":{"id":%d,"key":"ORD%d","url":"%s/order_hdr/%d"},"seq_nbr":%d,"status_id":%d,'
            b'"ord_qty":"%d.0000","alloc_qty":"%d.0000","orig_ord_qty":"%d.0000",'
            b'"order_instructions_set":{"result_count":0,"url":"%s/order_instruction/?order_dtl_id=%d"},'
            b'"required_serial_nbr_set":{"result_count":%d,"url":"%s/required_serial_nbr/?order_dtl_id=%d"}'
        ) % (
            *(header, header, base, header, 1 + row % 97, STATUS[chance % 5]),
            *(ordered, (chance >> 30) % (ordered + 1), ordered, base, row, chance >> 40 & 1, base, row),
        )

    def _allocation(self, row: int, chance: int) -> bytes:
        line, base = self._parent(row), self._base.encode()
        given = 1 + (chance >> 20 & 255)
        wave = mixed(row, 13) % 5000
        said = b'{"id":%d,"key":"W%d","url":"%s/wave/%d"}' % (wave, wave, base, wave) if wave & 3 else b"null"
        return (
            b',"order_dtl_id":{"id":%d,"key":"ORD%d - %d","url":"%s/order_dtl/%d"},"alloc_qty":"%d.0000",'
            b'"packed_qty":"%d.0000","status_id":%d,"is_picking_flg":%s,"wave_id":%s'
        ) % (
            *(line, line // 4, 1 + line % 97, base, line, given, (chance >> 30) % (given + 1)),
            *(STATUS[chance % 5], b"true" if chance >> 9 & 1 else b"false", said),
        )

    def codes(self, row: int) -> int:
        """Which pair of company and facility a row has."""
        return mixed(row, 11) % len(self._places)


def _pairs(places: tuple[Sequence[str], Sequence[str]]) -> list[tuple[int, str, int, str]]:
    companies, facilities = places
    return [
        (10 + at, company, 20 + number, facility)
        for at, company in enumerate(companies)
        for number, facility in enumerate(facilities)
    ]


def _both(base: str, company_id: int, company: str, facility_id: int, facility: str) -> bytes:
    """The two relations of an order to its place."""
    one = _json(related(base, "facility", facility_id, facility))
    return b'"facility_id":%s,"company_id":%s' % (one, _json(related(base, "company", company_id, company)))


def _variants(fields: Sequence[Field], word: str, base: str) -> list[bytes]:
    return [
        "".join(f',"{field.name}":{value_of(field, f"{word}/{number}", base)}' for field in fields).encode()
        for number in range(VARIANTS)
    ]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def changeable(entity: str, fields: Sequence[Field], name: str) -> Field:
    """A field whose type can change: none that says which row it is.

    Raises:
        ValueError: There is no such field, or it is a row's own.
    """
    own = 6 + OWN[entity]
    found = next((field for field in fields[own:] if field.name == name), None)
    if found is None:
        raise ValueError(f"{entity} has no field {name!r} that can change")
    if found.kind == SET:
        raise ValueError(f"{entity}.{name} is a set")
    return found
