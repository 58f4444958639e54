"""RestApi along the links of pages: followed as they are, and only where they may lead."""

from __future__ import annotations

import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.sources.rest_api import PageOutOfOrder, RestApi
from ingest_project_tests.sources.played import BASE, KEYSET, Case, answer, row, rows


def link(cursor: str) -> str:
    return f"{BASE}/entity/allocation/?cursor={cursor}&page_size=2"


def test_the_next_page_is_the_one_of_the_link() -> None:
    case = Case(answer(rows(9, 8, next_page=link("a"))), answer(rows(7)))

    async def both(api: RestApi) -> tuple[int, ...]:
        first = await api.page("allocation", KEYSET)
        second = await api.next(first)
        assert second is not None
        assert await api.next(second) is None
        return tuple(found.id for found in second.rows)

    assert case.ask(both) == (7,)
    assert case.played.targets[1] == "/entity/allocation/?cursor=a&page_size=2"


async def to_the_end(api: RestApi) -> int:
    page, pages = await api.page("allocation", {}), 1
    while (following := await api.next(page)) is not None:
        page, pages = following, pages + 1
    return pages


@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_links_that_go_in_a_circle_end_in_an_error(length: int) -> None:
    circle = [answer({"results": [row(1)], "next_page": link(str(n % length))}) for n in range(100)]
    case = Case(*circle)
    with pytest.raises(PageOutOfOrder, match="its next page is one that was read before"):
        case.ask(to_the_end)
    assert len(case.played.targets) <= 3 * length + 2


def test_a_next_page_that_does_not_advance_ends_in_an_error() -> None:
    case = Case(answer(rows(9, 8, next_page=link("a"))), answer(rows(9, 8, next_page=link("b"))))

    async def both(api: RestApi) -> None:
        await api.next(await api.page("allocation", KEYSET))

    with pytest.raises(PageOutOfOrder, match="id 9 follows id 8"):
        case.ask(both)


ELSEWHERE = [
    "https://other.example/main/wms/lgfapi/v10/entity/allocation/?cursor=a",
    "https://wms.example:8443/main/wms/lgfapi/v10/entity/allocation/?cursor=a",
    "https://wms.example/other/entity/?cursor=a",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_credentials_follow_no_link_to_another_place(url: str) -> None:
    case = Case(answer(rows(9, next_page=url)))
    with pytest.raises(PermanentFailure, match="its next page is elsewhere"):
        case.ask(to_the_end)
    assert len(case.played.targets) == 1


def test_a_link_that_asks_for_too_large_pages_is_not_followed() -> None:
    case = Case(answer(rows(9, next_page=f"{BASE}/entity/allocation/?page_size=5000")))
    with pytest.raises(PageOutOfOrder, match="page_size=5000"):
        case.ask(to_the_end)
