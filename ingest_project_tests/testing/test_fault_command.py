"""The command: what it says first, what its options do, and that its page knows them all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest_project.testing.fault_command import main
from ingest_project.testing.fault_scripts import NAMED
from ingest_project_tests.testing.asking import ask, index_documents, put_items
from ingest_project_tests.testing.echoing import echo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fault-server.md"


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The command in a process of its own; it ends with its standard input."""
    command = [sys.executable, "-m", "ingest_project.testing.fault_server", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
        assert 0 == process.wait(30)


def test_the_null_sink_takes_everything_and_ends_with_its_standard_input() -> None:
    with running() as url:
        assert {} == put_items(url, "abc", "null").json["UnprocessedItems"]
        assert 3 == len(index_documents(url, "abc", "/null/_bulk").json["items"])


def test_a_quota_a_table_and_its_key_can_be_given() -> None:
    with running("--table", "things:nothing", "--keep") as url:
        assert b"key attribute is missing" in put_items(url, "abc", "things").body
    with running("--table", "things:id", "--quota", "2", "--burst", "1", "--keep") as url:
        assert 1 == len(put_items(url, "abc", "things").json["UnprocessedItems"]["things"])
        stats = ask(url, "GET", "/_faults/stats").json
    assert (2, 1) == tuple(stats["seconds"][0][name] for name in ("accepted", "refused"))


def test_faults_before_a_service_are_the_same_in_each_run_with_a_seed() -> None:
    def run() -> list[int]:
        options = ("--upstream", real.url, "--service", "http", "--seed", "7", "--share", "0.5")
        with running(*options, "--faults", "413,503,html") as url:
            return [ask(url, "GET", "/").status for _ in range(30)]

    with echo() as real:
        first, second = run(), run()
    assert first == second
    assert {207, 413, 502, 503} == set(first)


def test_an_unknown_fault_is_named_with_those_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--faults", "cut,nonsense"])
    said = capsys.readouterr().err
    assert "unknown: nonsense; known: " in said
    assert "reset-before" in said


def test_the_page_tells_of_every_option_and_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    options = {
        word.strip("[],") for word in capsys.readouterr().out.split() if word.startswith(("[--", "--"))
    }
    page = PAGE.read_text()
    assert [] == [option for option in sorted(options - {"--help"}) if f"`{option}" not in page]
    assert [] == [name for name in NAMED if f"`{name}`" not in page]
