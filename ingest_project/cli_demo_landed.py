"""What became of made gazettes in every place that they go to, beside what is true of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest_project.core.bucket_standing import MonthStanding, standing
from ingest_project.core.errors import TargetMissing
from ingest_project.entities.gazettes import indices
from ingest_project.entities.gazettes.spec import COLLECTION, TEXTS
from ingest_project.entities.gazettes.tagging import Tagger
from ingest_project.entities.gazettes.themes import Theme, load_themes
from ingest_project.entities.gazettes.workshop import register_of
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.connect import opensearch_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.postgresql import Postgres
from ingest_project.sinks.indexes import index_path, refresh_index
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.testing.gazette_files import Gazettes

SHOWN = 96
"""Characters of an excerpt in a table."""

_ALL = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Excerpts of one subtheme: how many, and the one with the highest score."""

    subtheme: str
    number: int
    score: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What was read back.

    Attributes:
        parked: (stage, cause) -> gazettes.
        indexed: Id of a gazette -> its documents in the index.
        passages: (subtheme, territory) of the excerpts.
        unflagged: Rows of the database that are not processed.
    """

    states: MonthStanding
    parked: Mapping[tuple[str, str], int]
    texts: int
    indexed: Mapping[str, int]
    passages: frozenset[tuple[str, str]]
    excerpts: Sequence[Best]
    unflagged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One number beside what it must be."""

    what: str
    found: str
    true: str
    good: bool


def landed(settings: Settings, ledger: SqlDocumentLedger, gazettes: Gazettes) -> Landed:
    """Ask the ledger, the indices and the database."""
    (theme,) = load_themes(settings.gazettes.themes) if settings.gazettes.themes else ()
    whole, excerpts = asyncio.run(_documents(settings, theme))
    parked = Counter[tuple[str, str]]()
    for one in ledger.parked_counts(COLLECTION.name):
        parked[one.stage, one.cause] += one.documents
    months = {f"{one.date:%Y-%m}" for one in gazettes}
    counts = [ledger.stage_counts(COLLECTION.name, month) for month in months]
    texts = sum(one.get(TEXTS, {}).get("done", 0) for one in counts)
    return Landed(
        states=standing(ledger.states(COLLECTION.name)),
        parked=parked,
        texts=texts,
        indexed=Counter(one[indices.DOCUMENT] for one in whole),
        passages=frozenset(
            (title, one[f"{indices.SOURCE}territory_id"])
            for one in excerpts
            for title in one[indices.SUBTHEMES]
        ),
        excerpts=[_best(title, excerpts, Tagger(theme)) for title in theme.titles],
        unflagged=_unflagged(settings),
    )


def compared(found: Landed, gazettes: Gazettes) -> list[Finding]:
    """Each number beside the truth."""
    all_of_them = list(gazettes)
    good = [one for one in all_of_them if not one.cause]
    titles = {one.subtheme for one in found.excerpts}
    planted = {
        (title, territory)
        for one in good
        for title, territories in one.passages.items()
        if title in titles
        for territory in territories
    }
    readable = [one for one in all_of_them if one.stage not in ("downloaded", TEXTS)]
    parked = Counter((one.stage, one.cause) for one in all_of_them if one.cause)
    parts = {str(one.id): len(one.segments) or 1 for one in good}
    towns = {str(one.id): len(one.segments) for one in good if one.segments}
    cut = sum(found.indexed.get(id, 0) for id in towns)
    return [
        _same("gazettes through", found.states.completed, len(good)),
        _same(
            "gazettes parked, each for its cause", found.states.failed, parked.total(), found.parked == parked
        ),
        _same("texts in the store", found.texts, len(readable)),
        _same(f"segments of {len(towns)} gazettes of associations", cut, sum(towns.values())),
        _same(
            "documents in the index", sum(found.indexed.values()), sum(parts.values()), found.indexed == parts
        ),
        _same(
            "passages found by theme and town", len(found.passages), len(planted), found.passages == planted
        ),
        _same("rows still to be processed", found.unflagged, len(all_of_them) - len(good)),
    ]


def _same(what: str, found: int, true: int, also: bool = True) -> Finding:
    return Finding(what=what, found=f"{found:,}", true=f"{true:,}", good=found == true and also)


def _best(title: str, excerpts: Sequence[Mapping[str, Any]], tagger: Tagger) -> Best:
    mine = [one for one in excerpts if title in one[indices.SUBTHEMES]]
    first = max(mine, key=lambda one: float(one.get(indices.SCORE, 0)), default={})
    text = tagger.bare(first.get(indices.EXCERPT, ""))
    return Best(
        subtheme=title,
        number=len(mine),
        score=float(first.get(indices.SCORE, 0)),
        text=text if len(text) <= SHOWN else f"{text[:SHOWN]}...",
    )


def _unflagged(settings: Settings) -> int:
    postgres = Postgres(settings.gazettes.database_url, most=1)
    try:
        return register_of(settings, postgres).count_open()
    finally:
        postgres.close()


async def _documents(settings: Settings, theme: Theme) -> tuple[list[Any], list[Any]]:
    """Sources of the index of gazettes and of the theme's."""
    async with opensearch_api(settings) as api:
        fields = [
            indices.DOCUMENT,
            indices.SUBTHEMES,
            indices.EXCERPT,
            indices.SCORE,
            f"{indices.SOURCE}territory_id",
        ]
        return await _sources(api, settings.gazettes.index, fields), await _sources(api, theme.index, fields)


async def _sources(api: OpenSearchApi, index: str, fields: Sequence[str]) -> list[Any]:
    try:
        await refresh_index(api, index)
        body = {"size": _ALL, "_source": list(fields)}
        found = await api.call("POST", f"{index_path(index)}/_search", body)
    except TargetMissing:
        return []
    return [hit["_source"] for hit in found["hits"]["hits"]]
