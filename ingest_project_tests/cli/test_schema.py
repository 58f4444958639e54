"""`ingest schema`: fields are shown, a changed type makes it end with 1, and a decision is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_project.core.fields import DESCRIBED, KnownField
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.deployments import load_settings
from ingest_project_tests.cli.conftest import Ingest

HDR = "wms.order_hdr"


@pytest.fixture
def ledger(bare_ingest: Ingest, home: Path) -> SqlLedger:
    """The ledger of the calls, with a field whose type changed."""
    made = SqlLedger(load_settings(home).ledger_url)
    fields = [
        KnownField(name="priority", kinds=("integer",), origin="describe"),
        KnownField(name="zip", kinds=("text",), origin="describe"),
    ]
    made.fields.add(HDR, fields, event=DESCRIBED)
    made.fields.ask(HDR, "priority", "text", detail='"HIGH"')
    return made


def test_a_changed_type_is_shown_with_its_choices_and_ends_with_1(
    bare_ingest: Ingest, ledger: SqlLedger
) -> None:
    done = bare_ingest("schema", HDR)
    assert 1 == done.status
    assert "wms.order_hdr: 2 fields" in done.out
    assert "WAITS: text" in done.out
    assert 'asked     priority: text  "HIGH"' in done.out
    for choice in ("accept", "aside", "refuse"):
        assert f"ingest schema wms.order_hdr --{choice} priority" in done.out


def test_a_decision_is_kept_with_who_made_it(bare_ingest: Ingest, ledger: SqlLedger) -> None:
    done = bare_ingest("schema", HDR, "--accept", "priority", "--by", "ana", "--json")
    assert 0 == done.status
    fields = {field["name"]: field for field in done.report["fields"]}
    assert (["text", "integer"], []) == (fields["priority"]["kinds"], fields["priority"]["asked"])
    last = done.report["history"][-1]
    assert ("accept", ["text"], "ana") == (last["event"], last["kinds"], last["detail"])
    assert ("text", "integer") == ledger.fields.known(HDR)["priority"].kinds


def test_entities_with_fields_are_listed_and_wrong_calls_are_named(
    bare_ingest: Ingest, ledger: SqlLedger
) -> None:
    assert (0, "wms.order_hdr\n") == (bare_ingest("schema").status, bare_ingest("schema").out)
    for words, said in (
        (["--accept", "priority"], "say the ENTITY"),
        ([HDR, "--accept", "zip"], "no change of its type waits"),
        ([HDR, "--accept", "lot"], "has no field 'lot'"),
    ):
        done = bare_ingest("schema", *words)
        assert 2 == done.status
        assert said in done.err
