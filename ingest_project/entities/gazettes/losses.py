"""What indices have lost: they hold fewer documents than the marks of their stages say. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ingest_project.core.errors import TargetMissing
from ingest_project.entities.gazettes.excerpts import excerpts_stage
from ingest_project.entities.gazettes.indexed import INDEXED
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.entities.gazettes.themes import load_themes
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.connect import opensearch_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.collection import Loss
from ingest_project.sinks.documents import count_documents
from ingest_project.sinks.indexes import refresh_index
from ingest_project.sinks.opensearch_api import OpenSearchApi


def lost(settings: Settings) -> Sequence[Loss]:
    """Indices that somebody deleted, or that came back from an old snapshot; the gazettes' first,
    for excerpts are made of it.

    Raises:
        TransientFailure: The ledger or OpenSearch does not answer.
    """
    settings.gazettes.require()
    expected = {index: number for index, number in _expected(settings).items() if number}
    held = asyncio.run(_held(settings, list(expected))) if expected else {}
    return [
        Loss(
            place=index,
            holds=held[index],
            expected=number,
            advice=f"`ingest gazettes reindex {index}` makes it anew",
        )
        for index, number in expected.items()
        if held[index] < number
    ]


def _expected(settings: Settings) -> dict[str, int]:
    """Index -> documents that its stage says it wrote. Asked before the index is: what is written
    meanwhile is no loss."""
    access = settings.gazettes
    stages = {access.index: INDEXED}
    for theme in load_themes(access.themes) if access.themes else ():
        stages[theme.index] = excerpts_stage(theme)
    ledger = SqlDocumentLedger(settings.ledger_url)
    try:
        return {index: ledger.counted(COLLECTION.name, stage) for index, stage in stages.items()}
    finally:
        ledger.close()


async def _held(settings: Settings, indices: Sequence[str]) -> Mapping[str, int]:
    async with opensearch_api(settings) as api:
        return {index: await _count(api, index) for index in indices}


async def _count(api: OpenSearchApi, index: str) -> int:
    try:
        await refresh_index(api, index)
        return await count_documents(api, index)
    except TargetMissing:
        return 0
