"""Makes the index of gazettes, or of a theme, anew beside the one in use, from what the ledger and the text
store have. Nothing is extracted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from ingest_project.core.bucket_standing import by_month
from ingest_project.core.documents import Document, Stage
from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.excerpts import Excerpts
from ingest_project.entities.gazettes.ranked import Ranked, theme_fill
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.entities.gazettes.themes import Theme
from ingest_project.entities.gazettes.workshop import INDEX_SECONDS, Workshop
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.connect import opensearch_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.collection import Log
from ingest_project.resources.documents.reindexing import Fill, Reindexed, Reindexing, through
from ingest_project.resources.engine import event_loop_factory
from ingest_project.sinks.opensearch_api import OpenSearchApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaking:
    """How an index is made anew; see resources.documents.reindexing.Reindexing.run."""

    anew: bool = False
    delete_old: bool = False
    fewer: bool = False


def remake(settings: Settings, name: str, how: Remaking, log: Log) -> Reindexed:
    """Make the index of that alias anew.

    Raises:
        ConfigurationError: It is neither the gazettes' nor a theme's.
    """
    ledger = SqlDocumentLedger(settings.ledger_url)
    workshop = Workshop(settings=settings, ledger=ledger)
    try:
        theme = _theme(workshop, name)
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            return runner.run(_remake(workshop, theme, how, log))
    finally:
        ledger.close()


def _theme(workshop: Workshop, name: str) -> Theme | None:
    """The theme whose index it is; None: the gazettes'."""
    gazettes, themes = workshop.settings.gazettes.index, workshop.themes
    if name == gazettes:
        return None
    for theme in themes:
        if theme.index == name:
            return theme
    known = ", ".join([gazettes, *(theme.index for theme in themes)])
    raise ConfigurationError(f"{name!r} is no index of gazettes: there are {known}")


async def _remake(workshop: Workshop, theme: Theme | None, how: Remaking, log: Log) -> Reindexed:
    settings = workshop.settings
    async with opensearch_api(settings, timeout=INDEX_SECONDS) as api:
        stage, fill = _filling(workshop, api, theme)
        remaking = Reindexing(
            api,
            settings.gazettes.index if theme is None else theme.index,
            lambda beside: workshop.live(api, theme, beside=beside),
            stage.name,
            fill,
            partial(_pages, workshop.ledger, stage),
            require_write=lambda name: settings.require_write("opensearch", name),
            log=log,
            at_once=(settings.gazettes.bulk, settings.gazettes.workers),
        )
        return await remaking.run(anew=how.anew, delete_old=how.delete_old, fewer=how.fewer)


def _filling(workshop: Workshop, api: OpenSearchApi, theme: Theme | None) -> tuple[Stage, Fill]:
    """The stage whose documents stand in the index, and what writes them."""
    if theme is None:
        indexed = workshop.indexed(workshop.live(api, None))
        return indexed, indexed.fill
    index = workshop.live(api, theme)
    excerpts = Excerpts(theme, workshop.live(api, None), index)
    return excerpts, theme_fill(excerpts, Ranked(theme, index, workshop.encoder()))


def _pages(ledger: SqlDocumentLedger, stage: Stage) -> Iterable[Sequence[Document]]:
    months = by_month(ledger.states(COLLECTION.name))
    buckets = [bucket for month in sorted(months) for bucket in COLLECTION.buckets(month)]
    return through(ledger, buckets, stage)
