"""The migration and the memory from the command line, from the plan to the deleted table."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ingest_project.entities.conversations.tables import tables_of
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.testing.conversation_messages import Messages, write_messages
from ingest_project.wire.http import run
from ingest_project_tests.cli.conftest import Ingest
from ingest_project_tests.sinks.sending import dynamodb_api

pytestmark = pytest.mark.servers
MESSAGES = Messages(count=48, users=3)


@pytest.fixture
def memory(variables: Mapping[str, str], table_name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An old table with some messages in a deployment of its own names; gives the stem of these."""
    names = {word: f"{table_name}-{word}" for word in tables_of()}
    monkeypatch.setenv("INGEST_CONVERSATIONS_TABLES", ",".join(f"{a}={b}" for a, b in names.items()))
    monkeypatch.setenv("INGEST_CONVERSATIONS_ENCODER", "hashing")
    monkeypatch.setenv("INGEST_CONVERSATIONS_STABLE_DAYS", "0")
    monkeypatch.setenv("INGEST_CONVERSATIONS_SEGMENTS", "2")

    async def fill() -> None:
        async with dynamodb_api(variables["AWS_ENDPOINT_URL_DYNAMODB"]) as api:
            await ensure_table(api, tables_of(names)["old"])
            await write_messages(MESSAGES, DynamoDBSink(api, names["old"]))

    run(fill)
    return table_name


def remember_and_again(ingest: Ingest, user: str, session: str) -> None:
    """A message is one with its like; what is none is a wrong call."""
    said = ("conversations", "remember", user, session, "one word more")
    at = ("--at", "2099-11-01T12:00:00+02:00", "--json")
    done = ingest(*said, *at).report
    assert (f"{user}#2099-11-01", True) == (done["user_date"], done["forgotten"])
    assert done["timestamp_type"].startswith("2099-11-01T10:00:00.000000Z#user#")
    assert done == ingest(*said, *at).report
    for wrong in (("--role", "nobody"), ("--at", "yesterday")):
        assert 2 == ingest(*said, *wrong).status


def test_a_memory_is_migrated_proved_asked_and_its_old_table_deleted(ingest: Ingest, memory: str) -> None:
    plan = ingest("conversations", "plan", "--json").report
    assert (2, f"{memory}-old") == (plan["segments"], plan["tables"]["old"])
    assert f"plan {plan['hash']} of " in ingest("conversations", "plan").out
    assert 1 == ingest("conversations", "cut-over").status

    done = ingest("conversations", "migrate", "--json")
    assert 0 == done.status, done.err
    assert {"history": 48, "embeddings": 48} == {name: one["written"] for name, one in done.report.items()}
    again = ingest("conversations", "migrate", "--again")
    assert 0 == again.status
    assert "history: 0 written, 48 unchanged, 0 rejected in 2 segments" in again.out

    verified = ingest("conversations", "verify")
    assert 0 == verified.status, verified.out
    assert f"plan {plan['hash']}: 0 differences, 0 rows rejected" in verified.out
    assert ingest("conversations", "verify", "--json").report["clean"] is True

    row = MESSAGES.message(0)
    user, session, text = (str(row[name]) for name in ("user_id", "session_id", "content"))
    found = ingest("conversations", "context", user, session, text, "--json").report
    assert 5 == len(found["session"])
    remember_and_again(ingest, user, session)
    found = ingest("conversations", "context", user, session, text, "--json").report
    assert "one word more" == found["session"][0]["text"]
    assert found["statistics"]["messages"] >= 0
    shown = ingest("conversations", "context", user, session, text, "--metrics")
    assert "7 days: " in shown.out
    assert "ingest_conversations_contexts_total 1\n" in shown.out
    looked = ingest("conversations", "diagnose", "--users", "2")
    assert "ok    scans: " in looked.out
    assert 0 == looked.status, looked.out
    assert "cache" in {
        one["about"] for one in ingest("conversations", "diagnose", "--json").report["findings"]
    }

    assert 1 == ingest("conversations", "clean-up", "--confirm", plan["hash"]).status
    assert f"plan {plan['hash']} was cut over" in ingest("conversations", "cut-over").out
    wrong = ingest("conversations", "clean-up", "--confirm", "another")
    assert 1 == wrong.status
    assert "stays" in wrong.err
    assert "was deleted" in ingest("conversations", "clean-up", "--confirm", plan["hash"]).out


def test_a_lost_row_is_named_and_ends_with_1(
    ingest: Ingest, memory: str, variables: Mapping[str, str]
) -> None:
    ingest("conversations", "plan")
    ingest("conversations", "migrate")

    async def lose() -> None:
        async with dynamodb_api(variables["AWS_ENDPOINT_URL_DYNAMODB"]) as api:
            history = f"{memory}-history"
            (one,) = (await api.call("Scan", {"TableName": history, "Limit": 1}))["Items"]
            key = {name: one[name] for name in ("user_date", "timestamp_type")}
            await api.call("DeleteItem", {"TableName": history, "Key": key})

    run(lose)
    done = ingest("conversations", "verify")
    assert 1 == done.status
    assert "lost row" in done.out


def test_a_target_elsewhere_is_refused_before_a_connection(
    bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "https://dynamodb.example.org")
    done = bare_ingest("conversations", "plan")
    assert 1 == done.status
    assert "INGEST_ALLOW_REMOTE_WRITES" in done.err
