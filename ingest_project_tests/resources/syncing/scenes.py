"""What tests of the sync engine look at, and an API that fails by script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ingest_project.core.paging import Page
from ingest_project_tests.resources.syncing.warehouse import (
    Losses,
    Target,
    Warehouse,
    losses,
)


def asked_for_pages(house: Warehouse) -> list[dict[str, list[str]]]:
    """Queries that were not for a number, a probe or one row."""
    found = [parse_qs(urlsplit(target).query) for target in house.caller.targets]
    return [query for query in found if "ordering" in query and query["page_size"] != ["1"]]


def delivered(house: Warehouse) -> Losses:
    return losses(Target(house.shelf).take(house.landed()).rows(), house.truth())


class Broken:
    """An API whose pages fail as ``fail`` says."""

    def __init__(self, api: Any, fail: Mapping[int, Exception]) -> None:
        self._api, self._fail, self.pages = api, fail, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def page(self, entity: str, query: Mapping[str, str]) -> Page:
        self.pages += 1
        if self.pages in self._fail:
            raise self._fail[self.pages]
        found: Page = await self._api.page(entity, query)
        return found
