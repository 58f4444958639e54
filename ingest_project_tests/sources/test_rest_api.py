"""RestApi over answers that a test plays: order, filters, broken pages, refusals, in virtual time."""

from __future__ import annotations

import json

import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.paging import Field, RowRef
from ingest_project.sources.rest_api import (
    BrokenPage,
    NoSuchEntity,
    OutOfTime,
    PageOutOfOrder,
    PagingRules,
    RestApi,
)
from ingest_project_tests.sources.played import KEYSET, Case, answer, row, rows


def test_a_page_has_its_rows_by_id_and_moment_and_its_body_as_sent() -> None:
    sent = answer(rows(9, 7, 3, result_count=3))
    case = Case(sent)
    page = case.ask(lambda api: api.page("allocation", KEYSET))
    moment = "2026-07-03T10:15:00.000000-03:00"
    assert page.rows == (RowRef(9, moment), RowRef(7, moment), RowRef(3, moment))
    assert (page.body, page.next_page, page.result_count) == (sent.body, "", 3)
    assert page.request.startswith("/entity/allocation/?")


def test_a_query_has_the_page_size_the_mode_and_the_filters_of_the_rules() -> None:
    case = Case(answer(rows()), rules=PagingRules(page_size=500, filters={"company_id__code": "A & B"}))
    case.ask(lambda api: api.page("order_hdr", KEYSET))
    assert case.query() == {
        "page_mode": "sequenced",
        "page_size": "500",
        "company_id__code": "A & B",
        "ordering": "-id",
        "id__lt": "100",
    }


def test_no_page_is_ever_asked_for_with_more_than_1250_rows() -> None:
    case = Case(answer(rows()))
    with pytest.raises(ValueError, match="1 to 1250 rows, not 1251"):
        case.ask(lambda api: api.page("order_hdr", {"page_size": "1251"}))
    with pytest.raises(ValueError, match="not 2000"):
        PagingRules(page_size=2000)
    assert case.played.targets == []


def test_a_count_asks_for_one_id() -> None:
    case = Case(answer(rows(5, result_count=12_345)))
    assert case.ask(lambda api: api.count("order_dtl", {"id__gte": "1", "id__lt": "9"})) == 12_345
    wanted = {"page_mode": "paged", "page_size": "1", "fields": "id", "id__gte": "1", "id__lt": "9"}
    assert case.query() == wanted


def test_a_list_without_a_match_is_an_empty_page_though_the_api_says_404() -> None:
    nothing = answer({"reference": "r", "code": "NOT_FOUND", "message": "No records"}, 404)
    described = answer({"fields": {"id": {"type": "integer", "required": "X"}}})
    case = Case(nothing, described, nothing)
    page = case.ask(lambda api: api.page("allocation", KEYSET))
    assert (page.rows, page.next_page, json.loads(page.body)) == ((), "", {"results": []})
    assert case.ask(lambda api: api.count("allocation", KEYSET)) == 0
    assert [target.partition("?")[0] for target in case.played.targets] == [
        "/entity/allocation/",
        "/entity/allocation/describe/",
        "/entity/allocation/",
    ]


def test_an_entity_that_is_not_there_is_an_error_that_names_it() -> None:
    case = Case(answer({"code": "NOT_FOUND"}, 404))
    with pytest.raises(NoSuchEntity, match="allocations/describe/: there is no entity allocations"):
        case.ask(lambda api: api.page("allocations", KEYSET))


def test_a_refusal_is_told_with_code_message_details_and_reference() -> None:
    said = {"reference": "5f2c", "code": "VALIDATION_ERROR", "message": "bad", "details": {"id__lt": ["no"]}}
    case = Case(answer(said, 400))
    with pytest.raises(PermanentFailure) as caught:
        case.ask(lambda api: api.page("allocation", KEYSET))
    assert 'HTTP 400: VALIDATION_ERROR: bad {"id__lt":["no"]} (reference 5f2c)' in str(caught.value)
    assert "id__lt=100" in str(caught.value)


BROKEN_BODIES = [
    b"",
    b'{"results": [{"id": 5, "mod_ts": "2026-07',
    b"<html>busy</html>",
    b'{"results": [{"id": "five"}]}',
    b'{"results": [{"mod_ts": "2026-07-03T10:15:00Z"}]}',
    b'{"results": {}}',
    b'{"results": [], "next_page": "https://wms.example/"}',
    b'{"results": [], "result_count": 5}',
    b"[]",
]


