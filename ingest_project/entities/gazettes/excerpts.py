"""Stages ``excerpts/<theme>``: what a theme's queries find in the gazettes, into the theme's own index."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest_project.core.documents import (
    INDEXING,
    Delayed,
    Document,
    Done,
    Outcome,
    Parked,
    fingerprint_of,
)
from ingest_project.core.posting import NotTaken
from ingest_project.entities.gazettes import searching
from ingest_project.entities.gazettes.indexed import DOCUMENTS, INDEXED
from ingest_project.entities.gazettes.indices import (
    COMPANIES,
    DOCUMENT,
    ENTITIES,
    EXCERPT,
    EXCERPT_ID,
    FIELDS,
    REVISION,
    SOURCE,
    SUBTHEMES,
)
from ingest_project.entities.gazettes.tagging import Tagger
from ingest_project.entities.gazettes.themes import Theme
from ingest_project.sinks import mappings
from ingest_project.sinks.live_index import LiveIndex, merge_body

_FORM = "1"
_IN_ORDER = (DOCUMENT, "territory_id", "file_checksum")
_WEIGHT = searching.FRAGMENT * searching.FRAGMENTS * 4


def excerpts_stage(theme: Theme) -> str:
    """Name of a theme's stage."""
    return f"excerpts/{theme.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """One document of the theme's index, and the place of its gazette among those of the call."""

    place: int
    id: str
    body: bytes


@dataclass(slots=True)
class Excerpts:
    """core.documents.Stage of one theme.

    Attributes:
        gazettes: Where to look.
        index: The theme's own.
    """

    theme: Theme
    gazettes: LiveIndex
    index: LiveIndex
    batch: int = searching.GAZETTES
    name: str = field(init=False)
    after: tuple[str, ...] = field(default=(INDEXED,), init=False)
    state: str = field(default=INDEXING, init=False)
    _basis: str = field(init=False)
    _tagger: Tagger = field(init=False)
    _queries: list[tuple[str, dict[str, Any]]] = field(default_factory=list, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self.name = excerpts_stage(self.theme)
        self._tagger = Tagger(self.theme)
        # Another way to split gazettes into words finds other excerpts.
        words = mappings.fingerprint(self.gazettes.contract)
        self._basis = fingerprint_of(_FORM, self.theme.fingerprint, words, self.index.alias)

    def fingerprint(self, document: Document) -> str:
        return fingerprint_of(self._basis, document.marks[INDEXED].output)

    def weight(self, document: Document) -> int:
        return _WEIGHT

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        return await self.fill(documents, self.index)

    async def fill(self, documents: Sequence[Document], index: LiveIndex) -> list[Outcome]:
        """``run`` into any index of the theme."""
        await self.gazettes.open()
        await self.gazettes.refresh()
        outcomes: list[Outcome | None] = list(await absent(self.gazettes, documents, INDEXED))
        wanted = {documents[place].id: place for place, known in enumerate(outcomes) if known is None}
        found = await self._found(documents, wanted)
        try:
            refused = await index.post([one.body for one in found])
        except NotTaken as error:
            return [outcome or Delayed(reason=str(error)) for outcome in outcomes]
        for number, reason in refused.items():
            one = found[number]
            outcomes[one.place] = Parked(cause="refused by the index", detail=f"{one.id}: {reason}")
        kept = {id: self.fingerprint(documents[place]) for id, place in wanted.items() if not outcomes[place]}
        await index.sweep(kept)
        ids: list[set[str]] = [set() for _ in documents]
        for one in found:
            ids[one.place].add(one.id)
        return [outcome or _done(names) for outcome, names in zip(outcomes, ids, strict=True)]

    async def _found(self, documents: Sequence[Document], wanted: Mapping[str, int]) -> list[Excerpt]:
        """Excerpts of the gazettes, each with all of its subthemes."""
        if not wanted:
            return []
        pairs: dict[str, list[tuple[str, str]]] = {}
        sources: dict[str, Mapping[str, Any]] = {}
        revisions = [documents[place].marks[INDEXED].fingerprint for place in wanted.values()]
        for title, query in await self._searches():
            asked = {"bool": {"must": [query], "filter": [{"terms": {REVISION: revisions}}]}}
            source, highlight = [DOCUMENT, *FIELDS], searching.highlight()
            async for hit in self.gazettes.hits(asked, _IN_ORDER, _source=source, highlight=highlight):
                sources[hit["_id"]] = hit["_source"]
                texts = searching.fragments_of(hit)
                pairs.setdefault(hit["_id"], []).extend((title, text) for text in texts)
        return [
            self._excerpt(documents, wanted[sources[name][DOCUMENT]], (name, sources[name]), text, titles)
            for name, found in pairs.items()
            for text, titles in searching.merged(found).items()
        ]

    def _excerpt(
        self,
        documents: Sequence[Document],
        place: int,
        found: tuple[str, Mapping[str, Any]],
        text: str,
        titles: Sequence[str],
    ) -> Excerpt:
        gazette, source = found
        name = excerpt_id(gazette, text)
        tagged = self._tagger.tagged(text)
        made = {
            DOCUMENT: documents[place].id,
            REVISION: self.fingerprint(documents[place]),
            EXCERPT: tagged.text,
            EXCERPT_ID: excerpt_id(source["file_checksum"], text),
            SUBTHEMES: titles,
            ENTITIES: tagged.entities,
            COMPANIES: tagged.companies,
        }
        # A merge leaves what is not named as it was; so a value that is no more is named as none.
        fields = {SOURCE + name: source.get(name) for name in FIELDS}
        return Excerpt(place=place, id=name, body=merge_body(name, made | fields))

    async def _searches(self) -> list[tuple[str, dict[str, Any]]]:
        """Title and query of each subtheme; the index's analyzer is asked once."""
        async with self._lock:
            if not self._queries:
                terms = await self.gazettes.terms(searching.FIELD, self.theme.phrases)
                self._queries = [
                    (query.title, searching.search_of(query, terms)) for query in self.theme.queries
                ]
            return self._queries


async def absent(index: LiveIndex, documents: Sequence[Document], stage: str) -> list[Delayed | None]:
    """Why documents can't be worked on: not all that a stage says it wrote of them stands in its index.

    An index that was lost is no gazette without a finding.
    """
    standing = await index.standing([document.id for document in documents])
    found: list[Delayed | None] = []
    for document in documents:
        mark = document.marks[stage]
        there = standing.get(document.id, {}).get(mark.fingerprint, 0)
        expected = int(mark.facts.get(DOCUMENTS, "0"))
        short = f"{index.name} holds {there} of {expected} documents of {document.id}: it has to be made anew"
        found.append(None if there == expected else Delayed(reason=short))
    return found


def excerpt_id(gazette: str, text: str) -> str:
    """``_id`` of an excerpt, of that of its gazette: the same words in two gazettes are two excerpts, also
    where both rows have one file. Of the file's checksum alone: its field ``excerpt_id``."""
    return f"{gazette}_{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"


def _done(ids: Iterable[str]) -> Done:
    names = sorted(ids)
    return Done(output=fingerprint_of(json.dumps(names)), facts={DOCUMENTS: str(len(names))})
