"""Work side by side: cores and the quota are shared out whole, and never more than whole."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.sharing import Phase, Sharing


def ends(sharing: Sharing) -> dict[str, float]:
    """Task -> when it ended."""
    found: dict[str, float] = {}
    while (name := sharing.step(1e12)) is not None:
        found[str(name)] = sharing.now
    return found


def test_work_alone_takes_its_time() -> None:
    sharing = Sharing(cores=2.0, quota=100.0)
    sharing.begin("a", 0, Phase(seconds=5.0, cores=1.0, units=10.0))
    assert {"a": 5.0} == ends(sharing)


def test_a_machine_with_too_few_cores_slows_all_its_work() -> None:
    sharing = Sharing(cores=1.0)
    for name, machine in (("a", 0), ("b", 0), ("c", 1)):
        sharing.begin(name, machine, Phase(seconds=4.0, cores=1.0))
    assert {"c": 4.0, "a": 8.0, "b": 8.0} == ends(sharing)


def test_what_ends_gives_its_core_to_the_rest() -> None:
    sharing = Sharing(cores=1.0)
    sharing.begin("short", 0, Phase(seconds=1.0, cores=1.0))
    sharing.begin("long", 0, Phase(seconds=3.0, cores=1.0))
    assert {"short": 2.0, "long": 4.0} == ends(sharing)


def test_the_quota_is_shared_over_machines_and_slows_nothing_else() -> None:
    sharing = Sharing(quota=10.0)
    sharing.begin("a", 0, Phase(seconds=10.0, units=100.0))
    sharing.begin("b", 1, Phase(seconds=10.0, units=100.0))
    sharing.begin("start", 1, Phase(seconds=3.0))
    assert {"start": 3.0, "a": 20.0, "b": 20.0} == ends(sharing)


def test_a_quota_that_rises_counts_from_then_on() -> None:
    sharing = Sharing(quota=10.0)
    sharing.begin("a", 0, Phase(seconds=1.0, units=100.0))
    assert sharing.step(5.0) is None
    sharing.limit(50.0)
    assert {"a": 6.0} == ends(sharing)


def test_cancelled_work_tells_what_is_left_of_it() -> None:
    sharing = Sharing(cores=1.0)
    phase = Phase(seconds=4.0, cores=2.0, units=8.0)
    sharing.begin("a", 0, phase)
    sharing.step(2.0)
    left = sharing.cancel("a")
    assert (3.0, Phase(seconds=3.0, cores=2.0, units=6.0)) == (left, phase.left(left))
    assert {} == ends(sharing)


PHASES = st.builds(
    Phase,
    seconds=st.floats(0.1, 50),
    cores=st.floats(0, 2),
    units=st.one_of(st.just(0.0), st.floats(1, 500)),
)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), PHASES), min_size=1, max_size=12), st.floats(0.5, 50))
def test_nothing_is_faster_than_alone_and_no_quota_is_exceeded(
    work: list[tuple[int, Phase]], quota: float
) -> None:
    sharing = Sharing(cores=1.0, quota=quota)
    for number, (machine, phase) in enumerate(work):
        sharing.begin(number, machine, phase)
    found = ends(sharing)
    last = max(found.values())
    assert len(work) == len(found)
    assert all(found[str(number)] >= phase.seconds * 0.999999 for number, (_, phase) in enumerate(work))
    assert last * quota >= sum(phase.units for _, phase in work) * 0.999999
    for machine in range(3):
        used = sum(phase.cores * phase.seconds for place, phase in work if place == machine)
        assert last >= used * 0.999999


def test_without_limits_nothing_waits() -> None:
    sharing = Sharing(cores=inf, quota=inf)
    for number in range(20):
        sharing.begin(number, 0, Phase(seconds=1.0 + number, cores=5.0, units=1e9))
    assert 20.0 == pytest.approx(max(ends(sharing).values()))
