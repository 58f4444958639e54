"""Whatever changes while pages are read, and whenever readers die: in the end nothing is missing, nothing
stale, nothing back from the dead. Of the same pages, the rule that goes by our clock loses rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.syncing import DELETES, FULL, SINCE
from ingest_project.entities.wms.known import ENTITIES
from ingest_project.testing.wms_churn import Habit
from ingest_project_tests.resources.syncing.warehouse import ENTITY, Losses, Target, Warehouse, losses, short

OVERLAP = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a run.

    Attributes:
        each: Virtual seconds a request: the full sync must take longer than the overlap.
        changes: Updates a virtual second.
        chance: Of a death at each step.
        rounds: Of syncs behind the full one; ``pause``: virtual seconds before each, at most.
    """

    rows: int
    page: int
    each: float
    changes: float
    chance: float
    rounds: int = 2
    pause: float = 7200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What came of one.

    Attributes:
        ours: At the end.
        briefs: Behind a first incremental sync that begins 30 minutes before the end of the full one and
            misses nothing else.
        orphans: Objects that were stored and never counted; none of them is left.
    """

    ours: Losses
    briefs: Losses
    deaths: int
    changes: int
    orphans: int


SMALL = Size(rows=200, page=20, each=240.0, changes=0.004, chance=0.03)
BUSY = Size(rows=300, page=50, each=1.0, changes=0.03, chance=0.02, rounds=8, pause=900.0)
"""Syncs follow each other faster than transactions commit."""
LARGE = Size(rows=100_000, page=1250, each=45.0, changes=0.3, chance=0.01)


async def story(folder: Path, seed: int, size: Size, overlap: float = OVERLAP, entity: str = ENTITY) -> Story:
    """A full sync and what follows, with deaths, over a warehouse at work. ``overlap``: of our syncs."""
    rng = Random(seed)
    habit = Habit(
        inserts=0.1 * size.changes,
        updates=size.changes,
        deletes=0.1 * size.changes,
        batch=3 * size.page,
        batch_every=7 * OVERLAP,
        late=0.3,
        # A commit this late by the clock that is most behind: just within the overlap.
        late_most=OVERLAP - 150.0 - 20.0,
    )
    house = Warehouse(
        folder,
        rows=size.rows,
        seed=seed,
        page=size.page,
        each=size.each,
        habit=habit,
        skew=(0.0, -150.0, 240.0),
        ties=3 * size.page,
        entity=entity,
    )
    house.settings = short(house.settings, overlap=overlap)
    deaths = await house.sync_through_deaths(FULL, rng, size.chance)
    briefs = losses(by_the_brief(house), house.truth())
    for _ in range(size.rounds):
        house.world.advance(rng.uniform(0, size.pause))
        deaths += await house.sync_through_deaths(SINCE, rng, size.chance)
        deaths += await house.sync_through_deaths(DELETES, rng, size.chance)
    churn = house.world.life
    house.world.settle()
    for mode in (SINCE, DELETES):
        deaths += await house.sync_through_deaths(mode, rng, size.chance)
    truth = house.truth()
    if overlap:
        assert house.ledger.known.count(entity, 0, 2**40) == len(truth)
    landed = house.landed()
    assert set(house.shelf.objects) == {one.uri for one in landed}
    ours = losses(Target(house.shelf).take(landed, rng).rows(), truth)
    changes = sum(getattr(churn, "done", {}).values())
    return Story(ours=ours, briefs=briefs, deaths=deaths, changes=changes, orphans=house.shelf.deleted)


def by_the_brief(house: Warehouse) -> dict[int, bytes]:
    """What is there right behind the full sync, every row that changed in the last half hour, and without
    deletions: the most that the rule can bring."""
    truth = house.truth()
    begin = house.world.now - round(OVERLAP * 1e6)
    recent = {row.id: truth[row.id] for row in house.world.truth(house.entity) if row.modified >= begin}
    full = Target(house.shelf).take(house.landed(FULL)).rows()
    return {row: raw for row, raw in full.items() if row in truth} | recent


@pytest.mark.parametrize(("seed", "entity"), list(enumerate(ENTITIES)))
async def test_syncs_converge_whatever_happens_meanwhile(tmp_path: Path, seed: int, entity: str) -> None:
    found = await story(tmp_path, seed, SMALL, entity=entity)
    assert found.ours == Losses(missing=0, stale=0, resurrected=0)
    assert found.deaths > 0
    assert found.changes > 100
    assert found.briefs.total > 0


@pytest.mark.parametrize("seed", range(2))
async def test_changes_that_commit_late_are_what_the_overlap_is_for(tmp_path: Path, seed: int) -> None:
    """Late rows are found by the counts of a deletion sync too; changes of known rows by nothing else."""
    found = {overlap: await story(tmp_path / f"{overlap}", seed, BUSY, overlap) for overlap in (OVERLAP, 0.0)}
    assert found[OVERLAP].ours == Losses(missing=0, stale=0, resurrected=0)
    assert found[0.0].ours.stale > 0


# Two of thirty: range(100, 120) of allocation and range(100, 105) of the other two are shown in docs/wms.md.
@pytest.mark.slow
@pytest.mark.parametrize(("seed", "entity"), [(100, "allocation"), (101, "order_dtl")])
async def test_syncs_of_100_000_rows_converge(tmp_path: Path, seed: int, entity: str) -> None:
    found = await story(tmp_path, seed, LARGE, entity=entity)
    assert found.ours == Losses(missing=0, stale=0, resurrected=0)
    assert found.deaths > 0
    assert found.briefs.missing + found.briefs.stale > 0
