"""What is fetched gets into the cache whole, once, or never; what cannot be had is told with its cure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingest_project import local
from ingest_project.local.cache import ServerMissing, built, default_cache, run, tool
from ingest_project.local.catalogue import SERVERS
from ingest_project.local.java import java

BUILDER = """
import sys
from pathlib import Path
from ingest_project.local.cache import built

def build(draft):
    with Path(sys.argv[2]).open("a") as log:
        log.write("built\\n")
    (draft / "program").write_text("whole")
    print("building", flush=True)
    sys.stdin.readline()

print("has", (built(Path(sys.argv[1]), "thing", build) / "program").read_text(), flush=True)
"""


def builder(cache: Path, log: Path) -> subprocess.Popen[str]:
    """A process that builds when it is alone, and goes on when it gets a line."""
    return subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(cache), str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    cache, log = tmp_path / "cache", tmp_path / "log"
    with builder(cache, log) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "building\n"
        with builder(cache, log) as second:
            first.communicate("go\n", timeout=60)
            assert second.communicate("", timeout=60)[0] == "has whole\n"
    assert (first.returncode, second.returncode) == (0, 0)
    assert log.read_text() == "built\n"


def test_what_a_killed_builder_left_is_removed_and_built_again(tmp_path: Path) -> None:
    cache, log = tmp_path / "cache", tmp_path / "log"
    with builder(cache, log) as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.kill()
    assert len(list(cache.glob("thing.draft-*"))) == 1
    assert not (cache / "thing").exists()
    with builder(cache, log) as second:
        assert second.communicate("go\n", timeout=60)[0] == "building\nhas whole\n"
    assert sorted(path.name for path in cache.iterdir()) == ["thing", "thing.lock"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").touch()
        raise ServerMissing("no network")

    with pytest.raises(ServerMissing, match="no network"):
        built(tmp_path, "thing", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["thing.lock"]


@pytest.mark.parametrize("name", ["dynalite", "opensearch-node", "tika", "redis"])
def test_without_its_tool_a_server_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerMissing, match="Debian: "):
        local.obtain((name,), tmp_path)


def test_a_fetch_that_fails_is_told_in_the_words_of_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (("npm", "npm error network unreachable"), ("node", "never called")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {text}\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ServerMissing, match=r"dynalite .* could not be fetched: npm error network unreachable"
    ):
        local.obtain(("dynalite",), tmp_path / "cache")


def test_a_fetch_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest_project.local.cache.FETCH_SECONDS", 0.2)
    with pytest.raises(ServerMissing, match="took more than"):
        run([sys.executable, "-c", "while True: pass"], folder=tmp_path, wanted_for="a server")


def test_a_java_that_is_too_old_is_told() -> None:
    with pytest.raises(ServerMissing, match=r"Java 999 or newer is needed"):
        java(999)


def test_a_tool_that_is_there_is_found() -> None:
    assert tool("sh", wanted_for="a test", package="dash").name == "sh"


def test_the_cache_lies_outside_every_checkout() -> None:
    assert Path(__file__).resolve().parents[2] not in default_cache().parents


def test_only_servers_that_debian_cannot_run_are_optional() -> None:
    assert [server.name for server in SERVERS.values() if server.optional] == ["opensearch3-node"]
