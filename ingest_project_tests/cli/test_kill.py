"""kill -9 and Ctrl-C in the middle of `ingest load`, and the same call again: one clean load in the end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.cli.conftest import write_lines
from ingest_project_tests.cli.processes import serving, start, variables_of, wait_for

COUNT = 18_000
KEYS = 15_000


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """18,000 records in two chunks, the last 3,000 of which repeat keys of the first."""
    records = [{"id": f"r{number % KEYS}", "version": number, "pad": "x" * 740} for number in range(COUNT)]
    return write_lines(tmp_path / "things-dump.json", records)


class Watcher:
    """Remembers how much the server had taken when the second call's first request came."""

    def __init__(self) -> None:
        self.second = False
        self.taken: int | None = None
        self.server: FaultServer | None = None

    def __call__(self, number: int) -> Fault | None:
        if self.second and self.taken is None and self.server is not None:
            self.taken = self.server.tables.puts
        return None


def sent(home: Path, stage: str) -> int:
    """Records that are durable by the ledger."""
    if not (home / "ledger.db").exists():
        return 0
    ledger = SqlLedger(home / "ledger.db")
    try:
        return sum(row.counts.sent for row in ledger.status() if row.stage == stage)
    finally:
        ledger.close()


def validating(home: Path) -> bool:
    return any(home.glob("loads/*/parts/load/validated/*/*/part-*"))


@pytest.mark.slow
@pytest.mark.parametrize(("when", "workers"), [("planned", 1), ("validated", 1), ("table", 1), ("table", 2)])
def test_a_killed_load_goes_on_and_repeats_nothing_that_is_durable(
    dump: Path, home: Path, when: str, workers: int
) -> None:
    moments: dict[str, Callable[[], bool]] = {
        "planned": lambda: True,
        "validated": lambda: validating(home),
        "table": lambda: 0 < sent(home, "table"),
    }
    watcher = Watcher()
    with serving(FaultServer(keys={"things": ("id",)}, script=watcher, delay=0.25)) as server:
        watcher.server = server
        call = ["load", str(dump), "--json", "--workers", str(workers)]
        first = start(call, variables_of(server.url, home))
        wait_for(moments[when], first)
        first.kill()
        first.communicate()
        durable = sent(home, "table")
        assert durable < COUNT
        watcher.second = True
        second = start(call, variables_of(server.url, home))
        out, err = second.communicate(timeout=200)
        assert second.returncode == 0, err
        report = json.loads(out)
        assert (COUNT, KEYS, COUNT - KEYS) == tuple(
            report[name] for name in ("read", "written", "superseded")
        )
        items = server.tables.items["things"]
        assert set(range(COUNT - KEYS, COUNT)) == {int(item["version"]["N"]) for item in items.values()}
        assert watcher.taken is not None
        repeated = server.tables.puts - watcher.taken
        assert repeated <= KEYS
        if workers == 1:
            written = report["files"][0]["written"]
            assert repeated == written - written_before(durable)


def written_before(durable: int) -> int:
    """Of the first records in the file the first 3,000 are superseded and not sent."""
    return max(0, durable - (COUNT - KEYS))


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_same_call_does(dump: Path, home: Path) -> None:
    with serving(FaultServer(keys={"things": ("id",)}, delay=0.25)) as server:
        variables = variables_of(server.url, home)
        first = start(["load", str(dump)], variables)
        wait_for(lambda: 0 < sent(home, "table"), first)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=60)
        assert first.returncode == 130, err
        assert "this goes on from there" in err
        assert "Traceback" not in err
        second = start(["load", str(dump), "--json"], variables)
        out, err = second.communicate(timeout=200)
        assert second.returncode == 0, err
        assert KEYS == json.loads(out)["written"]
        assert KEYS == len(server.tables.items["things"])
        assert KEYS >= server.tables.puts - 48 * 25


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_as_well(dump: Path, home: Path) -> None:
    with serving(FaultServer(keys={"things": ("id",)}, delay=0.25)) as server:
        first = start(["load", str(dump), "--workers", "2"], variables_of(server.url, home))
        wait_for(lambda: 0 < sent(home, "table"), first)
        first.send_signal(signal.SIGINT)
        _, err = first.communicate(timeout=60)
        assert first.returncode == 130, err
        assert "Traceback" not in err
