"""Wrong calls and the commands that need no server: exit statuses, what is said, and the written page."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ingest_project import local
from ingest_project.cli import ingest as root
from ingest_project.local.samples import write_samples
from ingest_project_tests.cli.conftest import Ingest
from ingest_project_tests.conftest import missing as lacking

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


@pytest.mark.parametrize(
    "arguments",
    [
        ["load"],
        ["load", "no-such-file.json"],
        ["load", "{file}", "--create-table"],
        ["load", "{file}", "--index", "i", "--no-index"],
        ["load", "{file}", "--workers", "0"],
        ["load", "{file}", "--key", "id:X"],
        ["load", "{file}", "--endpoint", "not an address"],
        ["load", "{folder}", "--pattern", "*.csv"],
        ["load", "{folder}", "--index", "one-for-all"],
        ["load", "{file}", "--index", "without-opensearch"],
        ["load", "{file}", "--log-file", "{folder}"],
        ["load", "{file}", "--unknown"],
        ["rejections", "show", "nonsense"],
        ["rejections", "show", "a:validated:1"],
        ["rejections", "list", "--file", "nobody.json"],
        ["worker", "--queues", "small,huge"],
        ["worker"],
        ["no-such-command"],
    ],
)
def test_a_wrong_call_ends_with_2_and_a_sentence(
    bare_ingest: Ingest, tmp_path: Path, arguments: list[str]
) -> None:
    folder = tmp_path / "in"
    file = write_samples(folder)[0]
    words = [word.format(file=file, folder=folder) for word in arguments]
    done = bare_ingest(*words)
    assert done.status == 2
    assert done.err.count("\n") <= 4
    assert "Error" in done.err


def test_a_wrong_setting_is_named(
    bare_ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INGEST_WORKRES", "2")
    done = bare_ingest("status")
    assert done.status == 2
    assert "did you mean INGEST_WORKERS" in done.err


def test_an_empty_ledger_is_told_as_such(bare_ingest: Ingest) -> None:
    assert "no file yet" in bare_ingest("status").out
    assert "No rejected record" in bare_ingest("rejections", "list").out


def test_the_doctor_says_what_to_do_where_nothing_runs(bare_ingest: Ingest) -> None:
    done = bare_ingest("doctor")
    assert done.status == 1
    assert "ok    python" in done.out
    assert "-> ingest services up" in done.out
    assert "fail  dynamodb" in done.out


def test_the_doctor_names_a_wrong_setting(bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_WORKERS", "many")
    done = bare_ingest("doctor")
    assert done.status == 1
    assert "fail  configuration: INGEST_WORKERS" in done.out


def test_the_doctor_is_content_where_everything_runs(ingest: Ingest) -> None:
    done = ingest("doctor")
    assert done.status == 0, done.out
    assert "ok    dynamodb: answers" in done.out
    assert "ok    s3: bucket" in done.out


def test_services_that_do_not_run_are_told_with_1(bare_ingest: Ingest) -> None:
    done = bare_ingest("services", "status")
    assert done.status == 1
    assert "SeaweedFS" in done.out
    assert bare_ingest("services", "down").status == 0


@pytest.mark.servers
@pytest.mark.slow
def test_another_server_is_started_by_its_name_with_its_settings(home: Path, bare_ingest: Ingest) -> None:
    try:
        done = bare_ingest("services", "up", "--with", "dynalite", "--set", "dynalite:createTableMs=5")
        if "cannot be had" in done.err or "which is not installed" in done.err:
            lacking(done.err)
        assert done.status == 0, done.err
        shown = bare_ingest("services", "status").out
        (line,) = (line for line in shown.splitlines() if "dynalite  " in line)
        assert line.split()[:4] == ["dynalite", "4.0.0", "dynalite", "up"]
        assert f"AWS_ENDPOINT_URL_DYNAMODB={line.split()[4]}" in done.out
    finally:
        local.down(home, grace=0.5)


def test_fetch_says_what_is_there_and_what_is_not(
    bare_ingest: Ingest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bare_ingest("services", "fetch", "s3", "dynamodb").status == 0
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("INGEST_CACHE", str(tmp_path))
    done = bare_ingest("services", "fetch", "redis", "s3")
    assert done.status == 1
    assert "redis cannot be had: Redis needs redis-server" in done.err
    assert "s3 is there" in done.err


@pytest.mark.parametrize(
    "words",
    [["--with", "nonesuch"], ["--set", "redis"], ["--set", "dynamodb:x"], ["--set", "redis:maxmemory=1mb"]],
)
def test_a_wrong_call_of_services_is_told_with_2(bare_ingest: Ingest, words: list[str]) -> None:
    assert bare_ingest("services", "up", *words).status == 2


def test_help_is_there_for_every_command(bare_ingest: Ingest) -> None:
    for path, command in commands(root, ()):
        done = bare_ingest(*path, "--help")
        assert done.status == 0
        assert (command.help or "").split(".")[0].split() == done.out.split("\n\n")[1].split(".")[0].split()


def commands(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    """All commands below one, with the words that call them."""
    found = [(path, command)]
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            found += commands(child, (*path, name))
    return found


def test_every_command_and_every_option_is_on_the_page() -> None:
    page = PAGE.read_text()
    missing = []
    for path, command in commands(root, ()):
        words = " ".join(("ingest", *path))
        if f"`{words}" not in page and not isinstance(command, click.Group):
            missing.append(words)
        missing += [
            f"{words} {name}"
            for option in command.params
            for name in option.opts
            if isinstance(option, click.Option) and name.startswith("--") and f"`{name}" not in page
        ]
    assert [] == missing
