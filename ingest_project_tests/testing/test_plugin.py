"""The pytest plugin in projects of its own: lazy servers, visible skips, tables; alone and under xdist."""

from __future__ import annotations

import json
import shutil

import psutil
import pytest

from ingest_project.local import processes

SUITE = {
    "test_one": """
        import pytest
        from ingest_project.local.servers import exchange

        def test_asks(redis):
            assert exchange(redis.port, b"PING\\r\\n") == b"+PONG\\r\\n"

        @pytest.fixture(params=["redis"])
        def found_late(request):
            return request.getfixturevalue(request.param)

        def test_fails(found_late):
            assert found_late.name == "postgresql"

        def test_takes_none():
            pass
    """,
    "test_two": """
        from pathlib import Path
        from ingest_project.local import processes

        def test_has_its_own(start_server, redis):
            other = start_server("redis", maxmemory="1mb")
            assert other.port != redis.port
            assert start_server("redis", maxmemory="1mb") == other
            processes.stop(other.mark, grace=5.0)
            again = start_server("redis", maxmemory="1mb")
            assert again.mark != other.mark
            marks = [f"{one.mark.pid} {one.mark.started}" for one in (again, redis)]
            Path("marks").write_text("\\n".join(marks))
    """,
}


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose conftest names the plugin."""
    if shutil.which("redis-server") is None:
        pytest.skip("server redis cannot be had: redis-server is not installed")
    pytester.makeconftest('pytest_plugins = ["ingest_project.testing.plugin"]')
    pytester.makepyfile(**SUITE)
    return pytester


@pytest.mark.servers
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_tables_count_each_server_and_module(suite: pytest.Pytester, workers: tuple[str, ...]) -> None:
    done = suite.runpytest_subprocess("-p", "no:randomly", *workers, "--servers-report=report.json")
    done.assert_outcomes(passed=3, failed=1)
    report = json.loads((suite.path / "report.json").read_text())
    assert report["missing"] == {}
    rows = [
        (row["server"].split()[0], row["module"], row["passed"], row["failed"], row["skipped"])
        for row in report["table"]
    ]
    assert rows == [("redis", "test_one.py", "1", "1", "0"), ("redis", "test_two.py", "1", "0", "0")]
    done.stdout.fnmatch_lines(["*= servers =*", "redis * 3 tests", "server * module * passed *"])


@pytest.mark.servers
def test_all_servers_are_stopped_at_the_end(suite: pytest.Pytester) -> None:
    suite.runpytest_subprocess("test_two.py").assert_outcomes(passed=1)
    words = [line.split() for line in (suite.path / "marks").read_text().splitlines()]
    marks = [processes.ProcessMark(pid=int(pid), started=float(started)) for pid, started in words]
    assert len(marks) == 2
    assert not any(processes.alive(mark) for mark in marks)


@pytest.mark.servers
def test_servers_are_started_by_need_only(suite: pytest.Pytester) -> None:
    done = suite.runpytest_subprocess("-m", "not servers", "test_one.py")
    # The one that asks late is not known beforehand; it has to be marked by hand.
    done.assert_outcomes(passed=1, failed=1, deselected=1)
    assert "= servers =" not in suite.runpytest_subprocess("-k", "takes_none").stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_server_that_cannot_be_had_is_a_skip_with_its_reason(
    pytester: pytest.Pytester, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    pytester.makepyfile(**SUITE)
    plugin = ("-p", "ingest_project.testing.plugin")
    done = pytester.runpytest_subprocess(*plugin, *workers, "-rs", "--servers-report=report.json")
    done.assert_outcomes(passed=1, skipped=3)
    report = json.loads((pytester.path / "report.json").read_text())
    assert report["missing"] == {
        "redis": "Redis needs redis-server, which is not installed (Debian: redis-server)"
    }
    assert [(row["server"], row["skipped"]) for row in report["table"]] == [("redis", "2"), ("redis", "1")]
    done.stdout.fnmatch_lines(["SKIPPED *server redis cannot be had: Redis needs redis-server*"])


def test_where_servers_are_required_a_missing_one_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    pytester.makepyfile(**SUITE)
    done = pytester.runpytest_subprocess("-p", "ingest_project.testing.plugin", "--require-servers")
    assert done.parseoutcomes().get("passed") == 1
    assert "skipped" not in done.parseoutcomes()
    done.stdout.fnmatch_lines(["*server redis cannot be had: Redis needs redis-server*--require-servers*"])


@pytest.mark.servers
def test_an_interrupted_session_leaves_no_server(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_three="""
        import os, signal
        from pathlib import Path

        def test_dies(redis):
            Path("marks").write_text(f"{redis.mark.pid} {redis.mark.started}")
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    suite.runpytest_subprocess("test_three.py")
    pid, started = (suite.path / "marks").read_text().split()
    mark = processes.ProcessMark(pid=int(pid), started=float(started))
    if processes.alive(mark):
        psutil.wait_procs([psutil.Process(mark.pid)], timeout=60)
    assert not processes.alive(mark)
