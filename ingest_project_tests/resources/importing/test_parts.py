"""The small parts of an import: owners, scratch folders, the meter, the report."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ingest_project.core.model import ChunkPlan, Counts, SourceFile
from ingest_project.core.outcomes import SEALED, ChunkOutcome
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing.meter import StageMeter
from ingest_project.resources.importing.report import FileReport, ImportProgress, ImportReport
from ingest_project.resources.importing.scratch import Scratch, leftovers
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.samples import sample_chunk

FILE = SourceFile(uri="file:///in/a.json", etag="1-2", size=1, modified=datetime(2026, 1, 1, tzinfo=UTC))


def test_this_process_is_not_dead_and_each_import_has_its_own_name() -> None:
    assert new_owner() != new_owner()
    assert not is_dead(new_owner())


def test_a_process_that_has_ended_is_dead() -> None:
    program = "from ingest_project.resources.owner import new_owner; print(new_owner())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert is_dead(done.stdout.strip())


def test_a_pid_that_belongs_to_a_younger_process_is_dead() -> None:
    words = new_owner().split(" ")
    assert is_dead(" ".join([*words[:3], f"{float(words[3]) - 60:.2f}", words[4]]))


def test_of_other_hosts_and_of_runs_nothing_is_known() -> None:
    assert not is_dead("load elsewhere 1 1.00 abcdef")
    assert not is_dead("run:1234")
    assert not is_dead(f"load {os.uname().nodename} pid start number")


def scratch(home: Path, *, etag: str = "1-2", table: str = "t") -> Scratch:
    settings = Settings.from_env({"INGEST_HOME": str(home)})
    return Scratch.of(settings, [(replace(FILE, etag=etag), table)])


def test_the_same_files_and_tables_have_the_same_folder(home: Path) -> None:
    assert scratch(home).folder == scratch(home).folder
    assert scratch(home).folder != scratch(home, etag="other").folder
    assert scratch(home).folder != scratch(home, table="other").folder
    assert scratch(home).settings.part_store == "local"


def test_a_plan_is_kept_and_one_that_cannot_be_read_is_none(home: Path) -> None:
    place = scratch(home)
    plan = ChunkPlan(entity="load", date="cli", slots=16, chunks=(sample_chunk(entity="load", date="cli"),))
    assert place.read_plan("load", "cli") is None
    place.keep_plan(plan)
    assert plan == place.read_plan("load", "cli")
    next(place.folder.rglob("plan.json")).write_text("{}")
    assert place.read_plan("load", "cli") is None


def test_parts_that_are_discarded_are_gone_also_after_a_kill_in_between(home: Path) -> None:
    place = scratch(home)
    for name in ("parts", "waste"):
        (place.folder / name).mkdir(parents=True)
        (place.folder / name / "part-00000.jsonl.zst").write_bytes(b"x" * 100)
    assert [200] == [left.bytes for left in leftovers(home)]
    place.discard_parts()
    place.discard_parts()
    assert [] == leftovers(home)
    assert [] == list(place.folder.iterdir())


def test_the_meter_adds_up_what_chunks_tell_and_starts_where_earlier_attempts_ended() -> None:
    clock, seen = FakeClock(), list[ImportProgress]()
    first, second = sample_chunk("a", records=100), sample_chunk("b", records=100)
    meter = StageMeter("table", 200, seen.append, clock, known={first.id: 40})
    clock.advance(1)
    meter.step("table", first, 90, Counts())
    clock.advance(1)
    meter.ended(_sealed(first))
    meter.ended(_sealed(second))
    meter.close()
    assert [40, 90, 100, 200] == [news.done for news in seen]
    assert 1.0 == seen[-1].share
    assert 49 < seen[1].rate < 51


def test_the_meter_tells_ten_times_a_second_at_most() -> None:
    clock, seen = FakeClock(), list[ImportProgress]()
    meter = StageMeter("planned", 1000, seen.append, clock)
    for _ in range(1000):
        clock.advance(0.001)
        meter.more(1)
    meter.close()
    assert len(seen) <= 12


def _sealed(chunk: object) -> ChunkOutcome:
    counts = Counts(sent=100, written=100)
    return ChunkOutcome(chunk=chunk, stage="table", state=SEALED, counts=counts, fresh=counts, seconds=1.0)


def test_a_report_is_good_only_when_nothing_was_refused() -> None:
    good = FileReport(uri="file:///a", table="t", read=2, written=2)
    bad = FileReport(uri="file:///b", table="t", read=1, rejected=1, reasons={"why": 1})
    failed = FileReport(uri="file:///c", table="t", error="byte 7")
    assert _report(good).ok
    assert not _report(good, bad).ok
    assert not _report(good, failed).ok
    assert (3, 2, 1) == (_report(good, bad).read, _report(good, bad).written, _report(good, bad).rejected)
    assert {"why": 1} == _report(bad).as_dict()["files"][0]["reasons"]


def _report(*files: FileReport) -> ImportReport:
    return ImportReport(files=files, seconds=2.0, items=4, peak_rss_bytes=1)
