"""Plans of landed pages: a base that is stored, and a chunk for each object that landed."""

from __future__ import annotations

import pytest

from ingest_project.core.entity import EntitySpec, in_order_of_dates
from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.core.landed import base_of, base_plan, with_landed, without_landed
from ingest_project.core.model import Chunk, ChunkPlan, KeySchema
from ingest_project.core.planning import from_json, to_json
from ingest_project.core.ports import Admission
from ingest_project.core.syncing import FULL, Landed, Slice

DAY = "2026-11-22"
KEYS = KeySchema(parts=(("id", "N"),))


def nothing(chunk: Chunk) -> Admission:
    raise AssertionError("no record is looked at")


SPEC = EntitySpec(
    name="wms.order_hdr",
    target_of=lambda uri: "wms-order_hdr",
    admission=nothing,
    start="2026-01-01",
    slots=4,
    across_dates="versioned",
    version="version",
    default_keys=KEYS,
    destinations=("current",),
    source="order_hdr",
)


def landed(number: int, slot: int) -> Landed:
    part = Slice(entity="order_hdr", date=DAY, sync=1, number=number, slot=slot, mode=FULL)
    return Landed(
        slice=part,
        sequence=0,
        uri=f"file:///pages/{number}.jsonl.zst",
        etag=f"e{number}",
        bytes=1000,
        stored=100,
        rows=25,
        pages=2,
        mod_ts_max="",
        ids_low=1,
        ids_high=25,
    )


def whole(count: int) -> ChunkPlan:
    plan = base_plan(SPEC, DAY)
    base = base_of(plan)
    assert base is not None
    return with_landed(plan, base, [landed(number, number % SPEC.slots) for number in range(count)])


def test_each_landed_object_is_a_chunk_in_the_slot_of_its_slice() -> None:
    plan = whole(6)
    assert [2, 2, 1, 1] == [len(plan.in_slot(slot)) for slot in range(4)]
    chunk = plan.in_slot(3)[0]
    assert ("wms.order_hdr", "wms-order_hdr", KEYS, 25) == (
        chunk.entity,
        chunk.target,
        chunk.keys,
        chunk.records,
    )
    assert (0, 1000, "e3") == (chunk.range.start, chunk.range.end, chunk.range.etag)


def test_what_lands_later_moves_nothing() -> None:
    assert {chunk.id for chunk in whole(3).chunks} < {chunk.id for chunk in whole(9).chunks}


def test_an_object_that_is_there_already_is_not_there_twice() -> None:
    plan = whole(3)
    base = base_of(plan)
    assert base is not None
    assert plan == with_landed(plan, base, [landed(1, 1)])


def test_what_landed_is_not_stored_with_the_plan_and_the_base_survives_the_store() -> None:
    stored = from_json(to_json(without_landed(whole(5))))
    assert base_plan(SPEC, DAY) == stored
    assert base_of(whole(5)) == base_of(stored)


def test_a_plan_of_files_has_no_base_and_is_left_as_it_is() -> None:
    plan = ChunkPlan(entity="messages", date=DAY, slots=4, chunks=whole(2).chunks)
    assert base_of(plan) is None
    assert plan == without_landed(plan)


def test_an_entity_of_files_has_no_base_plan() -> None:
    spec = EntitySpec(name="files", target_of=lambda uri: "t", admission=nothing, start="2026-01-01")
    with pytest.raises(PermanentFailure, match="no source"):
        base_plan(spec, DAY)


@pytest.mark.parametrize(
    ("across", "version"), [("sometimes", ""), ("versioned", ""), ("overwrite", "version")]
)
def test_a_version_is_named_by_versioned_entities_and_no_others(across: str, version: str) -> None:
    with pytest.raises(ValueError, match="files"):
        EntitySpec(
            name="files",
            target_of=str,
            admission=nothing,
            start="2026-01-01",
            across_dates=across,
            version=version,
        )


def test_what_orders_records_by_date_refuses_entities_whose_records_have_versions() -> None:
    with pytest.raises(ConfigurationError, match=r"wms\.order_hdr has versions"):
        in_order_of_dates(SPEC)
