"""Stages ``ranked/<theme>``: how near in meaning an excerpt is to its theme, beside the excerpt.

The model is an argument. Only excerpts that have no score of this model and these subthemes get one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest_project.core.documents import INDEXING, Delayed, Document, Done, Outcome, fingerprint_of
from ingest_project.core.encoding import Encoder, Vector, best_cosine
from ingest_project.core.errors import PermanentFailure
from ingest_project.core.posting import NotTaken
from ingest_project.entities.gazettes import searching
from ingest_project.entities.gazettes.excerpts import Excerpts, absent, excerpts_stage
from ingest_project.entities.gazettes.indices import BASIS, DOCUMENT, EXCERPT, EXCERPT_ID, SCORE
from ingest_project.entities.gazettes.tagging import Tagger
from ingest_project.entities.gazettes.themes import Theme
from ingest_project.resources.documents.reindexing import Fill
from ingest_project.sinks.live_index import LiveIndex, merge_body

LEAST = 0.0001
"""Of a score: OpenSearch's rank_feature takes nothing that is not above 0."""

AT_ONCE = 64
"""Excerpts that the model gets together."""

_FORM = "1"
_WEIGHT = searching.FRAGMENT * searching.FRAGMENTS


def ranked_stage(theme: Theme) -> str:
    """Name of a theme's stage."""
    return f"ranked/{theme.index}"


@dataclass(slots=True)
class Ranked:
    """core.documents.Stage of one theme.

    Attributes:
        basis: Of a score: the model and the subthemes.
    """

    theme: Theme
    index: LiveIndex
    encoder: Encoder
    batch: int = searching.GAZETTES
    name: str = field(init=False)
    after: tuple[str, ...] = field(init=False)
    state: str = field(default=INDEXING, init=False)
    basis: str = field(init=False)
    _tagger: Tagger = field(init=False)
    _titles: list[Vector[float]] = field(default_factory=list, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self.name, self.after = ranked_stage(self.theme), (excerpts_stage(self.theme),)
        self.basis = fingerprint_of(_FORM, self.encoder.name, *self.theme.titles)
        self._tagger = Tagger(self.theme)

    def fingerprint(self, document: Document) -> str:
        return fingerprint_of(self.basis, document.marks[self.after[0]].output)

    def weight(self, document: Document) -> int:
        return _WEIGHT

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        await self.index.open()
        await self.index.refresh()
        late = await absent(self.index, documents, self.after[0])
        ids = [document.id for document, delayed in zip(documents, late, strict=True) if delayed is None]
        try:
            await self.score(ids, self.index)
        except NotTaken as error:
            return [delayed or Delayed(reason=str(error)) for delayed in late]
        return [
            delayed or Done(output=self.fingerprint(document))
            for document, delayed in zip(documents, late, strict=True)
        ]

    async def score(self, ids: Sequence[str], index: LiveIndex) -> int:
        """Give the excerpts of these documents that have none their score; how many they were.

        Raises:
            NotTaken: Not now.
            PermanentFailure: The index refuses one.
        """
        unscored = {"must_not": [{"term": {BASIS: self.basis}}]}
        query = {"bool": {"filter": [{"terms": {DOCUMENT: list(ids)}}], **unscored}}
        found: list[tuple[str, str]] = []
        scored = 0
        async for hit in index.hits(query, (DOCUMENT, EXCERPT_ID), _source=[EXCERPT]):
            found.append((hit["_id"], self._tagger.bare(hit["_source"][EXCERPT])))
            if len(found) == AT_ONCE:
                scored += await self._post(found, index)
                found = []
        return scored + await self._post(found, index)

    async def _post(self, found: Sequence[tuple[str, str]], index: LiveIndex) -> int:
        if not found:
            return 0
        scores = await self._scores([text for _, text in found])
        bodies = [
            merge_body(name, {SCORE: score, BASIS: self.basis})
            for (name, _), score in zip(found, scores, strict=True)
        ]
        for number, reason in (await index.post(bodies)).items():
            raise PermanentFailure(f"{index.name}: the score of {found[number][0]} was refused: {reason}")
        return len(found)

    async def _scores(self, texts: Sequence[str]) -> list[float]:
        async with self._lock:
            if not self._titles:
                self._titles = await asyncio.to_thread(self.encoder.encode, self.theme.titles)
        return await asyncio.to_thread(self._compared, texts)

    def _compared(self, texts: Sequence[str]) -> list[float]:
        return [max(LEAST, best_cosine(vector, self._titles)) for vector in self.encoder.encode(texts)]


def theme_fill(excerpts: Excerpts, ranked: Ranked) -> Fill:
    """What fills a new index of a theme: excerpts, and their scores."""

    async def fill(documents: Sequence[Document], index: LiveIndex) -> Sequence[Outcome]:
        outcomes = await excerpts.fill(documents, index)
        await index.refresh()
        await ranked.score([document.id for document in documents], index)
        return outcomes

    return fill
