"""Deletions: which known ids the source has no more, by counting ranges and halving those that differ.

    range --counts are equal--> nothing to do
          --they differ, more than a page--> halved at the middle known id, one count for both halves
          --they differ, one page--> its ids are listed: gone = known - listed, missed = listed - known

A row is gone only when a second look by its id finds nothing either. Nothing is stored here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from ingest_project.core.paging import MOST_ROWS, Page, PagedApi
from ingest_project.core.syncing import Bookmark, LastValues, Slice
from ingest_project.ledgers.known_ids import KnownIds
from ingest_project.resources.syncing.walks import descending

IDS_PER_LOOK = 100
"""In one ``id__in``: the longest ids still make a short URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What stands between us and the source below ``upto``.

    Attributes:
        gone: Ids that the source has no more.
        missed: Pages with rows that had not landed although they are old.
        upto: Ids below it are compared.
    """

    gone: tuple[int, ...] = ()
    missed: tuple[Page, ...] = ()
    upto: int = 0

    @property
    def bookmark(self) -> Bookmark:
        return Bookmark(last_id=self.upto)


class Comparison:
    """One comparison of a range.

    Args:
        page_rows: So many known ids, or fewer, are listed and not counted.

    Attributes:
        counts, lists, looks: Requests so far: for a number, for the ids of a range, for ids by name.
    """

    def __init__(
        self, api: PagedApi, resource: str, known: KnownIds, entity: str, *, page_rows: int = MOST_ROWS
    ) -> None:
        self._api, self._resource, self._known, self._entity = api, resource, known, entity
        self._page_rows = page_rows
        self.counts = self.lists = self.looks = 0

    async def differences(self, part: Slice, bookmark: Bookmark) -> AsyncGenerator[Difference]:
        """From the bookmark up; one at least at each place that differs, one at the end."""
        low = int(part.low) if bookmark.last_id is None else bookmark.last_id
        high = int(part.high)
        waiting: list[tuple[int, int, int | None]] = [(low, high, None)] if low < high else []
        while waiting:
            low, high, theirs = waiting.pop()
            ours = self._known.count(self._entity, low, high)
            if theirs is None:
                theirs = await self._count(low, high)
            if theirs == ours:
                continue
            if ours <= self._page_rows:
                yield await self._listed(low, high, theirs)
                continue
            middle = self._known.nth(self._entity, low, ours // 2)
            if middle is None:
                raise AssertionError(f"{self._entity}: {ours} ids are known from {low} on, and no middle one")
            below = await self._count(low, middle)
            waiting += [(middle, high, theirs - below), (low, middle, below)]
        yield Difference(upto=int(part.high))

    async def _count(self, low: int, high: int) -> int:
        self.counts += 1
        return await self._api.count(self._resource, {"id__gte": str(low), "id__lt": str(high)})

    async def _listed(self, low: int, high: int, count: int) -> Difference:
        """The range id by id; ``count`` rows are expected."""
        whole = Slice(
            entity=self._entity, date="", sync=0, number=0, slot=0, mode="", low=str(low), high=str(high)
        )
        theirs: set[int] = set()
        if count > 0:
            async with aclosing(
                descending(self._api, self._resource, whole, Bookmark(), fields="id")
            ) as pages:
                async for page, _ in pages:
                    self.lists += 1
                    theirs.update(row.id for row in page.rows)
                    # What stands behind them came meanwhile; what is not there is looked up once more.
                    if len(theirs) >= count:
                        break
        ours = set(self._known.ids(self._entity, low, high))
        gone = [one for some in _some(ours - theirs) for one in await self._gone(some)]
        missed = [await self._look(some) for some in _some(theirs - ours)]
        return Difference(gone=tuple(gone), missed=tuple(page for page in missed if page.rows), upto=high)

    async def _gone(self, ids: Sequence[int]) -> list[int]:
        page = await self._look(ids, fields="id")
        found = {row.id for row in page.rows}
        return [one for one in ids if one not in found]

    async def _look(self, ids: Sequence[int], fields: str = "") -> Page:
        self.looks += 1
        query = {"ordering": "id", "id__in": ",".join(map(str, ids))}
        return await self._api.page(self._resource, query | ({"fields": fields} if fields else {}))


def _some(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """Ids in order, as many at a time as one look takes."""
    ordered = sorted(ids)
    return (ordered[at : at + IDS_PER_LOOK] for at in range(0, len(ordered), IDS_PER_LOOK))


async def tombstones(entity: str, gone: Sequence[int], moment: str, last_values: LastValues | None) -> bytes:
    """A page of tombstones: each with the values that its row had last, where they are known.

    Args:
        moment: Of the deletion, in the source's mod_ts time; no version of these rows that landed is later.
    """
    values: Mapping[int, bytes] = await last_values(entity, gone) if last_values else {}
    rows = []
    for one in gone:
        item = values.get(one, b"{}").decode()
        rows.append(f'{{"id":{one},"__tombstone__":{{"deleted_ts":{json.dumps(moment)},"item":{item}}}}}')
    return f'{{"next_page":null,"previous_page":null,"results":[{",".join(rows)}]}}'.encode()
