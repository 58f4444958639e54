"""The inbox logic over a real register: what is asked for, when a file is consumed, what is repeated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import SourceFile
from ingest_project.ledgers.files import FileEntry
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.orchestration.inbox import DELIVER, LOAD, PLAN, Ask, InboxDecider, PhaseState

RUNNING = PhaseState(finished=False, succeeded=False)
DONE = PhaseState(finished=True, succeeded=True)
BROKEN = PhaseState(finished=True, succeeded=False, reason="(run 7)")


@dataclass
class World:
    """A register, and runs and verdicts as the test wants them."""

    ledger: SqlLedger
    phases: dict[str, dict[str, PhaseState]] = field(default_factory=dict)
    verdicts: dict[str, str] = field(default_factory=dict)
    open_dates: set[str] = field(default_factory=set)

    def decider(self) -> InboxDecider:
        return InboxDecider(
            entity="messages",
            register=self.ledger.files,
            phases=lambda request: self.phases.get(request, {}),
            verdict=lambda entry: self.verdicts.get(entry.file.uri, ""),
            place=place,
            has_open=lambda day: day in self.open_dates,
        )

    def drop(self, *names: str, etag: str = "e1") -> None:
        files = [source(name, etag) for name in names]
        self.ledger.files.observe(files, entity="messages", settle=0, complete={file.uri for file in files})

    def state(self, name: str, etag: str = "e1") -> FileEntry:
        entry = self.ledger.files.get(source(name, etag).uri, etag)
        assert entry is not None
        return entry


def source(name: str, etag: str) -> SourceFile:
    return SourceFile(
        uri=f"s3://b/inbox/{name}", etag=etag, size=5, modified=datetime(2026, 11, 22, tzinfo=UTC)
    )


def place(entry: FileEntry) -> tuple[str, str]:
    name = entry.file.uri.rsplit("/", 1)[-1]
    if name.startswith("bad"):
        raise ConfigurationError(f"{name}: no table")
    return entry.file.uri.split("/")[-2], name.removesuffix("-dump.json")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ledger = SqlLedger(tmp_path / "ledger.db")
    yield World(ledger)
    ledger.close()


def test_files_of_one_date_share_one_request_and_dates_do_not(world: World) -> None:
    world.drop("2026-11-21/a-dump.json", "2026-11-21/b-dump.json", "2026-11-22/a-dump.json")
    asks = world.decider().decide()
    assert [(PLAN, "2026-11-21"), (PLAN, "2026-11-22")] == [(ask.phase, ask.date) for ask in asks]
    assert world.state("2026-11-21/a-dump.json").run == world.state("2026-11-21/b-dump.json").run


def test_a_request_whose_run_was_never_launched_is_asked_for_again_with_the_same_key(world: World) -> None:
    world.drop("2026-11-22/a-dump.json")
    first = world.decider().decide()
    assert first == world.decider().decide()


def test_a_file_is_consumed_when_its_runs_succeeded_and_not_before(world: World) -> None:
    name = "2026-11-22/a-dump.json"
    world.drop(name)
    [ask] = world.decider().decide()
    for phases, expected in (
        ({PLAN: RUNNING}, []),
        ({PLAN: DONE}, [Ask(request=ask.request, phase=LOAD, date="2026-11-22")]),
        ({PLAN: DONE, LOAD: RUNNING}, []),
    ):
        world.phases[ask.request] = phases
        assert expected == world.decider().decide()
        assert world.state(name).state == "requested"
    world.phases[ask.request] = {PLAN: DONE, LOAD: DONE}
    assert [] == world.decider().decide()
    assert world.state(name).state == "consumed"


def test_one_failed_file_leaves_the_others_consumed(world: World) -> None:
    good, bad = "2026-11-22/good-dump.json", "2026-11-22/broken-dump.json"
    world.drop(good, bad)
    [ask] = world.decider().decide()
    world.phases[ask.request] = {PLAN: DONE, LOAD: BROKEN}
    world.verdicts[source(bad, "e1").uri] = "validated: byte 12: expected a value"
    assert [] == world.decider().decide()
    assert world.state(good).state == "consumed"
    assert world.state(bad).state == "failed"
    assert world.state(bad).reason == "validated: byte 12: expected a value (run 7)"


def test_a_load_cut_short_by_validation_is_followed_by_a_delivery_of_what_is_good(world: World) -> None:
    world.drop("2026-11-22/a-dump.json")
    [ask] = world.decider().decide()
    world.phases[ask.request] = {PLAN: DONE, LOAD: BROKEN}
    world.open_dates.add("2026-11-22")
    assert [Ask(request=ask.request, phase=DELIVER, date="2026-11-22")] == world.decider().decide()


def test_a_file_that_comes_while_its_date_is_under_way_waits_for_the_end(world: World) -> None:
    world.drop("2026-11-22/a-dump.json")
    [ask] = world.decider().decide()
    world.phases[ask.request] = {PLAN: RUNNING}
    world.drop("2026-11-22/late-dump.json")
    assert [] == world.decider().decide()
    world.phases[ask.request] = {PLAN: DONE, LOAD: DONE}
    world.decider().decide()
    [late] = world.decider().decide()
    assert (PLAN, "2026-11-22") == (late.phase, late.date)
    assert late.request != ask.request


def test_a_file_without_a_table_fails_by_itself(world: World) -> None:
    world.drop("2026-11-22/bad.json", "2026-11-22/a-dump.json")
    [ask] = world.decider().decide()
    assert ask.date == "2026-11-22"
    assert world.state("2026-11-22/bad.json").reason == "bad.json: no table"


def test_a_failed_file_that_is_given_back_gets_another_run_key(world: World) -> None:
    name = "2026-11-22/a-dump.json"
    world.drop(name)
    [first] = world.decider().decide()
    world.phases[first.request] = {PLAN: BROKEN}
    world.verdicts[source(name, "e1").uri] = "it is not in the plan"
    world.decider().decide()
    assert world.state(name).state == "failed"
    world.ledger.files.retry(source(name, "e1").uri, "e1")
    [second] = world.decider().decide()
    assert second.run_key != first.run_key


def test_files_dropped_together_share_their_runs_but_nobody_waits_for_ever(world: World) -> None:
    world.drop("2026-11-22/a-dump.json")
    still_growing = source("2026-11-22/b-dump.json", "e1")
    world.ledger.files.observe([still_growing], entity="messages", settle=60)
    soon, later = world.decider(), world.decider()
    later = replace(later, now=lambda: world.state("2026-11-22/a-dump.json").last_seen + later.gather + 1)
    assert [] == soon.decide()
    assert [(PLAN, "2026-11-22")] == [(ask.phase, ask.date) for ask in later.decide()]
