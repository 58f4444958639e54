"""Embedded services: idempotent, on free ports where need be, bounded in time; no foreigner is stopped."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ingest_project import local
from ingest_project.core.errors import ConfigurationError
from ingest_project.local import processes
from ingest_project.local.catalogue import SERVERS
from ingest_project.local.ports import choose, is_free
from ingest_project.local.state import Running, Stack, state_file, write_stack

pytestmark = pytest.mark.servers
QUICK = ("opensearch",)


@pytest.fixture
def state(home: Path) -> Iterator[Path]:
    """A state folder whose servers are stopped in the end."""
    yield home
    local.down(home, grace=0.5)


def up(home: Path, names: tuple[str, ...] = QUICK) -> Stack:
    return local.up(home, names=names, usual_ports=False, tied=True)


def test_up_twice_starts_once(state: Path) -> None:
    first, second = up(state), up(state)
    assert first == second
    assert [line.state for line in local.status(state)] == ["down", "down", "up"]


def test_two_callers_at_once_start_one_server(state: Path) -> None:
    stacks: list[Stack] = []

    def call() -> None:
        # Not tied: a tied server would end with its thread.
        stacks.append(local.up(state, names=QUICK, usual_ports=False))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [stack.servers["opensearch"].mark for stack in stacks] == [
        stacks[0].servers["opensearch"].mark
    ] * 4


def test_down_twice_is_down_once(state: Path) -> None:
    up(state)
    assert local.down(state) == {"opensearch": "stopped"}
    assert local.down(state) == {"opensearch": "gone"}
    assert {line.state for line in local.status(state)} == {"down"}


def test_down_in_an_empty_or_missing_folder_does_nothing(home: Path) -> None:
    assert local.down(home) == {}
    assert local.down(home / "missing") == {}
    assert not (home / "missing").exists()


def test_a_server_that_died_is_started_again(state: Path) -> None:
    before = up(state).servers["opensearch"]
    psutil.Process(before.mark.pid).kill()
    after = up(state).servers["opensearch"]
    assert after.mark != before.mark
    assert processes.alive(after.mark)


def test_a_foreign_process_under_a_noted_pid_is_never_stopped(state: Path) -> None:
    mark = processes.ProcessMark(pid=os.getpid(), started=psutil.Process().create_time() - 5.0)
    write_stack(Stack(home=state, servers={"s3": Running(name="s3", mark=mark, ports={"http": 1})}))
    assert local.down(state) == {"s3": "gone"}
    assert local.read_running(state).servers == {}


def test_taken_ports_give_way_to_free_ones() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder, socket.create_server(("", 0)) as wide:
        held, everywhere = holder.getsockname()[1], wide.getsockname()[1]
        assert not is_free(held)
        assert not is_free(everywhere)
        taken: set[int] = set()
        port = choose((held, everywhere), taken)
        assert port not in (held, everywhere)
        assert taken == {port}


def test_the_usual_port_is_taken_first_and_the_last_one_before_it(state: Path) -> None:
    usual = SERVERS["opensearch"].ports["http"]
    with ExitStack() as holders:
        if is_free(usual):
            holders.enter_context(socket.create_server(("127.0.0.1", usual)))
        before = local.up(state, names=QUICK, tied=True).servers["opensearch"].port
        assert before != usual
        local.down(state)
    assert local.up(state, names=QUICK, tied=True).servers["opensearch"].port == before


def test_the_variables_lead_clients_to_the_servers(state: Path) -> None:
    stack = up(state)
    port = stack.servers["opensearch"].port
    assert stack.variables["OPENSEARCH_URL"] == f"http://127.0.0.1:{port}"
    assert "AWS_ENDPOINT_URL_S3" not in stack.variables
    assert stack.variables["INGEST_HOME"] == str(state)
    assert (
        json.loads(state_file(state).read_text())["services"]["opensearch"]["endpoint"]
        == f"http://127.0.0.1:{port}"
    )


def test_a_server_that_cannot_start_is_reported_with_its_log(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["/bin/sh", "-c", "echo no such luck; exit 3"]
    broken = replace(SERVERS["opensearch"], command=lambda place: command)
    monkeypatch.setattr("ingest_project.local.services.SERVERS", {**SERVERS, "opensearch": broken})
    with pytest.raises(
        local.ServiceFailed, match=r"(?s)ended while starting; its log is .*server\.log.*no such luck"
    ):
        up(state)


def test_a_server_that_never_answers_is_given_up_in_time(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumb = replace(SERVERS["opensearch"], problem=lambda port: "silent")
    monkeypatch.setattr("ingest_project.local.services.SERVERS", {**SERVERS, "opensearch": dumb})
    times = iter(range(1000))
    with pytest.raises(local.ServiceFailed, match="does not answer in time"):
        local.up(
            state,
            names=QUICK,
            usual_ports=False,
            tied=True,
            timeout=5.0,
            clock=lambda: float(next(times)),
            sleep=lambda _: None,
        )


def test_a_foreign_server_on_the_port_is_not_taken_for_ours(state: Path) -> None:
    theirs = up(state).servers["opensearch"]
    mark = processes.ProcessMark(pid=os.getpid(), started=psutil.Process().create_time())
    other = state / "other"
    other.mkdir()
    imposter = Running(name="opensearch", mark=mark, ports=theirs.ports)
    write_stack(Stack(home=other, servers={"opensearch": imposter}))
    line = local.status(other)[2]
    assert (line.state, line.note) == ("ailing", f"not listening on port {theirs.port}")


def test_a_state_folder_that_the_s3_server_would_split_is_refused(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="no comma"):
        up(home / "a,b", ("s3",))


def test_a_damaged_state_file_is_named_and_nothing_is_started(state: Path) -> None:
    for text in (
        "",
        "[]",
        '{"version": 2}',
        '{"version": 1, "bucket": "", "services": {"s3": {"pid": "x"}}}',
    ):
        state_file(state).write_text(text)
        with pytest.raises(ConfigurationError, match=r"services\.json"):
            up(state)
    state_file(state).unlink()


def test_an_unknown_service_is_refused(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown service nonesuch"):
        local.up(home, names=("nonesuch",))


def test_status_says_what_keeps_nothing_on_disk(home: Path) -> None:
    lines = {line.name: line for line in local.status(home)}
    assert {name: line.keeps_data for name, line in lines.items()} == {
        "s3": True,
        "dynamodb": False,
        "opensearch": False,
    }
    assert "gone when it stops" in lines["dynamodb"].note


def test_a_server_that_hangs_is_ailing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = up(state).servers["opensearch"]
    process = psutil.Process(server.mark.pid)
    process.suspend()
    monkeypatch.setattr("ingest_project.local.servers.PROBE_SECONDS", 0.3)
    try:
        line = local.status(state)[2]
    finally:
        process.resume()
    assert line.state == "ailing"
    assert "no answer" in line.note


def test_an_oversized_log_is_put_aside_at_the_next_start(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest_project.local.services.LOG_LIMIT", 10)
    log = local.status(state)[2].log
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * 100)
    up(state)
    assert log.with_suffix(".old.log").read_bytes() == b"x" * 100
    assert log.stat().st_size < 10_000


@pytest.mark.slow
def test_objects_survive_a_stop_and_a_start_of_the_s3_server(state: Path) -> None:
    import boto3
    from botocore.config import Config

    names = ("s3",)
    for step in ("write", "read"):
        stack = up(state, names)
        client = boto3.client(
            "s3",
            endpoint_url=stack.variables["AWS_ENDPOINT_URL_S3"],
            region_name=stack.variables["AWS_REGION"],
            aws_access_key_id=stack.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=stack.variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}),
        )
        if step == "write":
            client.put_object(Bucket=stack.bucket, Key="kept", Body=b"\x00bytes")
            assert local.down(state) == {"s3": "stopped"}
        else:
            assert client.get_object(Bucket=stack.bucket, Key="kept")["Body"].read() == b"\x00bytes"
        client.close()