@pytest.mark.parametrize("body", BROKEN_BODIES)
def test_a_broken_page_is_asked_for_again(body: bytes) -> None:
    case = Case(answer(body), answer(rows(5)))
    assert [found.id for found in case.ask(lambda api: api.page("allocation", KEYSET)).rows] == [5]
    assert case.played.targets[0] == case.played.targets[1]


def test_a_page_that_stays_broken_ends_in_an_error_that_names_the_request() -> None:
    case = Case(answer(b'{"results": [{"id"'))
    with pytest.raises(BrokenPage) as caught:
        case.ask(lambda api: api.page("allocation", KEYSET))
    assert "ordering=-id&id__lt=100: 4 times no whole page" in str(caught.value)
    assert "(18 bytes)" in str(caught.value)
    assert len(case.played.targets) == 4


DISORDER = [
    ({"ordering": "-id"}, [9, 9], "ordering=-id was not kept: id 9 follows id 9"),
    ({"ordering": "-id"}, [3, 9], "id 9 follows id 3"),
    ({"ordering": "id"}, [9, 3], "id 3 follows id 9"),
    ({"ordering": "-id", "id__lt": "9"}, [9, 8], "filter id__lt=9 was not kept: id 9"),
    ({"ordering": "-id", "id__gte": "5"}, [9, 4], "filter id__gte=5 was not kept: id 4"),
    ({"ordering": "id", "mod_ts__gt": "2026-07-03T13:15:00Z"}, [1], "filter mod_ts__gt"),
]


@pytest.mark.parametrize(("query", "ids", "said"), DISORDER)
def test_a_page_that_does_not_keep_to_its_query_ends_in_an_error(
    query: dict[str, str], ids: list[int], said: str
) -> None:
    case = Case(answer(rows(*ids)))
    with pytest.raises(PageOutOfOrder) as caught:
        case.ask(lambda api: api.page("allocation", query))
    assert said in str(caught.value)
    assert "INGEST_WMS_PAGE_MODE=paged" in str(caught.value)


def test_moments_must_not_go_back_and_ids_break_their_ties() -> None:
    ordered = {"results": [row(5, 1), row(9, 1), row(2, 2)]}
    assert len(Case(answer(ordered)).ask(lambda api: api.page("a", {"ordering": "mod_ts,id"})).rows) == 3
    for wrong in ([row(9, 1), row(5, 1)], [row(1, 2), row(2, 1)]):
        with pytest.raises(PageOutOfOrder, match="ordering=mod_ts,id was not kept"):
            Case(answer({"results": wrong})).ask(lambda api: api.page("a", {"ordering": "mod_ts,id"}))


def test_a_page_that_was_repeated_by_mistake_is_asked_for_again() -> None:
    case = Case(answer(rows(120, 110)), answer(rows(99, 98)))
    assert [found.id for found in case.ask(lambda api: api.page("allocation", KEYSET)).rows] == [99, 98]


def test_the_time_of_the_run_ends_the_request_that_is_under_way() -> None:
    case = Case(answer(rows(9)), rules=PagingRules(run_seconds=10), seconds=4)
    began = case.clock()

    async def for_ever(api: RestApi) -> None:
        while True:
            await api.page("allocation", KEYSET)

    with pytest.raises(OutOfTime, match="the 10 s of this run are over"):
        case.ask(for_ever)
    assert case.clock() - began == pytest.approx(10)


def test_fields_are_described_with_what_matters() -> None:
    sent = {
        "parameters": ["id"],
        "fields": {
            "id": {"type": "Integer", "required": "X"},
            "status_id": {"type": "string", "required": "C", "max_length": 20, "default": "10"},
            "kind": {"type": "string", "required": "N", "choices": [["A", "All"], {"value": "B"}, 3]},
        },
    }
    assert Case(answer(sent)).ask(lambda api: api.describe("allocation")) == (
        Field(name="id", type="integer", required=True),
        Field(name="status_id", type="string", max_length=20, default='"10"'),
        Field(name="kind", type="string", choices=("A", "B", "3")),
    )


@pytest.mark.parametrize(
    "sent",
    [["b", "a"], {"entities": ["a", "b"]}, {"b": "url", "a": "url"}, [{"name": "a"}, {"name": "b"}]],
)
def test_entities_are_listed_by_name(sent: object) -> None:
    assert Case(answer(sent)).ask(lambda api: api.entities()) == ("a", "b")
