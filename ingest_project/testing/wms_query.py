"""A list query of the simulated API as a value: filters, ordering, fields, and which page of it.

Reads and refuses; finds no rows (wms_paging).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from ingest_project.testing.wms_errors import invalid
from ingest_project.testing.wms_fields import SET, Field
from ingest_project.testing.wms_filters import Filters, read_filters
from ingest_project.testing.wms_stamps import Stamps

PAGED, SEQUENCED = "paged", "sequenced"
MOST = 1250
"""Rows of a page at most."""


class Key(NamedTuple):
    """One field of an ordering."""

    name: str
    down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a sequenced page begins: after so many rows of those from a value on.

    Attributes:
        value: Text of the first ordering field in the last row of the page before; empty: from the beginning.
        skip: Rows behind that value which were given already.
        back: The page before, not the one after.
    """

    value: str = ""
    skip: int = 0
    back: bool = False

    def text(self) -> str:
        """As it stands in a link: ``cD0xNDAw`` is ``p=1400``."""
        parts = {"o": str(self.skip)} if self.skip else {}
        parts |= {"r": "1"} if self.back else {}
        parts |= {"p": self.value} if self.value else {}
        return base64.b64encode(urlencode(parts).encode()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked of one entity.

    Attributes:
        keys: Ordering as it was asked; empty: none.
        fields: Fields that were asked for; empty: all.
        number: Page of the paged mode, from 1.
        empty: Status of an answer without rows.
        links: All parameters but those that say which page, for the links.
    """

    filters: Filters
    keys: tuple[Key, ...]
    fields: tuple[str, ...]
    mode: str
    size: int
    number: int
    cursor: Cursor | None
    empty: int
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What may differ from one installation to another.

    Attributes:
        rows_per_page: The user's setting, 10 to 125: rows of a page that says no size.
        refuse_large: A page_size above MOST is an error, and not quietly taken for MOST.
        empty_parameter: Knows ``empty_response_http_code`` (releases from 26A on).
        sequenced_ordering: Honours ``ordering`` in sequenced mode; without it rows come by ascending id.
        shuffled_ties: Rows that the ordering does not tell apart come in another order each time.
    """

    rows_per_page: int = 25
    refuse_large: bool = False
    empty_parameter: bool = True
    sequenced_ordering: bool = True
    shuffled_ties: bool = True


def read_query(text: str, fields: Sequence[Field], stamps: Stamps, habits: Habits) -> Query:
    """The query of a URL.

    Raises:
        Refused: Something in it that the API does not take.
    """
    pairs = parse_qsl(text, keep_blank_values=True)
    last = dict(pairs)
    own = {"page_mode", "page_size", "page", "cursor", "ordering", "fields", "format"}
    own |= {"empty_response_http_code"} if habits.empty_parameter else set()
    if last.get("format", "json") != "json":
        raise invalid("format", "Only json is simulated")
    mode = last.get("page_mode", SEQUENCED if "cursor" in last else PAGED)
    if mode not in (PAGED, SEQUENCED):
        raise invalid("page_mode", "Valid values are paged and sequenced")
    known = {one.name: one for one in fields}
    wanted = tuple(word for word in last.get("fields", "").split(",") if word)
    _known("fields", wanted, known)
    keys = tuple(
        Key(word.lstrip("-"), word.startswith("-")) for word in last.get("ordering", "").split(",") if word
    )
    _known(
        "ordering", [key.name for key in keys], {name: one for name, one in known.items() if one.kind != SET}
    )
    ignored = mode == SEQUENCED and not habits.sequenced_ordering
    return Query(
        filters=read_filters([pair for pair in pairs if pair[0] not in own], fields, stamps),
        keys=() if ignored else keys,
        fields=wanted,
        mode=mode,
        size=_size(last.get("page_size"), habits),
        number=_number(last.get("page", "1")),
        cursor=_cursor(last["cursor"]) if mode == SEQUENCED and "cursor" in last else None,
        empty=_empty(last.get("empty_response_http_code", "404")),
        links=tuple(pair for pair in pairs if pair[0] not in ("page", "cursor")),
    )


def _known(parameter: str, names: Sequence[str], known: Mapping[str, Field]) -> None:
    for name in names:
        if name not in known:
            raise invalid(parameter, f"Invalid field: {name}")


def _size(text: str | None, habits: Habits) -> int:
    if text is None or not text.isdigit() or int(text) == 0:
        return habits.rows_per_page
    if int(text) > MOST and habits.refuse_large:
        raise invalid("page_size", f"Ensure this value is less than or equal to {MOST}")
    return min(int(text), MOST)


def _number(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise invalid("page", "Invalid page")
    return int(text)


def _empty(text: str) -> int:
    if text not in ("200", "204", "404"):
        raise invalid("empty_response_http_code", "Valid values are 200, 204 and 404")
    return int(text)


def _cursor(text: str) -> Cursor:
    try:
        parts = dict(parse_qsl(base64.b64decode(text, validate=True).decode(), strict_parsing=True))
        return Cursor(value=parts.get("p", ""), skip=int(parts.get("o", "0")), back=parts.get("r") == "1")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise invalid("cursor", "Invalid cursor") from None
