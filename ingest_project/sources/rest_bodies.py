"""Bodies of the warehouse API: pages, descriptions, lists of entities and errors, decoded as far as needed.

What is not as documented is a ValueError that says what; nobody here sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ingest_project.core.paging import Field, RowRef
from ingest_project.wire.answer import Answer

EMPTY = b'{"results": []}'
"""The page that a list without a match stands for where the API says so by 404."""


class _Row(msgspec.Struct):
    id: int
    mod_ts: str | None = None


class Listing(msgspec.Struct):
    """A page of a list. The rest of its rows is checked for syntax, no more."""

    results: list[_Row]
    next_page: str | None = None
    result_count: int | None = None

    @property
    def rows(self) -> tuple[RowRef, ...]:
        return tuple([RowRef(row.id, row.mod_ts or "") for row in self.results])


class _Refusal(msgspec.Struct):
    reference: str = ""
    code: str = ""
    message: str = ""
    details: Any = None


_LISTING = msgspec.json.Decoder(Listing)
_REFUSAL = msgspec.json.Decoder(_Refusal)


def listing(body: bytes) -> Listing:
    """Raises ValueError: cut off, no JSON, not a page of rows with ids, or without rows though it speaks of
    some: taken for the end, it would lose the rest."""
    found = _LISTING.decode(body)
    if not found.results and (found.next_page or found.result_count):
        more = "a next page" if found.next_page else f"result_count {found.result_count}"
        raise ValueError(f"no rows, but {more}")
    return found


def explain(answer: Answer) -> str:
    """What an answer that is no success says, with its code and reference; its beginning where it is no
    error of this API."""
    try:
        said = _REFUSAL.decode(answer.body)
    except ValueError:
        return answer.excerpt()
    if not (said.code or said.message or said.reference):
        return answer.excerpt()
    details = f" {_text(said.details)}" if said.details not in (None, {}, []) else ""
    return f"{said.code or 'no code'}: {said.message}{details} (reference {said.reference or 'none'})"


def description(body: bytes) -> tuple[Field, ...]:
    """Fields by name, in the order sent. Raises ValueError: not a description."""
    fields = _mapping(body).get("fields")
    if isinstance(fields, list):
        fields = {entry.get("name"): entry for entry in fields if isinstance(entry, dict)}
    if not isinstance(fields, dict) or not fields:
        raise ValueError("expected an object with fields")
    return tuple(_field(str(name), entry) for name, entry in fields.items())


def entity_names(body: bytes) -> tuple[str, ...]:
    """Raises ValueError: not a list of entities."""
    found: Any = msgspec.json.decode(body)
    if isinstance(found, dict):
        found = found.get("entities", found.get("results", found))
    names = [entry.get("name", "") if isinstance(entry, dict) else entry for entry in found or ()]
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("expected names of entities")
    return tuple(sorted(names))


def token(body: bytes) -> tuple[str, float]:
    """An access token and the seconds that it lives. Raises ValueError: there is none."""
    found = _mapping(body)
    word, seconds = found.get("access_token"), found.get("expires_in", 0)
    if not isinstance(word, str) or not word:
        raise ValueError("expected access_token")
    return word, float(seconds)


def _mapping(body: bytes) -> Mapping[str, Any]:
    found = msgspec.json.decode(body)
    if not isinstance(found, dict):
        raise ValueError("expected an object")
    return found


def _field(name: str, entry: Any) -> Field:
    if isinstance(entry, str):
        entry = {"type": entry}
    if not isinstance(entry, dict):
        raise ValueError(f"field {name}: expected an object")
    length, default = entry.get("max_length"), entry.get("default")
    return Field(
        name=name,
        type=str(entry.get("type", "")).lower(),
        required=entry.get("required") in (True, "X", "Y", "x", "y"),
        max_length=length if isinstance(length, int) else None,
        default="" if default is None else _text(default),
        choices=tuple(_choice(choice) for choice in entry.get("choices") or ()),
    )


def _choice(choice: Any) -> str:
    """A choice is a value, or a value with the words shown for it."""
    if isinstance(choice, dict):
        choice = choice.get("value", choice.get("id", ""))
    elif isinstance(choice, list) and choice:
        choice = choice[0]
    return choice if isinstance(choice, str) else _text(choice)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
