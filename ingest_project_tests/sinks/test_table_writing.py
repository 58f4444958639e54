"""Items are put until all are taken; what is left unprocessed is sent again, and the cost is counted."""

from __future__ import annotations

from random import Random

import pytest

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.model import KeySchema
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.sinks.table_writing import TableWriter
from ingest_project.testing import fault_scripts as scripts
from ingest_project.testing.fault_scripts import Script
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.sinks.sending import dynamodb_api

TABLE = TableDefinition(
    word="one", name="table-one", keys=KeySchema(parts=(("id", "S"),)), attributes={"id": "S"}
)
ITEMS = [{"id": {"S": str(number)}} for number in range(5)]


async def put(script: Script, items: list[dict[str, dict[str, str]]], attempts: int = 4) -> TableWriter:
    """Puts the items and sees to it that all stand."""
    async with (
        FaultServer(keys={TABLE.name: ("id",)}, script=script) as server,
        dynamodb_api(server.url) as api,
    ):
        policy = RetryPolicy(base=0, attempts=attempts)
        writer = TableWriter(api, {"one": TABLE}, rng=Random(1), retry=policy)
        await writer.put("w", {"one": items, "two": []} if items else {})
        assert len(items) == len(server.tables.items[TABLE.name])
        return writer


async def test_what_stays_unprocessed_is_sent_again_and_counted() -> None:
    script = scripts.in_order(
        scripts.unprocessed(1, 3), scripts.error("ThrottlingException"), scripts.unprocessed(0)
    )
    tally = (await put(script, ITEMS)).consumption.of("w")
    assert (5, 3, 3) == (tally.items, tally.requests, tally.retries)


async def test_nothing_to_put_asks_nothing() -> None:
    assert 0 == (await put(scripts.in_order(), [])).consumption.requests


async def test_attempts_end() -> None:
    with pytest.raises(TransientFailure, match="stay unprocessed"):
        await put(scripts.between(0, None, scripts.unprocessed(0)), ITEMS[:1], attempts=2)


async def test_a_refusal_is_not_tried_again() -> None:
    with pytest.raises(PermanentFailure):
        await put(scripts.in_order(scripts.error("ValidationException"), None), ITEMS)


async def test_more_than_a_request_takes_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at most 25"):
        await put(scripts.in_order(), [{"id": {"S": str(number)}} for number in range(26)])
