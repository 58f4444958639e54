"""When the next run of a sync is due: at once, five minutes behind a failure, and not for ever."""

from __future__ import annotations

from dataclasses import replace

from ingest_project.core.restarting import DELIVER, MOST_RESTARTS, PAUSE_SECONDS, READ, Course, RunFact, due

NOW = 10_000.0
READING = Course(reading=True, waiting=False, mark="b")
ENDED = NOW - PAUSE_SECONDS


def run(phase: str = READ, *, good: bool = False, ended: float | None = ENDED, mark: str = "b") -> RunFact:
    return RunFact(phase=phase, succeeded=good, ended=ended, mark=mark)


def test_what_is_begun_is_read_at_once() -> None:
    assert READ == due(READING, [], NOW)
    assert DELIVER == due(replace(READING, reading=False, waiting=True), [], NOW)


def test_nothing_is_asked_for_while_a_run_is_under_way_or_nothing_is_left() -> None:
    assert "" == due(READING, [run(ended=None)], NOW)
    assert "" == due(Course(reading=False, waiting=False, mark="b"), [run()], NOW)


def test_a_run_that_failed_is_followed_after_five_minutes() -> None:
    assert "" == due(READING, [run(ended=ENDED + 1)], NOW)
    assert READ == due(READING, [run()], NOW)


def test_without_progress_three_restarts_are_all() -> None:
    runs: list[RunFact] = []
    while due(READING, runs, NOW):
        runs.append(run())
    assert 1 + MOST_RESTARTS == len(runs)


def test_progress_begins_the_count_anew() -> None:
    stuck = [run(mark="a")] * (1 + MOST_RESTARTS)
    assert READ == due(READING, stuck, NOW)
    assert "" == due(READING, [run()] * MOST_RESTARTS + stuck, NOW)


def test_what_landed_is_delivered_at_once_behind_a_reading_that_failed() -> None:
    course = replace(READING, waiting=True)
    assert DELIVER == due(course, [run(ended=NOW)], NOW)
    assert "" == due(course, [run(DELIVER, ended=NOW), run(ended=NOW)], NOW)


def test_another_sync_of_the_date_does_not_wait_behind_one_that_ended_well() -> None:
    assert READ == due(READING, [run(good=True, ended=NOW, mark="a")], NOW)


def test_a_run_that_ended_well_and_did_nothing_is_no_reason_to_hurry() -> None:
    idle = [run(good=True, ended=NOW)]
    assert "" == due(READING, idle, NOW)
    assert READ == due(READING, idle, NOW + PAUSE_SECONDS)
