"""Kill -9 anywhere in a chain of stages: the runs behind it leave what one clean run leaves (law 3)."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.documents import COMPLETED, DOWNLOADING, EXTRACTING, INDEXING
from ingest_project.testing.doubles_stages import StageDouble, parks
from ingest_project.testing.faults import Killed, KillPoint, Life
from ingest_project_tests.resources.documents.plays import IDS, Play, counts

CHAIN = (
    ("downloaded", (), DOWNLOADING),
    ("texts", ("downloaded",), EXTRACTING),
    ("indexed", ("texts",), INDEXING),
    ("processed", ("indexed",), COMPLETED),
)

EXAMPLES = 30

Targets = dict[str, dict[str, str]]


def chain(play: Play, targets: Targets, kill: KillPoint | None = None, seed: int = 0) -> list[StageDouble]:
    """The stages as one process runs them."""
    return [
        play.stage(
            name,
            after=after,
            state=state,
            kill=kill,
            target=targets.setdefault(name, {}),
            outcome=parks("zip", "03") if name == "texts" else lambda document: None,
            failing=0.1,
            latency=3.0,
            rng=Random(seed),
        )
        for name, after, state in CHAIN
    ]


def marks(play: Play) -> dict[tuple[str, str], tuple[str, str]]:
    """(id, stage) -> output and cause, of what has either."""
    return {
        (id, stage): (row.mark.output if row.mark else "", row.parked[1].cause if row.parked else "")
        for (_, id, stage), row in play.memory.rows.items()
        if row.mark or row.parked
    }


@cache
def clean() -> tuple[Play, Targets]:
    play, targets = Play(), Targets()
    for stage in chain(play, targets):
        play.run(stage)
    return play, targets


@settings(max_examples=EXAMPLES)
@given(st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=5))
def test_after_any_kills_the_next_run_does_what_is_missing_and_no_more(kills: list[tuple[int, bool]]) -> None:
    expected, wanted = clean()
    play, targets = Play(), Targets()
    for seed, (at, after) in enumerate(kills):
        kill = KillPoint(Life(), at, after)
        try:
            for stage in chain(play, targets, kill, seed):
                play.run(stage, kill=kill)
        except Killed:
            pass
    reports = [play.run(stage) for stage in chain(play, targets)]
    again = [play.run(stage) for stage in chain(play, targets)]
    assert (wanted, marks(expected), expected.memory.states) == (targets, marks(play), play.memory.states)
    assert [len(IDS)] * 4 == [report.total for report in reports]
    assert [0, 0, 0, 0] == [report.tried for report in again]
    # Each document was settled once: what had its mark was not done again.
    assert set(play.memory.settled.values()) == {1}


def test_what_a_dead_process_held_is_not_waited_for() -> None:
    play = Play()
    kill = KillPoint(Life(), 3)
    with pytest.raises(Killed):
        play.run(play.stage(kill=kill, batch=2), kill=kill)
    begun = play.clock()
    assert sum(counts(play.run(play.stage())).values()) == 10
    assert play.clock() == begun


def test_what_a_process_elsewhere_held_is_busy_until_its_lease_is_over() -> None:
    play, kill = Play(), KillPoint(Life(), 3)
    with pytest.raises(Killed):
        play.run(play.stage(kill=kill, batch=2), kill=kill)
    assert counts(play.run(play.stage(), is_dead=lambda owner: False))["busy"] > 0
    play.clock.advance(61)
    report = counts(play.run(play.stage(), is_dead=lambda owner: False))
    assert ("busy" in report, sum(report.values())) == (False, 10)
