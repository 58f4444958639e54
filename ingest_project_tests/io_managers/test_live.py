"""Slots that are done are shown within seconds, and all of them when a step fails."""

from __future__ import annotations

import dagster as dg
import pytest

from ingest_project.io_managers.live import LiveSlots

GAP = 5.0


def done(slot: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization("table", partition=f"{slot:02d}")


def shown_at(moments: list[float]) -> list[str | None]:
    """What was written when a slot ended at each of the moments."""
    now, written = [0.0], list[dg.AssetMaterialization]()
    with LiveSlots(written.append, clock=lambda: now[0]) as live:
        for slot, moment in enumerate(moments):
            now[0] = moment
            live.add(done(slot))
    return [event.partition for event in written]


def test_a_short_step_leaves_its_slots_to_the_events_at_its_end() -> None:
    assert [] == shown_at([number * GAP / 16 for number in range(16)])


def test_slots_of_a_long_step_are_shown_while_it_runs() -> None:
    assert ["00", "01", "02"] == shown_at([2.0, 4.0, 6.0, 7.0, 10.5])
    assert ["00", "01", "02", "03"] == shown_at([GAP, 2 * GAP, 3 * GAP, 4 * GAP])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_step_that_fails_or_is_stopped_shows_all_that_was_done(error: type[BaseException]) -> None:
    written = list[dg.AssetMaterialization]()
    with pytest.raises(error):
        fail(written, error())
    assert ["00", "01"] == [event.partition for event in written]


def fail(written: list[dg.AssetMaterialization], error: BaseException) -> None:
    with LiveSlots(written.append, clock=lambda: 0.0) as live:
        live.add(done(0))
        live.add(done(1))
        raise error
