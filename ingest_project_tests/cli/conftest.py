"""The command line in this process against the embedded servers, and dump files of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingest_project import local
from ingest_project.cli import run
from ingest_project.testing.wms_running import RunningWms, Simulators


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a call ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document


Ingest = Callable[..., Done]

RECORDS = [{"id": f"r{number}", "n": number} for number in range(60)]


@pytest.fixture
def dump(tmp_path: Path, table: str) -> Path:
    """60 records bound for the table by the file's name."""
    return write_lines(tmp_path / f"{table}-dump.json", RECORDS)


@pytest.fixture
def null_sink() -> Iterator[str]:
    """A DynamoDB that takes everything and keeps nothing, in a process of its own."""
    command = [sys.executable, "-m", "ingest_project.testing.fault_server", "--table", "null"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.communicate()


@pytest.fixture
def variables(services: local.Stack, home: Path) -> Mapping[str, str]:
    """The environment of a call: the embedded servers, a state folder of its own."""
    return {**services.variables, "INGEST_HOME": str(home), "INGEST_LEASE_SECONDS": "20"}


@pytest.fixture
def ingest(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ingest:
    """Calls ``ingest ...`` in this process."""
    return _caller(variables, monkeypatch, capsys)


@pytest.fixture
def bare_ingest(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ingest:
    """The same on a machine where no server runs."""
    return _caller({"INGEST_HOME": str(home)}, monkeypatch, capsys)


def _caller(
    variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ingest:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Done(status=status, out=said.out, err=said.err)

    return call


@pytest.fixture(scope="module")
def warehouse(request: pytest.FixtureRequest) -> Iterator[RunningWms]:
    """A simulated warehouse with as many rows an entity as the module's ``ROWS`` says."""
    simulators = Simulators()
    yield simulators("--rows", str(request.module.ROWS), "--user", "demo", "--password", "demo")
    simulators.close()


def know(patch: pytest.MonkeyPatch, url: str, **settings: object) -> None:
    """Calls from now on go to this warehouse; other variables of it by the ends of their names."""
    for name, value in {"url": url, "user": "demo", "password": "demo", **settings}.items():
        patch.setenv(f"INGEST_WMS_{name.upper()}", str(value))


def write_lines(path: Path, records: Iterable[Mapping[str, object]]) -> Path:
    """A JSON lines dump."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def items_of(dynamodb: Any, table: str) -> dict[str, dict[str, Any]]:
    """All items of a table by their ``id``, typed as DynamoDB answers."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {item["id"]["S"]: item for page in pages for item in page["Items"]}
