"""What a materialization shows: whole tables whatever the data holds, and no rate where nothing was done."""

from __future__ import annotations

from ingest_project.core.model import ChunkPlan, Counts
from ingest_project.core.outcomes import Summary, summarize
from ingest_project.core.overview import FAILED, LOADED, Advance, FileAdvance, ImportAdvance
from ingest_project.io_managers.metadata import (
    import_metadata,
    plan_metadata,
    rejection_table,
    slot_metadata,
)
from ingest_project.ledgers.rejections import DeadLetter
from ingest_project.resources.planner import PlanOutcome

LETTER = DeadLetter(
    entity="messages",
    stage="validated",
    date="2026-11-22",
    target="a",
    uri="s3://inbox/a|b-dump.json",
    chunk_id="c",
    ordinal=1,
    offset=42,
    key="k|1\nk",
    reason="no key | no record",
    raw=b'{"a":"`|\n\xff"}',
    raw_bytes=14,
)


def test_a_hostile_record_breaks_no_table_of_rejections() -> None:
    table = str(rejection_table([LETTER]).value)
    row = table.splitlines()[-1].replace("\\|", "")
    assert (3, 6) == (len(table.splitlines()), row.count("|"))
    assert "`" + '{"a":"\' \ufffd"}' + "`" in row


def test_an_empty_slot_counts_zero_rows_and_has_no_rate() -> None:
    metadata = slot_metadata(summarize(()))
    assert metadata["dagster/row_count"].value == 0
    assert not {"seconds", "items_per_second", "peak_memory_mb", "files"} & set(metadata)


def test_a_replay_has_counts_and_no_rate() -> None:
    done = Counts(sent=10, written=10)
    replay = Summary(chunks=1, planned=10, counts=done, fresh=Counts(), seconds=0.01, unsealed=())
    metadata = slot_metadata(replay)
    assert (metadata["written"].value, metadata["already_done"].value) == (10, 10)
    assert "items_per_second" not in metadata


def test_a_slot_shows_what_went_through_and_what_it_took_of_the_target() -> None:
    done = Counts(sent=8, written=6, rejected=2)
    found = Summary(
        chunks=1, planned=8, counts=done, fresh=done, seconds=2.0, unsealed=(), target_seconds=5.0
    )
    metadata = slot_metadata(found)
    assert (0.75, 0.25, 5.0) == tuple(
        metadata[name].value for name in ("success_rate", "failure_rate", "target_seconds")
    )


def test_an_import_shows_its_files_what_stands_badly_first_and_some_of_what_was_rejected() -> None:
    done = Advance(done=9, of=9)
    files = [
        FileAdvance(uri=f"s3://inbox/{name}.csv", state=state, advance=done)
        for name, state in (("a", LOADED), ("b", FAILED))
    ]
    seen = ImportAdvance(entity="dropship", date="2026-11-22", files=files, advance=done)
    metadata = import_metadata(seen, {"s3://inbox/a.csv": 1_200}, [LETTER])
    assert ["| b.csv | failed | 100 % | 0 |", "| a.csv | loaded | 100 % | 1,200 |"] == str(
        metadata["import_files"].value
    ).splitlines()[2:]
    assert (1, 1, 1_200) == tuple(
        metadata[name].value for name in ("files_loaded", "files_failed", "import_rejected")
    )
    assert "no key" in str(metadata["import_rejections"].value)
    assert "import_rejections" not in import_metadata(seen, {})


def test_a_plan_shows_its_advice() -> None:
    plan = ChunkPlan(entity="messages", date="2026-11-22", slots=1)
    metadata = plan_metadata(PlanOutcome(plan=plan, added=(), refused={}), ("Join small files.",))
    assert "- Join small files." == metadata["advice"].value
    assert "advice" not in plan_metadata(PlanOutcome(plan=plan, added=(), refused={}))
