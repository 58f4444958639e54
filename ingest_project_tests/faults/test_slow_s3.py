"""S3 that is slow, refuses, errs after the write, and tears its answers: a day goes through all the same."""

from __future__ import annotations

import uuid

import dagster as dg
import pytest

from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests import readback
from ingest_project_tests.cli.processes import serving
from ingest_project_tests.faults.deployed import Launch, execute
from ingest_project_tests.faults.world import DAY, World, lines, record

pytestmark = [pytest.mark.dagster, pytest.mark.slow, pytest.mark.servers]

RECORDS, SHARE = 5000, 0.15
TROUBLES = [
    faults.slow(0.3),
    faults.error("SlowDown", status=503),
    faults.error("InternalError", status=500, after=True),
    faults.reset(after=False),
    faults.reset(after=True),
    faults.cut(),
]


def test_a_day_goes_through_an_s3_that_errs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    content = [record(f"k{number}", f"a{number}", pad=300) for number in range(RECORDS)]
    world.put(DAY, f"a/{world.table}-dump.jsonl", lines(content), content)
    real = world.stack.servers["s3"].endpoint
    script = faults.at_random(3, TROUBLES, SHARE)
    with serving(FaultServer(upstream=real, service="http", script=script)) as server:
        world.turned["AWS_ENDPOINT_URL_S3"] = server.url
        for name, value in world.variables.items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.ephemeral() as instance:
            for stages in (("planned",), ("validated", "table")):
                launch = Launch(stages=stages, run_id=str(uuid.uuid4()))
                assert execute(launch, instance).is_success
    assert {trouble.kind for trouble in TROUBLES} == set(server.met)
    assert world.expected() == world.in_table()
    rows = readback.works(world.ledger_url)
    assert {"validated", "table"} == {stage for stage, _ in rows}
    assert {"sealed"} == {row["state"] for row in rows.values()}
    assert 2 * RECORDS == sum(row["sent"] for row in rows.values())
