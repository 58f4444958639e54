"""What a run over made gazettes left behind, compared with what the generator knows: every document.

Holds a few hashes of each document, no text.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from opensearchpy import OpenSearch, helpers

from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.testing.gazette_files import ASSOCIATION, GazetteFile, Gazettes

PAGE = 1000
EXAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One gazette: where it is parked and why, or its texts and the passages in it."""

    kind: str
    parked: tuple[str, str] | None
    texts: frozenset[str] = frozenset()
    passages: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look: the ledger, the rows' database, the node, the index of gazettes and the themes'."""

    ledger: str
    database: str
    node: str
    index: str
    themes: tuple[str, ...]


@dataclass(slots=True)
class Comparison:
    """Documents that are as they should be, by what was looked at, and examples of those that are not."""

    good: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def same(self, what: str, id: str, expected: object, found: object) -> None:
        (self.good if expected == found else self.wrong)[what] += 1
        if expected != found and len(self.examples) < EXAMPLES:
            self.examples.append(f"{what} of {id}: {str(found)[:300]} instead of {str(expected)[:300]}")

    def as_dict(self) -> dict[str, Any]:
        return {"as they should be": dict(self.good), "not": dict(self.wrong), "examples": self.examples}


def truth(gazettes: Gazettes, *, html: bool = False) -> dict[str, Expected]:
    """Id -> what should become of it; with ``html`` those pages have a handler."""
    return {str(one.id): _expected(one, html) for one in gazettes}


def _expected(one: GazetteFile, html: bool) -> Expected:
    if one.cause and not (html and one.kind == "html"):
        return Expected(kind=one.kind, parked=(one.stage, one.cause))
    words = one.segments.values() if one.kind == ASSOCIATION else (one.words,)
    planted = {(title, town) for title, towns in one.passages.items() for town in towns}
    texts = frozenset(map(_hash, words))
    return Expected(kind=one.kind, parked=None, texts=texts, passages=frozenset(planted))


def compare(expected: Mapping[str, Expected], places: Places) -> dict[str, Any]:
    """Each document's account, flag, texts in the index, excerpts and their scores."""
    found = Comparison()
    parked, flagged = dict(_parked(places.ledger)), _flagged(places.database)
    texts, excerpts, unscored = _indexed(places), _excerpts(places), 0
    unscored = sum(score is None for some in excerpts.values() for _, _, score in some)
    for id, one in expected.items():
        found.same("parked for its cause, or not", id, one.parked, parked.pop(id, None))
        found.same("flag", id, one.parked is None, id in flagged)
        found.same("texts in the index", id, one.texts, texts.pop(id, frozenset()))
        planted = {(title, town) for title, town, _ in excerpts.pop(id, ())}
        found.same("subthemes found", id, one.passages, planted)
    for what, left in (("parked", parked), ("texts", texts), ("excerpts", excerpts)):
        found.same(f"{what} of nobody", "", 0, len(left))
    return {"documents": len(expected), "excerpts without a score": unscored, **found.as_dict()}


def _hash(words: str) -> str:
    return hashlib.md5(" ".join(words.split()).encode(), usedforsecurity=False).hexdigest()


def _parked(url: str) -> Iterator[tuple[str, tuple[str, str]]]:
    ledger, after = SqlDocumentLedger(url), ("", "")
    while page := ledger.parked(COLLECTION.name, after=after, limit=PAGE):
        for one in page:
            yield one.id, (one.stage, one.parked.cause)
        after = (page[-1].stage, page[-1].id)
    ledger.close()


def _flagged(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT id FROM gazettes WHERE processed").fetchall()
    return {str(id) for (id,) in rows}


def _indexed(places: Places) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for source in _all(places.node, places.index, ["document_id", "source_text"]):
        id = source["document_id"]
        found[id] = found.get(id, frozenset()) | {_hash(source["source_text"])}
    return found


def _excerpts(places: Places) -> dict[str, list[tuple[str, str, float | None]]]:
    """Document -> subtheme, town and score of each finding."""
    names = ["document_id", "excerpt_subthemes", "source_territory_id", "excerpt_embedding_score"]
    found: dict[str, list[tuple[str, str, float | None]]] = {}
    for index in places.themes:
        for source in _all(places.node, index, names):
            town, score = source["source_territory_id"], source.get("excerpt_embedding_score")
            rows = [(title, town, score) for title in source["excerpt_subthemes"]]
            found.setdefault(source["document_id"], []).extend(rows)
    return found


def _all(node: str, index: str, names: list[str]) -> Iterator[dict[str, Any]]:
    with OpenSearch(hosts=[node], timeout=60) as client:
        client.indices.refresh(index=index)
        for hit in helpers.scan(client, index=index, query={"_source": names}, size=200):
            yield hit["_source"]
