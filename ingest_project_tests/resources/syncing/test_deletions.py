"""Deletions over the simulated warehouse: found by counts, looked at twice, landed as tombstones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.syncing import DELETES, FULL, SINCE, Sync
from ingest_project.ledgers.syncs import Piece
from ingest_project.resources.syncing.cutting import Grid
from ingest_project.resources.syncing.reader import LandingLimits
from ingest_project_tests.resources.syncing.scenes import Broken, delivered
from ingest_project_tests.resources.syncing.warehouse import (
    DATE,
    ENTITY,
    Losses,
    Target,
    Warehouse,
    losses,
    rows_of,
    short,
)


async def test_deletions_are_found_exactly_by_few_counts(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=1600, page=50)
    await house.sync(FULL)
    gone = sorted(Random(1).sample([row.id for row in house.world.truth(ENTITY)], 5))
    house.world.delete(ENTITY, gone)
    before = len(house.caller.targets)
    syncer = house.syncer()
    await syncer.plan_sync(DELETES, DATE)
    outcomes = await syncer.read_slices(DATE)
    assert sum(one.deleted for one in outcomes) == 5
    assert sum(one.counts for one in outcomes) < 30
    assert len(house.caller.targets) - before < 45
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)
    assert house.ledger.known.count(ENTITY, 0, 2**40) == 1595


@pytest.mark.slow
async def test_100_deletions_among_a_million_rows_take_363_counts(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=1_000_000, page=1250)
    house.settings = short(house.settings, grid=Grid(slots=16, pieces=16), landing=LandingLimits())
    ids = [row.id for row in house.world.truth(ENTITY)]
    full = house.ledger.begin(Sync(number=0, entity=ENTITY, date=DATE, mode=FULL), [Piece(slot=0)])
    claim = house.ledger.claim(house.ledger.status(full.number)[0].slice, owner="run", lease=60)
    assert claim is not None
    claim = house.ledger.land(claim, [], claim.bookmark, ids=ids, lease=60)
    house.ledger.finish(claim, seconds=1.0)
    gone = sorted(Random(1).sample(ids, 100))
    house.world.delete(ENTITY, gone)
    before = len(house.caller.targets)
    syncer = house.syncer()
    await syncer.plan_sync(DELETES, DATE)
    outcomes = await syncer.read_slices(DATE)
    assert deleted_ids(house) == gone
    assert sum(one.counts for one in outcomes) == 363
    assert len(house.caller.targets) - before == 556


def deleted_ids(house: Warehouse) -> Sequence[int]:
    found = [raw for one in house.landed(DELETES) for raw in rows_of(one, house.shelf.objects[one.uri])]
    return sorted(int(raw.split(b",")[0].removeprefix(b'{"id":')) for raw in found)


async def test_a_deletion_and_an_insertion_that_cancel_out_are_both_found(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=400, page=50)
    late = house.world.insert(ENTITY, 1, late=7200.0)
    house.world.advance(60)
    house.world.insert(ENTITY, 60)
    await house.sync(FULL)
    house.settings = short(house.settings, overlap=0.0)
    house.world.advance(7300)
    await house.sync(SINCE)
    house.world.delete(ENTITY, [next(house.world.truth(ENTITY)).id])
    assert delivered(house) == Losses(missing=1, stale=0, resurrected=1)
    await house.sync(DELETES)
    assert delivered(house) == Losses(missing=0, stale=0, resurrected=0)
    assert late[0] in house.truth()


async def test_a_tombstone_is_behind_every_version_that_landed_and_keeps_the_last_values(
    tmp_path: Path,
) -> None:
    house = Warehouse(tmp_path, rows=100, skew=(0.0, 300.0))
    await house.sync(FULL)
    last = [row.id for row in house.world.truth(ENTITY)][-1]
    house.world.update(ENTITY, [last], server=1)
    await house.sync(SINCE)
    house.world.delete(ENTITY, [last])

    async def values(entity: str, ids: Sequence[int]) -> Mapping[int, bytes]:
        return {one: b'{"id":{"N":"%d"},"alloc_qty":{"N":"12.0000"}}' % one for one in ids}

    await house.sync(DELETES, last_values=values)
    (landed,) = house.landed(DELETES)
    (row,) = rows_of(landed, house.shelf.objects[landed.uri])
    assert b'"item":{"id":{"N":"%d"},"alloc_qty":{"N":"12.0000"}}' % last in row
    # Whatever is delivered first.
    for seed in range(5):
        target = Target(house.shelf).take(house.landed(), Random(seed)).rows()
        assert losses(target, house.truth()) == Losses(missing=0, stale=0, resurrected=0)


async def test_a_row_that_is_back_at_the_second_look_is_not_deleted(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, rows=100)
    await house.sync(FULL)
    whole = house.api

    class Blinking(Broken):
        async def count(self, entity: str, query: Mapping[str, str]) -> int:
            return int(await whole.count(entity, query)) - 1

    house.api = Blinking(whole, {})
    await house.sync(DELETES)
    assert house.landed(DELETES) == []
    assert house.ledger.known.count(ENTITY, 0, 2**40) == 100
