"""`ingest plan wms.ENTITY...`: what reading entities of the warehouse API whole needs, before it is done."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ingest_project.core.sync_pace import Measured
    from ingest_project.resources.deployments import Settings

_NAMES = re.compile(r"wms\.(?P<entity>[a-z][a-z0-9_]*)", re.ASCII)


def entities_of(names: Sequence[str]) -> tuple[str, ...]:
    """Entities of the API that are named, not files; empty when files are.

    Raises:
        click.UsageError: Some are the one, some the other.
    """
    found = [_NAMES.fullmatch(name) if not Path(name).exists() else None for name in names]
    entities = tuple(match["entity"] for match in found if match)
    if entities and len(entities) < len(names):
        raise click.UsageError("name files, or entities of the API (wms.allocation), not both")
    return entities


def plan_entities(
    entities: Sequence[str], *, deadline: float | None, workers: int | None, rows: int | None, form: str
) -> int:
    """Measure, reckon and show.

    Args:
        deadline: Seconds.
        rows: Of each entity, instead of asking.
        form: ``text``, ``json`` or ``openmetrics``.
    """
    from ingest_project.core.metrics import as_openmetrics
    from ingest_project.core.sync_pace import Means, rating, read_plan, sentences
    from ingest_project.resources.deployments import load_settings

    settings = load_settings()
    access = settings.wms if workers is None else replace(settings.wms, at_once=workers)
    means = Means(page_rows=access.page_size, workers=access.at_once, quota=access.quota)
    found = asyncio.run(_measured(settings, entities, rows))
    plan = read_plan(found, means, deadline)
    if form == "openmetrics":
        click.echo(as_openmetrics(plan.metrics()), nl=False)
    elif form == "json":
        reckoned = {"rows_per_second": plan.rows_per_second, "seconds": plan.seconds}
        words = {"rating": rating(plan.rows_per_second), "sentences": list(sentences(plan))}
        measured = [asdict(one) for one in found]
        click.echo(json.dumps({**asdict(plan), **reckoned, **words, "measured": measured}, indent=2))
    else:
        for text in sentences(plan):
            click.echo(text)
    return 1 if plan.feasible is False else 0


async def _measured(settings: Settings, entities: Sequence[str], rows: int | None) -> list[Measured]:
    from ingest_project.resources.api_client import paged_api
    from ingest_project.resources.api_estimating import measure

    async with paged_api(settings) as api:
        return [await measure(api, entity, time.monotonic, rows=rows) for entity in entities]
