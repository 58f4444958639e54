"""What the command line shows while it works: one line of progress, and how often."""

from __future__ import annotations

import pytest

from ingest_project.cli_show import Bars, line, name_of
from ingest_project.resources.importing import ImportProgress
from ingest_project.testing.doubles_time import FakeClock


def news(
    done: int, *, stage: str = "table", total: int = 2_500_000, left: float | None = None
) -> ImportProgress:
    return ImportProgress(stage=stage, done=done, total=total, rate=41_234.4, seconds_left=left)


def test_a_line_names_stage_share_rate_and_time_left() -> None:
    assert "table: 45 %, 1,130,000 of 2,500,000, 41,234/s, 0:00:34 left" == line(news(1_130_000, left=33.2))


def test_reading_is_told_in_megabytes() -> None:
    told = ImportProgress(stage="planned", done=5 * 10**8, total=10**9, rate=2e8, seconds_left=None)
    assert "reading: 50 %, 500.0 MB of 1,000.0 MB, 200.0 MB/s" == line(told)


def test_a_line_comes_at_the_start_every_two_seconds_and_once_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock, log = FakeClock(), list[str]()
    with Bars(log.append, clock) as bars:
        for number in range(101):
            bars(news(number, total=100))
            clock.advance(0.125)
        bars(news(100, total=100))
    shares = [text.split(":")[1].split(",")[0].strip() for text in log]
    assert ["0 %", "16 %", "32 %", "48 %", "64 %", "80 %", "96 %", "100 %"] == shares
    assert log == capsys.readouterr().err.splitlines()


def test_a_stage_without_work_is_not_told() -> None:
    log = list[str]()
    with Bars(log.append, FakeClock()) as bars:
        bars(news(0, total=0))
    assert [] == log


def test_a_file_is_named_by_the_last_step_of_its_address() -> None:
    assert "a b.json" == name_of("file:///in/a%20b.json")
    assert "x.json.gz" == name_of("s3://bucket/in/x.json.gz")
