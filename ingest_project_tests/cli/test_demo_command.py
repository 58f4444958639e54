"""`ingest demo` from nothing to its table: services, Dagster, inbox, runs; and nothing is left running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest_project.local import read_running, ui
from ingest_project.local.demo import ALL
from ingest_project.local.sample_rows import EXPORTS
from ingest_project.local.samples import SAMPLES
from ingest_project_tests.cli.processes import start
from ingest_project_tests.conftest import missing


@pytest.mark.dagster
@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.timeout(700)
def test_the_demo_loads_every_sample_through_dagster_and_stops_what_it_started(home: Path) -> None:
    demo = start(["demo", "--timeout", "500"], {"INGEST_HOME": str(home)})
    out, err = demo.communicate(timeout=680)
    if "is not installed" in err:
        missing(err)
    assert demo.returncode == 0, f"{out}\n{err}"
    for sample in ALL:
        assert any(line.split()[:2] == [sample.name, "consumed"] for line in out.splitlines())
    assert "7 rejected" not in out
    assert "1 rejected: id: the key attribute is missing" in out
    assert "150 orders with a balanced journal entry each" in out
    for entity in ("allocation", "order_dtl", "order_hdr"):
        assert f"{entity}: equal to the warehouse, row for row" in out
    assert "Every record is accounted for." in out
    assert {} == read_running(home).servers
    assert ui.running(home) is None
    status = start(["status", "--json"], {"INGEST_HOME": str(home)})
    told, _ = status.communicate(timeout=60)
    inbox = json.loads(told)["inbox"]
    assert {"dropship": {"consumed": len(EXPORTS)}, "messages": {"consumed": len(SAMPLES)}} == inbox
