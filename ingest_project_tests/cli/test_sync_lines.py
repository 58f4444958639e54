"""What a sync says on standard error while it goes on."""

from __future__ import annotations

from dataclasses import replace

from ingest_project.cli_sync import Lines
from ingest_project.core.model import Counts
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.samples import sample_chunk


def test_lines_tell_share_rate_and_time_left_by_the_stage_s_own_rows() -> None:
    told: list[str] = []
    clock = FakeClock()
    lines = Lines(told.append, clock)
    one, other = sample_chunk("a"), replace(sample_chunk("b"), slot=1)
    lines.expect("records", 400)
    clock.advance(1)
    lines("records", one, 50, Counts())
    assert [] == told
    clock.advance(1)
    lines("records", other, 50, Counts())
    assert ["records: 25.0 % (100 of 400), 50/s, 0:00:06 left"] == told
    clock.advance(2)
    lines("index", one, 7, Counts())
    assert "index: 7, 0/s" == told[1]
