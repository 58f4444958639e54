"""Law 7: ranges tile the files exactly, slots never exceed the maximum, re-planning moves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import Chunk, ChunkPlan, Fault, FileIndex, KeySchema, Mark, SourceFile
from ingest_project.core.planning import MIN_CHUNK_BYTES, Binding, copies, from_json, plan, to_json

KEYS = KeySchema(parts=(("id", "S"), ("sort", "N")))
MB = 1 << 20


def index(
    name: str,
    size: int = 100 * MB,
    *,
    gap: int = MB,
    start: int = 12,
    compression: str = "",
    fault: Fault | None = None,
    etag: str = "e1",
    fingerprint: str = "",
) -> FileIndex:
    offsets = range(start, start + size, gap) if size else ()
    return FileIndex(
        file=SourceFile(
            uri=f"file:///in/{name}.json",
            etag=etag,
            size=size + 20,
            modified=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        shape="wrapper:Items",
        compression=compression,
        length=start + size + 2,
        records=10 * len(offsets),
        marks=tuple(Mark(offset=offset, records=10 * at) for at, offset in enumerate(offsets)),
        end=start + size,
        fingerprint=fingerprint or f"{name}{size}{etag}",
        metadata={"Count": "7", "naïve": '"ü"'},
        fault=fault,
    )


def bind(*indices: FileIndex, target: str = "messages") -> list[Binding]:
    return [Binding(index=each, target=target, keys=KEYS) for each in indices]


def planned(
    *indices: FileIndex,
    previous: ChunkPlan | None = None,
    slots: int = 16,
    min_chunk_bytes: int = MIN_CHUNK_BYTES,
) -> ChunkPlan:
    return plan(
        previous,
        bind(*indices),
        entity="messages",
        date="2026-01-01",
        slots=slots,
        min_chunk_bytes=min_chunk_bytes,
    )


def of_file(made: ChunkPlan, name: str) -> list[Chunk]:
    return [chunk for chunk in made.chunks if chunk.range.uri == f"file:///in/{name}.json"]


files = st.lists(
    st.builds(
        index,
        st.sampled_from("abcdefgh"),
        st.integers(0, 300 * MB),
        gap=st.integers(MB // 2, 70 * MB),
        start=st.integers(0, 50),
        compression=st.sampled_from(["", "", "gzip"]),
        fault=st.sampled_from([None, None, Fault(offset=5, expected="a comma")]),
    ),
    unique_by=lambda each: each.file.uri,
    max_size=8,
)


@given(files, st.integers(1, 20), st.integers(1, 40 * MB))
def test_ranges_tile_each_file_on_record_starts(indices: list[FileIndex], slots: int, least: int) -> None:
    made = planned(*indices, slots=slots, min_chunk_bytes=least)
    for each in indices:
        chunks = [chunk for chunk in made.chunks if chunk.range.uri == each.file.uri]
        if each.records:
            ends = [each.marks[0].offset, *(chunk.range.end for chunk in chunks)]
            assert [*(chunk.range.start for chunk in chunks), each.end] == ends
            assert each.records == sum(chunk.records for chunk in chunks)
            before = {mark.offset: mark.records for mark in each.marks}
            done = 0
            for chunk in chunks:
                assert done == before[chunk.range.start] == chunk.before
                assert chunk.records > 0
                done += chunk.records
        else:
            assert (1 if each.fault else 0) == len(chunks)
        assert [None] * (len(chunks) - 1) == [chunk.fault for chunk in chunks[:-1]]
        assert not chunks or each.fault == chunks[-1].fault
        assert len(chunks) <= (1 if each.compression else slots)


@given(files, st.integers(1, 20), st.integers(1, 40 * MB), st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_the_order_of_the_files(
    indices: list[FileIndex], slots: int, least: int, rng: Random
) -> None:
    made = planned(*indices, slots=slots, min_chunk_bytes=least)
    rng.shuffle(indices)
    assert made == planned(*indices, slots=slots, min_chunk_bytes=least)
    assert all(0 <= chunk.slot < slots for chunk in made.chunks)
    assert sorted(made.chunks, key=lambda chunk: chunk.order) == list(made.chunks)


@given(files, st.integers(0, 8), st.integers(1, 20))
def test_planning_again_with_late_files_moves_nothing(
    indices: list[FileIndex], early: int, slots: int
) -> None:
    first = planned(*indices[:early], slots=slots)
    second = planned(*indices, previous=first)
    assert set(first.chunks) <= set(second.chunks)
    assert slots == second.slots
    assert second == planned(*indices, previous=second)
    assert second == planned(previous=second)


@given(files, st.integers(1, 20))
def test_a_plan_survives_json(indices: list[FileIndex], slots: int) -> None:
    made = planned(*indices, slots=slots)
    assert made == from_json(to_json(made))


def test_a_giant_file_is_spread_over_all_slots_evenly() -> None:
    made = planned(index("giant", 1600 * MB))
    assert list(range(16)) == sorted(chunk.slot for chunk in made.chunks)
    sizes = [chunk.range.end - chunk.range.start for chunk in made.chunks]
    assert max(sizes) - min(sizes) <= 2 * MB


def test_more_data_makes_larger_chunks_and_never_more_slots() -> None:
    small, large = planned(index("a", 160 * MB)), planned(index("a", 16_000 * MB, gap=4 * MB))
    assert len(small.chunks) == len(large.chunks) == 16


def test_a_small_file_is_not_cut() -> None:
    assert len(planned(index("a", 7 * MB)).chunks) == 1
    assert len(planned(index("a", 12 * MB)).chunks) == 2


def test_small_files_are_packed_evenly() -> None:
    made = planned(*(index(f"f{number:02}", (number % 7 + 1) * MB) for number in range(64)), slots=4)
    loads = [sum(c.range.end - c.range.start for c in made.in_slot(slot)) for slot in range(4)]
    assert max(loads) - min(loads) <= 2 * MB


def test_a_late_file_goes_where_least_lies() -> None:
    first = planned(index("a", 8 * MB), index("b", 4 * MB), slots=2)
    second = planned(index("late", 2 * MB), previous=first)
    (late,) = of_file(second, "late")
    assert of_file(first, "b")[0].slot == late.slot


def test_a_compressed_file_is_one_chunk() -> None:
    assert len(planned(index("a", 900 * MB, compression="gzip")).chunks) == 1


def test_a_fault_lies_on_the_last_chunk_of_its_file() -> None:
    fault = Fault(offset=99, expected="a comma")
    chunks = of_file(planned(index("a", fault=fault), index("b")), "a")
    assert [None] * (len(chunks) - 1) + [fault] == [chunk.fault for chunk in chunks]


def test_a_file_broken_before_its_first_record_has_one_empty_chunk() -> None:
    fault = Fault(offset=3, expected="a JSON value")
    (chunk,) = planned(index("a", 0, fault=fault)).chunks
    assert (0, fault, 0) == (chunk.records, chunk.fault, chunk.range.end - chunk.range.start)


def test_a_good_file_without_records_is_known_and_has_no_chunk() -> None:
    made = planned(index("a", 0))
    assert (len(made.chunks), len(made.files)) == (0, 1)


def test_a_file_with_new_bytes_replaces_its_old_chunks_only() -> None:
    first = planned(index("a", 30 * MB), index("b", 30 * MB))
    second = planned(index("a", 20 * MB, etag="e2"), previous=first)
    assert of_file(first, "b") == of_file(second, "b")
    assert {"e2"} == {chunk.range.etag for chunk in of_file(second, "a")}
    assert {"e2", "e1"} == {each.file.etag for each in second.files}


def test_a_copy_is_planned_unless_told_otherwise_and_is_named() -> None:
    original, copy = index("a", fingerprint="same"), index("b", fingerprint="same")
    first = planned(original)
    assert of_file(planned(copy, previous=first), "b")
    skipped = plan(first, bind(copy), entity="messages", date="2026-01-01", skip_copies=True)
    assert first == skipped
    assert copies(first, bind(copy)) == {"file:///in/b.json": "file:///in/a.json"}
    assert copies(None, bind(copy, original)) == {"file:///in/b.json": "file:///in/a.json"}
    assert copies(first, bind(original)) == {}
    assert copies(first, bind(copy, target="other")) == {}


def test_a_good_file_goes_to_the_slot_in_which_the_broken_one_of_its_name_failed() -> None:
    broken = index("b", 40 * MB, fault=Fault(offset=40 * MB, expected="the end of the array"))
    first = planned(index("a"), broken, index("c"))
    (failed,) = [chunk.slot for chunk in first.chunks if chunk.fault is not None]
    second = planned(index("b", 80 * MB, etag="e2"), previous=first)
    assert {failed} == {chunk.slot for chunk in second.chunks if chunk.range.etag == "e2"}


def test_a_file_with_new_bytes_stays_in_the_slots_of_its_old_chunks() -> None:
    first = planned(index("a", 500 * MB), index("b", 40 * MB), index("c", 500 * MB))
    slots = {chunk.slot for chunk in first.chunks if chunk.range.uri.endswith("b.json")}
    second = planned(index("b", 80 * MB, etag="e2"), previous=first)
    assert slots == {chunk.slot for chunk in second.chunks if chunk.range.etag == "e2"}


def test_a_copy_of_bytes_that_are_replaced_is_no_copy() -> None:
    first = planned(index("a", fingerprint="same"))
    late = bind(index("a", fingerprint="new", etag="e2"), index("b", fingerprint="same"))
    assert copies(first, late) == {}


def test_the_plan_keeps_only_the_marks_it_was_cut_at() -> None:
    made = planned(index("a", 1600 * MB))
    assert [chunk.range.start for chunk in made.chunks] == [mark.offset for mark in made.files[0].marks]


def test_slots_and_names_of_a_plan_cannot_change() -> None:
    first = planned(index("a"), slots=4)
    assert planned(index("b"), previous=first, slots=9).slots == 4
    with pytest.raises(ValueError, match="on top of"):
        plan(first, [], entity="messages", date="2026-01-02")
    with pytest.raises(ValueError, match="slots"):
        planned(slots=0)


def test_one_file_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        planned(index("a"), index("a", etag="e2"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 9}', '{"version": 1, "entity": "x"}'])
def test_a_text_that_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PermanentFailure):
        from_json(text)


def test_an_id_changes_with_the_bytes_and_not_with_the_slot() -> None:
    (chunk,) = planned(index("a", MB)).chunks
    assert chunk.id == replace(chunk, slot=3).id
    assert chunk.id != replace(chunk, range=replace(chunk.range, etag="e2")).id
