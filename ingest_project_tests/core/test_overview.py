"""How far each file of an import is, and all of it, as the ledger's rows say."""

from __future__ import annotations

from ingest_project.core.model import Chunk, Counts, WorkStatus
from ingest_project.core.overview import FAILED, LOADED, QUEUED, WORKING, Advance, overview
from ingest_project.core.queueing import smaller_first
from ingest_project.testing.samples import sample_chunk

STAGES = ("validated", "table")


def row(chunk: Chunk, stage: str, state: str, sent: int) -> tuple[tuple[str, str], WorkStatus]:
    made = WorkStatus(
        entity=chunk.entity,
        stage=stage,
        date=chunk.date,
        slot=chunk.slot,
        target=chunk.target,
        chunk_id=chunk.id,
        uri=chunk.range.uri,
        state=state,
        counts=Counts(sent=sent, written=sent),
        records=chunk.records,
        seconds=0.0,
    )
    return (chunk.id, stage), made


def test_files_have_states_rates_and_times_left_and_the_import_has_all_of_them() -> None:
    small, large, broken, waiting = (
        sample_chunk(name, end=end, records=end)
        for name, end in (("small", 100), ("large", 800), ("broken", 50), ("waiting", 900))
    )
    before = dict(
        [
            row(small, "validated", "sealed", 100),
            row(small, "table", "claimed", 20),
            row(large, "validated", "claimed", 100),
            row(broken, "validated", "failed", 30),
            row(broken, "table", "failed", 30),
        ]
    )
    now = before | dict([row(small, "table", "claimed", 60), row(large, "validated", "claimed", 300)])
    seen = overview([large, small, broken, waiting], STAGES, now, before, gap=2.0)
    found = {file.uri.rsplit("/", 1)[-1].removesuffix(".json"): file for file in seen.files}
    assert ["broken", "small", "large", "waiting"] == list(found)
    assert [FAILED, WORKING, WORKING, QUEUED] == [file.state for file in found.values()]
    assert Advance(done=160, of=200, rate=20.0, seconds_left=2.0) == found["small"].advance
    assert Advance(done=300, of=1600, rate=100.0, seconds_left=13.0) == found["large"].advance
    assert Advance(done=100, of=100, rate=0.0, seconds_left=0.0) == found["broken"].advance
    rest = (200 - 160) + (1600 - 300) + 1800
    assert Advance(done=0, of=1800, rate=0.0, seconds_left=rest / 120) == found["waiting"].advance
    assert Advance(done=560, of=3700, rate=120.0, seconds_left=rest / 120) == seen.advance
    assert 2 == seen.count(WORKING)


def test_an_import_that_has_ended_has_nothing_left() -> None:
    chunk = sample_chunk("a", records=10)
    rows = dict([row(chunk, stage, "sealed", 10) for stage in STAGES])
    seen = overview([chunk], STAGES, rows)
    assert (LOADED, 1.0, 0.0) == (seen.files[0].state, seen.advance.share, seen.advance.seconds_left)


def test_with_one_look_nobody_knows_the_rate() -> None:
    chunk = sample_chunk("a", records=10)
    seen = overview([chunk], STAGES, {})
    assert (QUEUED, None) == (seen.files[0].state, seen.advance.seconds_left)


def test_smaller_files_go_first_and_the_chunks_of_one_in_their_order() -> None:
    chunks = [
        sample_chunk("large", start=500, end=900),
        sample_chunk("middle", end=600),
        sample_chunk("large", start=0, end=500),
        sample_chunk("small", end=10),
    ]
    names = [(chunk.range.uri[11:-5], chunk.range.start) for chunk in smaller_first(chunks)]
    assert [("small", 0), ("middle", 0), ("large", 0), ("large", 500)] == names
