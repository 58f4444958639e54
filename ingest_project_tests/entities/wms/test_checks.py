"""The warehouse's own checks: what they say of rows, of fields and of the mirror's age."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from ingest_project.core.fields import DESCRIBED, EXTENDED, FieldEvent, KnownField
from ingest_project.core.model import Chunk, Claim, Counts, FileRange, Position, Work
from ingest_project.core.syncing import DELETES, SINCE, Bookmark, Landed, Sync
from ingest_project.entities.wms.checks import build_warehouse_checks, field_result, fresh_result
from ingest_project.entities.wms.freshness import age_of
from ingest_project.entities.wms.spec import spec_of
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.syncs import Piece
from ingest_project.testing.doubles_time import FakeClock
from ingest_project_tests.entities.wms.rows import chunk

SPEC = spec_of("allocation")
DAY = "2026-01-01"


def test_every_entity_has_the_checks_that_the_domain_asks_for() -> None:
    names = {
        entity: {key.name for check in build_warehouse_checks(spec_of(entity)) for key in check.check_keys}
        for entity in ("allocation", "order_hdr", "order_dtl")
    }
    always = {"fields_as_known", "fresh"}
    assert {
        "allocation": always | {"quantities_are_sound"},
        "order_hdr": always,
        "order_dtl": always | {"orders_exist"},
    } == names


def test_a_changed_type_fails_and_a_new_field_warns_for_a_week() -> None:
    known = [KnownField(name="zip", kinds=("text",), origin="describe")]
    begun = FieldEvent(name="zip", event=DESCRIBED, kinds=("text",), detail="", at=0.0)
    new = FieldEvent(name="lot", event=EXTENDED, kinds=("text",), detail='"A"', at=1_000.0)
    week = 7 * 86_400.0
    assert field_result("wms.x", known, [begun], 0.0).passed
    warned = field_result("wms.x", known, [begun, new], 2_000.0)
    assert (False, dg.AssetCheckSeverity.WARN, "new field lot") == (
        warned.passed,
        warned.severity,
        warned.description,
    )
    assert field_result("wms.x", known, [begun, new], 1_000.0 + week).passed
    failed = field_result("wms.x", [known[0].met("integer")], [begun, new], 2_000.0)
    assert (False, dg.AssetCheckSeverity.ERROR) == (failed.passed, failed.severity)
    assert (
        "changed type of zip: integer, was text: `ingest schema wms.x` decides; new field lot"
        == failed.description
    )
    assert (1, 1) == (failed.metadata["waiting"].value, failed.metadata["new"].value)
    told = str(failed.metadata["choices"].value)
    for choice in ("accept", "aside", "refuse"):
        assert f"| zip | text | integer | `ingest schema wms.x --{choice} zip` |" in told
    assert "choices" not in warned.metadata


@pytest.mark.parametrize(
    ("hours", "passed", "severity"),
    [
        (1.9, True, dg.AssetCheckSeverity.WARN),
        (2.1, False, dg.AssetCheckSeverity.WARN),
        (4.1, False, dg.AssetCheckSeverity.ERROR),
        (None, False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_the_mirrors_age_warns_and_fails(
    hours: float | None, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    result = fresh_result(SPEC, None if hours is None else hours * 3600)
    assert (passed, severity) == (result.passed, result.severity)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: FakeClock) -> Iterator[SqlLedger]:
    made = SqlLedger(tmp_path / "ledger.db", clock=clock)
    yield made
    made.close()


def landed_chunk(uri: str) -> Chunk:
    place = FileRange(uri=uri, etag="e", start=0, end=1)
    return replace(chunk(SPEC.name), date=DAY, range=place, records=1, target="wms-allocation")


def synced(ledger: SqlLedger, uri: str, mode: str = SINCE) -> None:
    """A sync of one slice that is through, with one object."""
    wanted = Sync(number=0, entity=SPEC.name, date=DAY, mode=mode, since="", until="")
    sync = ledger.syncs.begin(wanted, [Piece(slot=0)])
    part = ledger.syncs.status(sync.number)[0].slice
    claim = ledger.syncs.claim(part, owner="me", lease=60)
    assert claim is not None
    one = Landed(
        slice=part,
        sequence=0,
        uri=uri,
        etag="e",
        bytes=1,
        stored=1,
        rows=1,
        pages=1,
        mod_ts_max="2026-01-01T00:00:00Z",
        ids_low=1,
        ids_high=1,
    )
    claim = ledger.syncs.land(claim, [one], Bookmark(last_id=1, last_mod_ts="2026-01-01T00:00:00Z"), lease=60)
    ledger.syncs.finish(claim, seconds=1)


def delivered(ledger: SqlLedger, uri: str) -> None:
    """The object's rows are in the current table."""
    for stage in ("validated", "current"):
        work = Work(chunk=landed_chunk(uri), stage=stage, identity="t", horizon=1_000_000)
        claim: Claim = ledger.claim(work, owner="me", lease=60)
        ledger.advance(claim, Position(1), Counts(sent=1, written=1), (), lease=60)
        ledger.seal(claim, seconds=1)


def test_the_mirror_is_as_old_as_the_last_sync_that_arrived(ledger: SqlLedger, clock: FakeClock) -> None:
    assert age_of(SPEC, ledger, clock()) is None
    synced(ledger, "file:///1")
    assert age_of(SPEC, ledger, clock()) is None
    delivered(ledger, "file:///1")
    clock.advance(100)
    assert 100.0 == age_of(SPEC, ledger, clock())
    synced(ledger, "file:///2")
    clock.advance(10)
    # Its rows are read, and not in the table yet.
    assert 110.0 == age_of(SPEC, ledger, clock())
    delivered(ledger, "file:///2")
    assert 10.0 == age_of(SPEC, ledger, clock())
    synced(ledger, "file:///3", DELETES)
    clock.advance(1)
    assert 11.0 == age_of(SPEC, ledger, clock())
