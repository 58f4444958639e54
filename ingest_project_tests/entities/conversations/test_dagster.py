"""The asset of the tables makes them once, and its checks say how they stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from ingest_project.core.errors import TargetMissing
from ingest_project.entities.conversations.standing import standing_tables
from ingest_project.entities.conversations.table_assets import tables
from ingest_project.entities.conversations.tables import HISTORY
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.deployments import load_settings

pytestmark = pytest.mark.dagster


def materialize(home: Path) -> dg.ExecuteInProcessResult:
    return dg.materialize([tables], resources={"ingest": IngestResource(home=str(home))})


@pytest.fixture
def deployment(dynamodb_endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return home


def test_the_tables_are_made_and_checked_and_made_once(deployment: Path) -> None:
    for _ in range(2):
        done = materialize(deployment)
        passed = {one.check_name: one.passed for one in done.get_asset_check_evaluations()}
        assert {"as_defined": True, "reads_fit": True} == passed


async def test_where_tables_may_not_be_made_their_lack_is_told(
    deployment: Path, table_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = replace(HISTORY, name=table_name)
    monkeypatch.setenv("INGEST_CREATE_TABLES", "never")
    with pytest.raises(TargetMissing, match=f"table {table_name} does not stand"):
        await standing_tables(load_settings(deployment), [lacking])
    monkeypatch.setenv("INGEST_CREATE_TABLES", "embedded")
    (state,) = await standing_tables(load_settings(deployment), [lacking])
    assert state.ready
