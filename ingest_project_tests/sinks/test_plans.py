"""The plan store in a folder and on every S3 server: plans come back whole, dates are listed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest_project.core.model import ChunkPlan, Fault, FileIndex, Mark, SourceFile
from ingest_project.sinks.parts import LocalPartStore
from ingest_project.sinks.plans import LocalPlanStore, PlanStore, S3PlanStore
from ingest_project.testing.laws_parts import numbered, store_part
from ingest_project.testing.samples import sample_chunk
from ingest_project_tests.every_server import Clients, over


@pytest.fixture(params=["folder", *over("seaweedfs", "moto")])
def store(request: pytest.FixtureRequest, clients: Clients, prefix: str, tmp_path: Path) -> PlanStore:
    if request.param == "folder":
        return LocalPlanStore(tmp_path)
    server = request.getfixturevalue(request.param)
    return S3PlanStore(clients.boto("s3", server), clients.bucket(server), prefix)


def sample_plan(date: str = "2026-11-22", *, entity: str = "messages", records: int = 10) -> ChunkPlan:
    """One broken file in one chunk, with every field filled in."""
    fault = Fault(offset=1001, expected="a value")
    chunk = sample_chunk("é a", date=date, entity=entity, records=records, fault=fault, compression="gzip")
    modified = datetime(2026, 11, 22, 7, 1, 2, 345_000, tzinfo=UTC)
    file = SourceFile(uri=chunk.range.uri, etag=chunk.range.etag, size=700, modified=modified)
    index = FileIndex(
        file=file,
        shape=chunk.shape,
        compression="gzip",
        length=1001,
        records=records,
        marks=(Mark(offset=10, records=0),),
        end=1000,
        fingerprint="f" * 64,
        metadata={"Count": "10"},
        fault=fault,
    )
    return ChunkPlan(entity=entity, date=date, slots=16, files=(index,), chunks=(chunk,))


def test_a_plan_comes_back_whole(store: PlanStore) -> None:
    store.write(sample_plan())
    assert sample_plan() == store.read("messages", "2026-11-22")


def test_a_date_without_a_plan_has_none(store: PlanStore) -> None:
    assert store.read("messages", "2026-11-22") is None
    assert store.dates("messages") == []


def test_a_plan_takes_the_place_of_the_earlier_one(store: PlanStore) -> None:
    store.write(sample_plan())
    store.write(sample_plan(records=11))
    assert sample_plan(records=11) == store.read("messages", "2026-11-22")


def test_dates_are_listed_in_order_and_by_entity(store: PlanStore) -> None:
    for date in ("2026-11-22", "2025-12-31", "2026-01-05"):
        store.write(sample_plan(date))
    store.write(sample_plan("2024-01-01", entity="wms"))
    assert store.dates("messages") == ["2025-12-31", "2026-01-05", "2026-11-22"]
    assert store.dates("wms") == ["2024-01-01"]
    assert store.read("wms", "2026-11-22") is None


def test_plans_and_parts_share_a_folder_without_seeing_each_other(tmp_path: Path) -> None:
    plans, parts, plan = LocalPlanStore(tmp_path), LocalPartStore(tmp_path), sample_plan()
    (chunk,) = plan.chunks
    plans.write(plan)
    parts.publish(chunk, [store_part(parts, chunk, 0, 0, numbered(3))])
    parts.discard(chunk)
    assert plan == plans.read("messages", "2026-11-22")
    assert (tmp_path / "messages" / "planned" / "date=2026-11-22" / "plan.json").is_file()
