"""Dagster's event log with connections that stay open: what is stored, what is seen, what is held open."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
import yaml
from dagster._core.storage.event_log import SqliteEventLogStorage

from ingest_project.local.ui import instance_file
from ingest_project.orchestration.event_log import MOST_OPEN, KeptSqliteEventLog
from ingest_project.orchestration.partitions import range_tags
from ingest_project.resources.deployments import DAGSTER_BATCH, project_folder
from ingest_project_tests.orchestration.small_run import materialize_slots

SLOTS = 16


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME with the event log that this project's dagster.yaml names."""
    named = yaml.safe_load(instance_file(project_folder()))["event_log_storage"]
    words = {"event_log_storage": named, "telemetry": {"enabled": False}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(words))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", DAGSTER_BATCH)
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as found:
        yield found


def entry(run_id: str, text: str = "") -> dg.EventLogEntry:
    make: Any = dg.EventLogEntry
    made: dg.EventLogEntry = make(
        error_info=None, level=10, user_message=text, run_id=run_id, timestamp=1.0, job_name="a"
    )
    return made


def texts(storage: SqliteEventLogStorage, run_id: str) -> list[str]:
    return [record.event_log_entry.user_message for record in storage.get_records_for_run(run_id).records]


def open_databases(home: Path) -> set[str]:
    names = set()
    for descriptor in os.scandir("/proc/self/fd"):
        try:
            names.add(os.readlink(descriptor.path))
        except FileNotFoundError:
            continue
    return {name for name in names if name.startswith(str(home)) and name.endswith(".db")}


def test_dagster_s_own_storage_reads_what_was_stored(home: Path, instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, KeptSqliteEventLog)
    run = materialize_slots(instance, range_tags("2026-01-01", SLOTS))
    stored = instance.all_logs(run.run_id)
    plain = SqliteEventLogStorage(str(home / "history" / "runs"))
    assert stored == [one.event_log_entry for one in plain.get_records_for_run(run.run_id).records]
    key = dg.AssetKey("slots")
    plain.register_instance(instance)
    assert SLOTS == len(plain.get_materialized_partitions(key))
    assert (
        instance.get_latest_materialization_event(key) == plain.get_latest_materialization_events([key])[key]
    )


def test_a_batch_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    storage = KeptSqliteEventLog(str(tmp_path))
    broken = cast(Any, SimpleNamespace(run_id="r"))
    with pytest.raises(Exception, match="EventLogEntry"):
        storage.store_event_batch([entry("r", "one"), entry("r", "two"), broken])
    assert [] == texts(storage, "r")
    storage.store_event_batch([entry("r", "one"), entry("r", "two")])
    assert ["one", "two"] == texts(storage, "r")
    storage.dispose()


def test_who_watches_a_run_hears_of_each_event_at_once(tmp_path: Path) -> None:
    writer, reader = KeptSqliteEventLog(str(tmp_path)), KeptSqliteEventLog(str(tmp_path))
    writer.store_event(entry("r", "before"))
    heard, come = list[str](), threading.Event()

    def listen(event: dg.EventLogEntry, cursor: str) -> None:
        heard.append(event.user_message)
        if "third" in heard:
            come.set()

    reader.watch("r", None, listen)
    for text in ("first", "second", "third"):
        writer.store_event(entry("r", text))
    assert come.wait(20)
    reader.end_watch("r", listen)
    assert ["before", "first", "second", "third"] == heard
    writer.dispose()
    reader.dispose()


def test_few_databases_are_open_after_many_runs_and_none_at_the_end(tmp_path: Path) -> None:
    storage = KeptSqliteEventLog(str(tmp_path))
    for number in range(MOST_OPEN + 4):
        storage.store_event(entry(f"run{number}", "here"))
    assert len(open_databases(tmp_path)) <= MOST_OPEN
    assert ["here"] == texts(storage, "run0")
    storage.dispose()
    assert set() == open_databases(tmp_path)


def test_what_was_wiped_is_gone_and_its_runs_can_be_written_again(tmp_path: Path) -> None:
    storage = KeptSqliteEventLog(str(tmp_path))
    storage.store_event(entry("r", "old"))
    storage.wipe()
    storage.store_event(entry("r", "new"))
    assert ["new"] == texts(storage, "r")
    storage.dispose()
