"""Whatever changes while pages are read, and whenever readers die: in the end nothing is missing, nothing
stale, nothing back from the dead. Of the same pages, the rule that goes by our clock loses rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.syncing import DELETES, FULL, SINCE
from ingest_project.testing.wms_churn import Habit
from ingest_project_tests.resources.syncing.warehouse import ENTITY, Losses, Target, Warehouse, losses

OVERLAP = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a run.

    Attributes:
        each: Virtual seconds a request: the full sync must take longer than the overlap.
        chance: Of a death at each step.
    """

    rows: int
    page: int
    each: float
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What came of one."""

    ours: Losses
    briefs: Losses
    deaths: int
    changes: int


SMALL = Size(rows=1500, page=50, each=60.0, chance=0.02)
LARGE = Size(rows=100_000, page=1250, each=45.0, chance=0.01)


async def story(folder: Path, seed: int, size: Size) -> Story:
    """A full sync and what follows, with deaths, over a warehouse at work."""
    rng = Random(seed)
    busy = size.rows / 1e6
    habit = Habit(
        inserts=4 * busy,
        updates=12 * busy,
        deletes=2 * busy,
        batch=3 * size.page,
        batch_every=7 * OVERLAP,
        late=0.2,
        late_most=0.4 * OVERLAP,
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
    )
    deaths = await house.sync_through_deaths(FULL, rng, size.chance)
    after_full = house.world.now - round(OVERLAP * 1e6)
    for _ in range(3):
        house.world.advance(rng.uniform(0, 7200))
        deaths += await house.sync_through_deaths(SINCE, rng, size.chance)
        deaths += await house.sync_through_deaths(DELETES, rng, size.chance)
    churn = house.world.life
    house.world.settle()
    for mode in (SINCE, DELETES):
        deaths += await house.sync_through_deaths(mode, rng, size.chance)
    truth = house.truth()
    assert house.ledger.known.count(ENTITY, 0, 2**40) == len(truth)
    ours = losses(Target().take(house.landed(), rng).rows(), truth)
    # All that the brief's rule could bring, if it were perfect from its first incremental sync on.
    later = {row.id for row in house.world.truth(ENTITY) if row.modified >= after_full}
    naive = Target().take(house.landed(FULL)).rows()
    naive = {row: raw for row, raw in naive.items() if row in truth} | {row: truth[row] for row in later}
    changes = sum(getattr(churn, "done", {}).values())
    return Story(ours=ours, briefs=losses(naive, truth), deaths=deaths, changes=changes)


@pytest.mark.parametrize("seed", range(4))
async def test_syncs_converge_whatever_happens_meanwhile(tmp_path: Path, seed: int) -> None:
    found = await story(tmp_path, seed, SMALL)
    assert found.ours == Losses(missing=0, stale=0, resurrected=0)
    assert found.deaths > 0
    assert found.changes > 100
    assert found.briefs.total > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
async def test_syncs_of_100_000_rows_converge(tmp_path: Path, seed: int) -> None:
    found = await story(tmp_path, seed, LARGE)
    assert found.ours == Losses(missing=0, stale=0, resurrected=0)
    assert found.deaths > 0
    assert found.briefs.missing + found.briefs.stale > 0
