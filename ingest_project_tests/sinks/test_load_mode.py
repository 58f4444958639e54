"""Load mode on each OpenSearch: former settings come back whoever ends how, and nobody else's are touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from random import Random
from typing import Any

import pytest

from ingest_project.core.indexing import BY_DEFAULT, IndexContract
from ingest_project.sinks import indexes
from ingest_project.sinks.load_mode import (
    HOLD_SECONDS,
    LAZY_TRANSLOG,
    NO_REFRESH,
    NO_REPLICAS,
    Holding,
    LoadMode,
    is_left_over,
    restore_left_over,
)
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.sinks.sending import opensearch_api

NAMES = ("refresh_interval", "number_of_replicas", "translog.durability")
BOTH = {**NO_REFRESH, **NO_REPLICAS}
BEFORE = {"refresh_interval": "7s", "number_of_replicas": "2", "translog.durability": None}
FULL = {"refresh_interval": "-1", "number_of_replicas": "0", "translog.durability": None}


class Hall:
    """An index, its holders, and a clock that the test turns."""

    def __init__(self, api: OpenSearchApi, name: str) -> None:
        self.api, self.name, self.now = api, name, 1_000.0
        self.dead: set[str] = set()
        self.notes: list[str] = []

    def holder(self, name: str) -> LoadMode:
        return LoadMode(
            self.api,
            self.name,
            holder=name,
            is_dead=self.dead.__contains__,
            wall=lambda: self.now,
            note=self.notes.append,
        )

    async def state(self) -> indexes.IndexState:
        found = await indexes.find_index(self.api, self.name)
        assert found is not None
        return found

    async def entered(self, name: str, wanted: Mapping[str, str] = BOTH) -> LoadMode:
        mode = self.holder(name)
        await mode.enter(await self.state(), wanted)
        return mode

    async def settings(self) -> dict[str, str | None]:
        state = await self.state()
        return {name: state.setting(name) for name in NAMES}

    async def left_over(self) -> bool:
        return is_left_over(await self.state(), self.dead.__contains__, self.now)


@pytest.fixture
async def hall(opensearch_url: str, index_name: str) -> AsyncIterator[Hall]:
    contract = IndexContract(settings={"index.refresh_interval": "7s", "index.number_of_replicas": 2})
    async with opensearch_api(opensearch_url) as api:
        await indexes.ensure_index(api, index_name, made_for=index_name, contract=contract)
        yield Hall(api, index_name)
        await api.call("DELETE", f"/_index_template/ingest-{index_name}")


async def test_one_load_sets_the_mode_and_gives_back_what_was(hall: Hall) -> None:
    mode = await hall.entered("a")
    assert FULL == await hall.settings()
    assert not await hall.left_over()
    await mode.leave()
    assert BEFORE == await hall.settings()
    assert "load" not in (await hall.state()).mark
    assert hall.name == (await hall.state()).made_for
    assert [] == hall.notes


async def test_what_was_not_set_is_unset_again(opensearch_url: str, index_name: str) -> None:
    async with opensearch_api(opensearch_url) as api:
        await indexes.ensure_index(api, index_name, made_for=index_name, contract=BY_DEFAULT)
        hall = Hall(api, index_name)
        before = await hall.settings()
        assert before["refresh_interval"] is None
        mode = await hall.entered("a", {**BOTH, **LAZY_TRANSLOG})
        assert FULL | {"translog.durability": "async"} == await hall.settings()
        await mode.leave()
        assert before == await hall.settings()


async def test_the_last_of_several_loads_restores(hall: Hall) -> None:
    modes = [await hall.entered(name) for name in "abc"]
    for mode in modes[:-1]:
        await mode.leave()
        assert FULL == await hall.settings()
    await modes[-1].leave()
    assert BEFORE == await hall.settings()


async def test_a_load_that_leaves_twice_or_never_entered_changes_nothing(hall: Hall) -> None:
    mode = await hall.entered("a")
    other = await hall.entered("b")
    await mode.leave()
    await mode.leave()
    await hall.holder("c").leave()
    assert FULL == await hall.settings()
    await other.leave()
    await other.leave()
    assert BEFORE == await hall.settings()


async def test_a_killed_load_is_noticed_when_it_is_known_to_be_dead_or_was_not_heard_of(hall: Hall) -> None:
    await hall.entered("a")
    hall.now += HOLD_SECONDS - 1
    assert not await hall.left_over()
    hall.dead = {"a"}
    assert await hall.left_over()
    hall.dead = set()
    hall.now += 2
    assert await hall.left_over()
    await restore_left_over(hall.api, await hall.state())
    assert BEFORE == await hall.settings()
    assert not await hall.left_over()


async def test_the_next_load_takes_over_from_a_killed_one_and_restores_what_was_before_it(hall: Hall) -> None:
    await hall.entered("a", {**BOTH, **LAZY_TRANSLOG})
    hall.dead = {"a"}
    mode = await hall.entered("b", NO_REFRESH)
    assert not await hall.left_over()
    assert FULL | {"translog.durability": "async"} == await hall.settings()
    await mode.leave()
    assert BEFORE == await hall.settings()


async def test_a_holder_that_is_heard_of_stays_alive(hall: Hall) -> None:
    mode = await hall.entered("a")
    for _ in range(5):
        hall.now += HOLD_SECONDS - 1
        await mode.keep()
        assert not await hall.left_over()
    await mode.leave()
    assert BEFORE == await hall.settings()


async def test_a_holder_repairs_what_another_write_took_away(hall: Hall) -> None:
    mode = await hall.entered("a")
    state = await hall.state()
    await indexes.put_mark(hall.api, state, {"made_for": hall.name})
    await hall.api.call("PUT", f"/{hall.name}/_settings", {"index": {"number_of_replicas": 2}})
    await mode.keep()
    assert FULL == await hall.settings()
    assert ["a"] == list(Holding.of(await hall.state()).holders)
    await mode.leave()
    assert BEFORE == await hall.settings()


async def test_a_setting_that_somebody_changed_meanwhile_is_left_as_it_is(hall: Hall) -> None:
    mode = await hall.entered("a")
    await hall.api.call("PUT", f"/{hall.name}/_settings", {"index": {"refresh_interval": "90s"}})
    await mode.leave()
    assert BEFORE | {"refresh_interval": "90s"} == await hall.settings()


async def test_a_setting_that_the_server_refuses_is_noted_and_the_others_are_set(hall: Hall) -> None:
    mode = await hall.entered("a", {"number_of_shards": "9", **BOTH})
    assert FULL == await hall.settings()
    assert ["does not take {'number_of_shards': '9'}" in note for note in hall.notes] == [True]
    await mode.keep()
    assert 1 == len(hall.notes)
    await mode.leave()
    assert BEFORE == await hall.settings()
    assert "load" not in (await hall.state()).mark


async def test_what_cannot_be_restored_now_is_kept_in_mind_and_restored_by_the_next(hall: Hall) -> None:
    """The index was closed for changes meanwhile; whoever looks when it is open again restores."""
    mode = await hall.entered("a")
    block = f"/{hall.name}/_settings"
    await hall.api.call("PUT", block, {"index": {"blocks.metadata": True}})
    with pytest.raises(Exception, match="blocked"):
        await mode.leave()
    await hall.api.call("PUT", block, {"index": {"blocks.metadata": None}})
    hall.dead = {"a"}
    assert await hall.left_over()
    await restore_left_over(hall.api, await hall.state())
    assert BEFORE == await hall.settings()


async def test_an_index_that_is_gone_is_no_concern(hall: Hall) -> None:
    mode = await hall.entered("a")
    await hall.api.call("DELETE", f"/{hall.name}")
    await mode.keep()
    await mode.leave()


Deed = Callable[[Hall, dict[str, LoadMode], Random], Any]


@pytest.mark.parametrize("seed", range(6))
async def test_whoever_enters_leaves_or_dies_in_whatever_order_the_former_settings_come_back(
    hall: Hall, seed: int
) -> None:
    rng, inside = Random(seed), dict[str, LoadMode]()
    for number in range(12):
        if not inside or rng.random() < 0.5:
            wanted = rng.choice([BOTH, NO_REFRESH, NO_REPLICAS])
            inside[str(number)] = await hall.entered(str(number), wanted)
        else:
            name = rng.choice(sorted(inside))
            mode = inside.pop(name)
            if rng.random() < 0.4:
                hall.dead.add(name)
            else:
                await mode.leave()
        if inside:
            assert not await hall.left_over()
    for mode in inside.values():
        await mode.leave()
    if await hall.left_over():
        await restore_left_over(hall.api, await hall.state())
    assert BEFORE == await hall.settings()
    assert "load" not in (await hall.state()).mark
