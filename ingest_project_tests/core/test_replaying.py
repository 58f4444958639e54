"""Replays as chunks: their names, and how they join the plan of their files."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ingest_project.core.model import ChunkPlan, Fault, FileIndex, SourceFile
from ingest_project.core.replaying import (
    LINE,
    SOURCE,
    Replayed,
    form_of,
    is_replay,
    replay_chunk,
    replayed,
    with_replays,
    without_replays,
)
from ingest_project.testing.samples import sample_chunk

FILE = sample_chunk(etag="a:b:c:d:e", fault=Fault(offset=9, expected="more"))
OTHER = sample_chunk("b")


def plan_of() -> ChunkPlan:
    def index(uri: str, etag: str) -> FileIndex:
        file = SourceFile(uri=uri, etag=etag, size=1, modified=datetime(2026, 1, 1, tzinfo=UTC))
        return FileIndex(
            file=file, shape="lines", compression="", length=1, records=1, marks=(), end=1, fingerprint="f"
        )

    files = tuple(index(chunk.range.uri, chunk.range.etag) for chunk in (FILE, OTHER))
    return ChunkPlan(entity="messages", date="2026-01-01", slots=4, files=files, chunks=(FILE, OTHER))


def test_a_replay_is_another_chunk_at_the_same_place() -> None:
    replay = replay_chunk(FILE, 7, SOURCE, 3)
    assert FILE.order == replay.order
    assert FILE.id != replay.id
    assert (3, None, FILE.shape, FILE.slot) == (replay.records, replay.fault, replay.shape, replay.slot)
    assert Replayed(number=7, form=SOURCE, etag="a:b:c:d:e") == replayed(replay)
    assert (False, True) == (is_replay(FILE), is_replay(replay))


def test_a_replay_of_a_replay_is_one_of_the_file() -> None:
    again = replay_chunk(replay_chunk(FILE, 7, LINE, 3), 8, LINE, 1)
    assert Replayed(number=8, form=LINE, etag="a:b:c:d:e") == replayed(again)


def test_what_a_target_refused_is_a_line_and_stays_one() -> None:
    line = replay_chunk(FILE, 1, LINE, 1)
    assert [SOURCE, LINE, LINE, LINE] == [
        form_of(FILE, "validated"),
        form_of(FILE, "table"),
        form_of(line, "validated"),
        form_of(line, "index"),
    ]


def test_a_plan_takes_the_replays_of_its_files_once_and_gives_them_back() -> None:
    plan = plan_of()
    second, first = replay_chunk(FILE, 11, SOURCE, 1), replay_chunk(FILE, 9, SOURCE, 1)
    joined = with_replays(with_replays(plan, [second, first]), [first])
    assert (FILE, first, second, OTHER) == joined.chunks
    assert plan == without_replays(joined)


def test_the_replays_of_a_file_that_was_replaced_are_left_out() -> None:
    replaced = replace(FILE, range=replace(FILE.range, etag="former"))
    assert plan_of() == with_replays(plan_of(), [replay_chunk(replaced, 1, SOURCE, 1)])
