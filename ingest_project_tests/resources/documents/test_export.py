"""What stages do, as OpenMetrics text: sums over the buckets of a process, a file a stage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ingest_project.core.staging import StageReport
from ingest_project.resources.documents.export import StageExport


def report(done: int) -> StageReport:
    return StageReport(stage="excerpts/a", total=done, done=done, seconds=2.0, mean=0.5, p95=0.9)


def test_reports_of_buckets_add_up_in_a_file_of_their_stage(tmp_path: Path) -> None:
    export = StageExport(tmp_path / "metrics", "letters", peak=lambda: 7)
    export.add(report(3))
    export.add(replace(report(1), parked=2, newly_parked=2, causes={"broken": 2}))
    [file] = (tmp_path / "metrics").iterdir()
    text = file.read_text()
    labels = 'collection="letters"'
    assert "letters.excerpts.a.prom" == file.name
    assert f'ingest_stage_documents_total{{{labels},outcome="done",stage="excerpts/a"}} 4\n' in text
    assert f'ingest_stage_documents_total{{{labels},outcome="parked",stage="excerpts/a"}} 2\n' in text
    assert f'ingest_stage_parked_total{{cause="broken",{labels},stage="excerpts/a"}} 2\n' in text
    assert f'ingest_stage_documents_per_second{{{labels},stage="excerpts/a"}} 1.5\n' in text
    assert f'ingest_stage_document_p95_seconds{{{labels},stage="excerpts/a"}} 0.9\n' in text
    assert text.endswith("# EOF\n")


def test_a_folder_that_cannot_be_written_to_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file")
    StageExport(tmp_path / "metrics", "letters").add(report(1))
