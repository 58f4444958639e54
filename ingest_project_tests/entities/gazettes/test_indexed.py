"""Stage ``indexed`` on a real node: how gazettes are found, what leaves the index, what is not taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ingest_project.core.documents import Delayed, Done, Parked
from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.indexing import IndexContract
from ingest_project.core.posting import NotTaken
from ingest_project.entities.gazettes import indices
from ingest_project.entities.gazettes.indexed import Indexed
from ingest_project.sinks import indexes
from ingest_project.sinks.live_index import LiveIndex
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.entities.gazettes.press import Press, live, poster, settings


def stage(press: Press, index: LiveIndex) -> Indexed:
    return Indexed(index, press, press.segments, "gazettes", batch=3)


def fresh(api: OpenSearchApi, name: str, **more: Any) -> LiveIndex:
    return live(api, name, indices.gazettes(), settings(**more))


async def found(api: OpenSearchApi, name: str, **query: object) -> list[str]:
    """Ids of what a query finds, in the index's order."""
    body = {"query": query or {"match_all": {}}, "size": 100}
    hits = (await api.call("POST", f"/{name}/_search", body))["hits"]["hits"]
    return [hit["_id"] for hit in hits]


async def standing(api: OpenSearchApi, name: str) -> dict[str, dict[str, Any]]:
    hits = (await api.call("POST", f"/{name}/_search", {"size": 100}))["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


async def indexed(api: OpenSearchApi, name: str, press: Press, **more: Any) -> dict[str, Any]:
    index = fresh(api, name, **more)
    ended = await press.run(stage(press, index))
    await index.close()
    return ended


async def test_gazettes_are_found_by_stems_by_phrases_and_by_words_as_they_stand(
    api: OpenSearchApi, index_name: str
) -> None:
    press = Press()
    press.print("1", "Decretos sobre a licitação das águas", date="2026-11-19")
    press.print("2", "Licitações de água", territory_id="2700102", date="2026-11-20")
    press.print("3", "Nada", territory_id="2700102", date="2026-11-21", power="")
    ended = await indexed(api, index_name, press)
    assert {"1": "1", "2": "1", "3": "1"} == {id: one.facts["documents"] for id, one in ended.items()}
    one, two, three = (
        f"{press.fields[id]['territory_id']}_{press.fields[id]['date']}_{press.fields[id]['file_checksum']}"
        for id in "123"
    )
    assert [three, two, one] == await found(api, index_name)
    assert {one, two} == set(await found(api, index_name, match={"source_text": "licitação"}))
    assert [one] == await found(
        api, index_name, match_phrase={"source_text.with_stopwords": "licitações das águas"}
    )
    assert [two] == await found(
        api, index_name, match_phrase={"source_text.with_stopwords": "licitação de águas"}
    )
    assert [two] == await found(api, index_name, match={"source_text.exact": "LICITAÇÕES"})
    source = (await standing(api, index_name))[three]
    assert ("3", "memory", "2026-11-21 10:11:12.131415") == (
        source["document_id"],
        source["text_uri"].partition(":")[0],
        source["scraped_at"],
    )
    assert "power" not in source
    on_day = {"scraped_at": {"gte": "2026-11-21T10:11:12", "lt": "2026-11-21T10:11:13"}}
    assert 3 == len(await found(api, index_name, range=on_day))


async def test_the_index_is_sorted_and_keeps_where_terms_stand(api: OpenSearchApi, index_name: str) -> None:
    state = await fresh(api, index_name).open()
    assert (f"{index_name}-first", {index_name}) == (state.name, set(state.aliases))
    sort = state.settings["sort"]
    assert (["territory_id", "date"], ["asc", "desc"]) == (sort["field"], sort["order"])
    mappings = (await api.call("GET", f"/{index_name}/_mapping"))[state.name]["mappings"]
    text = mappings["properties"]["source_text"]
    ways = [text, text["fields"]["with_stopwords"], text["fields"]["exact"]]
    assert ["with_positions_offsets"] * 3 == [way["term_vector"] for way in ways]
    # What stands is what the contract says, and none of it is told as a contradiction the second time.
    assert state.uuid == (await fresh(api, index_name).open()).uuid


async def test_an_association_s_gazette_is_as_many_documents_as_it_has_towns(
    api: OpenSearchApi, index_name: str
) -> None:
    press = Press()
    press.print("1", "inteiro", territory_id="2700000", territory_name="Alagoas")
    press.cut("1", {"2700102": "parte um", "2700201": "parte dois"})
    assert "2" == (await indexed(api, index_name, press))["1"].facts["documents"]
    sources = (await standing(api, index_name)).values()
    assert {("2700102", "parte um"), ("2700201", "parte dois")} == {
        (one["territory_id"], one["source_text"]) for one in sources
    }
    press.cut("1", {"2700102": "parte um", "2700300": "parte três"})
    assert press.segments.kept["1"].gone
    assert "2" == (await indexed(api, index_name, press))["1"].facts["documents"]
    assert {"parte um", "parte três"} == {
        one["source_text"] for one in (await standing(api, index_name)).values()
    }
    assert press.segments.kept["1"].gone == ()


async def test_what_a_gazette_was_before_leaves_the_index_even_when_its_run_was_killed(
    api: OpenSearchApi, index_name: str
) -> None:
    press = Press()
    for id in "1234":
        press.print(id, f"texto {id}")
    index = fresh(api, index_name, fast=True, holder="killed")
    killed = stage(press, index)
    await killed.run(press.wanted(killed))
    assert "-1" == (await fresh(api, index_name).open()).setting("refresh_interval")
    press.print("2", "outro texto", edition_number="7")
    await indexed(api, index_name, press, dead=["killed"])
    assert {"texto 1", "outro texto", "texto 3", "texto 4"} == {
        one["source_text"] for one in (await standing(api, index_name)).values()
    }
    state = await indexes.find_index(api, index_name)
    assert state is not None
    assert (None, None) == (state.setting("refresh_interval"), state.mark.get("load"))
    assert {} == await press.run(stage(press, fresh(api, index_name)))


async def test_load_mode_ends_with_the_run_and_what_it_wrote_is_found(
    api: OpenSearchApi, index_name: str
) -> None:
    press = Press()
    press.print("1", "texto")
    index = fresh(api, index_name, fast=True)
    await press.run(stage(press, index))
    state = await indexes.find_index(api, index_name)
    assert state is not None
    assert ("-1", "0") == (state.setting("refresh_interval"), state.setting("number_of_replicas"))
    await index.close()
    state = await indexes.find_index(api, index_name)
    assert state is not None
    assert (None, "1") == (state.setting("refresh_interval"), state.setting("number_of_replicas"))
    assert 1 == len(await found(api, index_name))


async def test_one_gazette_that_the_index_refuses_or_whose_text_is_gone_harms_no_other(
    api: OpenSearchApi, index_name: str
) -> None:
    press = Press()
    press.print("1", "um")
    press.print("2", "dois", file_checksum="c" * 600)
    press.print("3", "três")
    press.print("4", "quatro")
    del press.texts[press.marks["3"]["texts"].facts["uri"]]
    ended = await indexed(api, index_name, press)
    assert {"um", "quatro"} == {one["source_text"] for one in (await standing(api, index_name)).values()}
    assert [Done, Parked, Delayed, Done] == [type(one) for one in ended.values()]
    assert isinstance(ended["2"], Parked)
    assert "refused by the index" == ended["2"].cause
    assert "is too long" in ended["2"].detail
    assert isinstance(ended["3"], Delayed)
    assert "there is no such text" in ended["3"].reason


async def test_what_the_server_does_not_take_for_now_waits_for_the_next_run(
    api: OpenSearchApi, index_name: str
) -> None:
    class Weary(LiveIndex):
        async def post(self, bodies: Sequence[bytes]) -> dict[int, str]:
            raise NotTaken("gave up after 5 attempts: HTTP 429")

    press = Press()
    press.print("1", "um")
    index = Weary(api, index_name, indices.gazettes(), poster, settings())
    await index.open()
    ended = await press.run(stage(press, index))
    assert {"1": Delayed(reason="gave up after 5 attempts: HTTP 429")} == ended


async def test_an_index_of_another_contract_is_left_as_it_is_and_the_command_is_named(
    api: OpenSearchApi, index_name: str
) -> None:
    other = IndexContract(fields={"territory_id": indices.gazettes().fields["date"]}, dynamic="false")
    await live(api, index_name, other, settings()).open()
    with pytest.raises(
        PermanentFailure, match=f"territory_id has type date.*`ingest index rebuild {index_name}`"
    ):
        await fresh(api, index_name).open()


async def test_requests_hold_no_more_than_they_may(api: OpenSearchApi, index_name: str) -> None:
    press = Press()
    for number in range(8):
        press.print(str(number), f"{number}" * 100)
    sent: list[int] = []

    class Counting(LiveIndex):
        async def post(self, bodies: Sequence[bytes]) -> dict[int, str]:
            sent.append(len(bodies))
            assert all(json.loads(body.split(b"\n")[0])["index"]["_id"] for body in bodies)
            return await super().post(bodies)

    index = Counting(api, index_name, indices.gazettes(), poster, settings())
    await press.run(stage(press, index))
    await index.close()
    assert [3, 3, 2] == sent
    assert 8 == len(await found(api, index_name))


async def test_a_node_that_is_long_in_refreshing_fails_no_run(
    api: OpenSearchApi, index_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def late(api: OpenSearchApi, name: str) -> None:
        raise TransientFailure(f"{name}: no answer within 120 s")

    press, index = Press(), fresh(api, index_name, fast=True)
    press.print("1", "Decreto")
    assert isinstance((await press.run(stage(press, index)))["1"], Done)
    with monkeypatch.context() as patch:
        patch.setattr(indexes, "refresh_index", late)
        await index.close()
    state = await indexes.find_index(api, index_name)
    assert state is not None
    assert "-1" != state.setting("refresh_interval")
    await index.refresh()
    assert 1 == len(await found(api, index_name))
