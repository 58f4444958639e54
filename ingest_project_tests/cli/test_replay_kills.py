"""kill -9 before and behind every door of a replay: the next call ends it, and nothing is counted twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ingest_project.cli import run
from ingest_project.ledgers.replays import Replays
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.parts import ObjectPartStore
from ingest_project_tests.cli.conftest import Ingest, items_of, write_lines
from ingest_project_tests.cli.test_rejections import correct, load
from ingest_project_tests.faults.mortal import Fate

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DOORS = (
    (Replays, ("take", "close")),
    (SqlLedger, ("claim", "advance", "seal")),
    (ObjectPartStore, ("write", "publish")),
)
MOST_STEPS = 60


def killed(arguments: list[str], journal: Path, step: int) -> bool:
    """Run the command in a child that dies at this step; whether it did not get to its end."""
    child = os.fork()
    if child == 0:
        fate = Fate(journal, step)
        for owner, names in DOORS:
            for name in names:
                fate.call(owner, name)
        fate.request(DynamoDBSink, "write", "write")
        os._exit(run(arguments))
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_a_replay_that_was_killed_anywhere_is_ended_by_the_next_call(
    ingest: Ingest, dynamodb: Any, tmp_path: Path, home: Path
) -> None:
    for step in range(1, MOST_STEPS):
        table = f"kills-{step}"
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        records: list[dict[str, object]] = [{"id": "a"}, {"id": 5}, {"id": 6}, {"id": "b", "last": True}]
        dump = write_lines(tmp_path / f"{step}-dump.json", records)
        load(ingest, dump, table)
        exported = tmp_path / f"{step}.jsonl"
        ingest("rejections", "export", exported, "--file", dump.name)
        correct(exported, {'"id": 5': '"id": "b"', '"id": 6': '"id": "c"'})
        died = killed(["rejections", "replay", str(exported)], tmp_path / "journal", step)
        # What was taken before the kill is gone on with; what was not is taken now.
        ingest("rejections", "replay", exported)
        (file,) = [one for one in ingest("status", "--json").report["files"] if one["target"] == table]
        found = items_of(dynamodb, table)
        assert ({"a", "b", "c"}, True) == (set(found), found["b"]["last"]["BOOL"])
        counts = file["stages"]["table"]
        assert (4, 0, "loaded") == (file["read"], file["rejected"], file["state"])
        assert (4, 3, 1) == (counts["sent"], counts["written"], counts["superseded"])
        assert ["loaded", "loaded"] == states(home, dump.as_uri())
        if not died:
            break
    assert 15 < step < MOST_STEPS - 1


def states(home: Path, uri: str) -> list[str]:
    ledger = SqlLedger(home / "ledger.db")
    try:
        return [letter.state for letter in ledger.dead_letters.list() if letter.uri == uri]
    finally:
        ledger.close()
