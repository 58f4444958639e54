"""What is wrong, by name: one difference an item, made of the two sides of a pair. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ingest_project.entities.conversations.migration.sides import INDEXES, Entry, Key
from ingest_project.entities.conversations.similarity import vector_of
from ingest_project.entities.conversations.tables import EMBEDDINGS, HASHES, HISTORY, OLD, TTL
from ingest_project.formats.item_digests import item_bytes
from ingest_project.formats.vectors import BrokenVector, cosines

Kind = Literal[
    "lost row",
    "extra row",
    "altered text",
    "wrong key",
    "wrong ttl",
    "wrong attribute",
    "missing embedding",
    "extra embedding",
    "wrong chunk",
    "vector of another text",
    "broken vector",
    "wrong hashes",
    "index gap",
    "index ghost",
    "altered projection",
]

_TEXTS = frozenset({"content", "content_summary", "content_hash", "text_preview"})
_VECTORS = frozenset({"vector_compressed", "vector_codec", "model"})
_SEARCHED = frozenset({*HASHES, "sketch"})
_SAME_TEXT = 0.999
"""Cosine of two vectors of one text, whatever their codecs."""

_MISSING: Mapping[str, Kind] = {HISTORY.word: "lost row", EMBEDDINGS.word: "missing embedding"}
_EXTRA: Mapping[str, Kind] = {HISTORY.word: "extra row", EMBEDDINGS.word: "extra embedding"}
_MOVED: Mapping[str, Kind] = {HISTORY.word: "wrong key", EMBEDDINGS.word: "wrong chunk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One item that is not as it must be.

    Attributes:
        place: ``history``, ``embeddings``, or an index's name.
        key: Of the item, in its table.
        text: What was expected, and what was found.
    """

    kind: Kind
    place: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.place} {self.key}: {self.text}"


class Held:
    """The entries of both sides of one pair, as far as they are looked at closely.

    Attributes:
        expected, actual: By key.
    """

    def __init__(self) -> None:
        self.expected: dict[Key, Entry] = {}
        self.actual: dict[Key, Entry] = {}

    def take(self, entry: Entry) -> None:
        """Hold an entry: of a table without its item, but for the key of the old row behind it."""
        if entry.pair not in INDEXES:
            row = {name: entry.origin[name] for name, _ in OLD.keys.parts if entry.expected}
            entry = replace(entry, origin=row)
        (self.expected if entry.expected else self.actual)[entry.key] = entry

    @property
    def changed(self) -> list[Key]:
        """Keys that both sides have, with other items."""
        both = self.expected.keys() & self.actual.keys()
        return sorted(key for key in both if self.expected[key].digest != self.actual[key].digest)

    @property
    def buckets(self) -> set[int]:
        """Where the two sides differ."""
        differing = (*self.changed, *(self.expected.keys() ^ self.actual.keys()))
        return {side[key].bucket for side in (self.expected, self.actual) for key in differing if key in side}


def unmatched(pair: str, held: Held) -> Iterator[Difference]:
    """Differences of items that only one side has; those whose time is over may have gone, or not."""
    missing, extra = _alone(held.expected, held.actual), _alone(held.actual, held.expected)
    elsewhere = {} if pair in INDEXES else {entry.tie: entry for entry in extra.values()}
    moved: set[Key] = set()
    for key, entry in missing.items():
        found = elsewhere.get(entry.tie)
        if found is not None and found.key not in moved:
            moved.add(found.key)
            yield Difference(
                kind=_MOVED[pair], place=pair, key=_told(key), text=f"stands under {_told(found.key)}"
            )
        else:
            yield _missing(pair, entry)
    for key in extra.keys() - moved:
        kind: Kind = _EXTRA.get(pair, "index ghost")
        without = f"no item of the {INDEXES[pair]}" if pair in INDEXES else "no row of the old table"
        yield Difference(kind=kind, place=pair, key=_told(key), text=f"{without} is behind it")


def changed(pair: str, key: Key, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> Difference:
    """The difference of two items of one key."""
    names = frozenset(
        name for name in expected.keys() | actual.keys() if _one(expected, name) != _one(actual, name)
    )
    kind, more = _kind(pair, names, expected, actual)
    texts = [f"{name} {_shown(actual.get(name))}, not {_shown(expected.get(name))}" for name in sorted(names)]
    text = "; ".join(([more] if more else []) + texts)
    return Difference(kind=kind, place=pair, key=_told(key), text=text)


def _alone(side: Mapping[Key, Entry], other: Mapping[Key, Entry]) -> dict[Key, Entry]:
    return {key: side[key] for key in sorted(side.keys() - other.keys()) if not side[key].expired}


def _missing(pair: str, entry: Entry) -> Difference:
    if pair in INDEXES:
        text = f"the item stands in the {INDEXES[pair]} and not in the index"
        return Difference(kind="index gap", place=pair, key=_told(entry.key), text=text)
    row = entry.origin
    text = f"of the old row {row['user_id']['S']} | {row['sort_key']['S']}"
    return Difference(kind=_MISSING[pair], place=pair, key=_told(entry.key), text=text)


def _kind(
    pair: str, names: frozenset[str], expected: Mapping[str, Any], actual: Mapping[str, Any]
) -> tuple[Kind, str]:
    """The kind, and what else there is to say."""
    if pair in INDEXES:
        return "altered projection", ""
    if pair == EMBEDDINGS.word and names & _VECTORS and (found := _vector(expected, actual)):
        return found
    if names & _TEXTS:
        return "altered text", ""
    if names & _SEARCHED:
        return "wrong hashes", ""
    return ("wrong ttl", "") if names == {TTL} else ("wrong attribute", "")


def _vector(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> tuple[Kind, str] | None:
    try:
        found, wanted = vector_of(actual), vector_of(expected)
        if len(found) != len(wanted):
            return "broken vector", f"{len(found)} dimensions, not {len(wanted)}"
    except BrokenVector as error:
        return "broken vector", str(error)
    if np.array_equal(found, wanted):
        return None
    near = float(cosines(wanted, [found])[0])
    return ("vector of another text", f"cosine {near:.3f} with its own") if near < _SAME_TEXT else None


def _one(item: Mapping[str, Any], name: str) -> bytes:
    return item_bytes({name: item[name]}) if name in item else b""


def _told(key: Key) -> str:
    return " | ".join(key)


def _shown(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "is missing"
    text = repr(next(iter(value.values())))
    return text if len(text) <= 60 else f"{text[:56]}...'"
