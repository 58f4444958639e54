"""Estimates of an API: how many rows an entity has, how large and how slow a page of it is.

A few requests an entity; writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from ingest_project.core.paging import PagedApi
from ingest_project.core.sync_pace import Measured

SAMPLE_PAGES = 3
"""The quickest of them counts: the first one may have waited for a connection or its turn."""


async def measure(
    api: PagedApi, entity: str, clock: Callable[[], float], *, rows: int | None = None
) -> Measured:
    """Ask for the number of rows and for the newest pages.

    Args:
        rows: Instead of asking.

    Raises:
        IngestError: The API does not answer, or not as documented.
    """
    total = await api.count(entity, {}) if rows is None else rows
    query, seconds, size, seen = {"ordering": "-id"}, list[float](), 0, 0
    for _ in range(SAMPLE_PAGES if total else 0):
        begun = clock()
        page = await api.page(entity, query)
        if not page.rows:
            break
        seconds.append(clock() - begun)
        size, seen = size + len(page.body), seen + len(page.rows)
        query = {"ordering": "-id", "id__lt": str(page.rows[-1].id)}
    return Measured(
        entity=entity,
        rows=total,
        row_bytes=size / seen if seen else 0.0,
        page_seconds=min(seconds, default=0.0),
    )
