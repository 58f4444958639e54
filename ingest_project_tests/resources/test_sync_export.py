"""The two files that a sync writes while it goes on."""

from __future__ import annotations

import json
from pathlib import Path

from ingest_project.core.model import Counts
from ingest_project.core.syncing import DONE, OPEN, PAGES, Bookmark, Slice, SliceStatus, slice_chunk
from ingest_project.resources.sync_export import EVERY_SECONDS, SyncExport
from ingest_project.testing.doubles_time import FakeClock


def status(number: int, *, rows: int, read: int, state: str = OPEN) -> SliceStatus:
    part = Slice(
        entity="wms.a", date="2026-07-01", sync=1, number=number, slot=0, mode="full", rows=rows, low="1"
    )
    return SliceStatus(
        slice=part,
        state=state,
        reason="",
        owner="me",
        bookmark=Bookmark(),
        rows=read,
        pages=read // 100,
        bytes=read * 10,
        attempts=1,
        seconds=0.0,
        updated=0.0,
    )


def export_of(folder: Path, clock: FakeClock) -> tuple[SyncExport, list[SliceStatus]]:
    slices = [status(0, rows=1000, read=400), status(1, rows=500, read=500, state=DONE)]
    export = SyncExport(
        folder, "wms.a", slices, clock=clock, wall=lambda: 1e9, cpu=lambda: clock() / 4, peak=lambda: 64
    )
    return export, slices


def told(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "wms.a.json").read_text())
    return found


def test_a_resumed_sync_counts_what_this_run_read(tmp_path: Path) -> None:
    clock = FakeClock()
    export, slices = export_of(tmp_path / "metrics", clock)
    with export:
        clock.advance(10.0)
        export(PAGES, slice_chunk(slices[0].slice), 900, Counts(sent=900, bytes=9000, requests=9))
        found = told(tmp_path / "metrics")
    assert {name: found[name] for name in ("rows", "bytes", "requests", "rows_left")} == {
        "rows": 500,
        "bytes": 5000,
        "requests": 5,
        "rows_left": 100,
    }
    assert (found["rows_per_second"], found["rating"], found["seconds_left"]) == (50.0, "needs work", 2.0)
    assert (found["cpu_seconds"], found["peak_bytes"]) == (2.5, 64)
    assert (found["at"], found["expected_end"]) == ("2001-09-09T01:46:40+00:00", "2001-09-09T01:46:42+00:00")


def test_both_files_are_there_at_the_end_and_nothing_beside_them(tmp_path: Path) -> None:
    clock = FakeClock()
    export, slices = export_of(tmp_path, clock)
    with export:
        clock.advance(EVERY_SECONDS / 2)
        export(PAGES, slice_chunk(slices[0].slice), 1000, Counts(sent=1000, bytes=1, requests=10))
        assert list(tmp_path.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wms.a.json", "wms.a.prom"]
    text = (tmp_path / "wms.a.prom").read_text()
    assert 'ingest_sync_rows_total{entity="wms.a"} 600\n' in text
    assert text.endswith("# EOF\n")


def test_a_folder_that_cannot_be_written_stops_no_sync(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    export, _ = export_of(tmp_path / "file" / "metrics", FakeClock())
    with export:
        pass
    assert not (tmp_path / "file").is_dir()
