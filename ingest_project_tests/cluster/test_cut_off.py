"""A host that is cut off with a request on its way: what nobody has heard is never heard, also when the link
is mended and somebody else has gone on with the work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from ingest_project.testing.hosts import Hosts, hosts, lacking
from ingest_project_tests.conftest import missing
from ingest_project_tests.sinks.sending import TABLE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def made() -> Iterator[Hosts]:
    if reason := lacking():
        missing(reason)
    with hosts(1) as found:
        yield found


@contextmanager
def talking(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A program that answers a line with a line, and ends with its input."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.communicate()


def tell(process: subprocess.Popen[str], key: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{key}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_what_a_host_sent_while_it_was_cut_off_does_not_arrive_later(made: Hosts) -> None:
    python, (worker,) = (sys.executable, "-m"), made.workers
    server = ("ingest_project.testing.fault_server", "--host", made.address, "--table", TABLE)
    with talking([*made.within(made.control), *python, *server]) as table:
        assert table.stdout is not None
        url = json.loads(table.stdout.readline())["url"]
        sender = ("ingest_project_tests.cluster.late_sender", url)
        with talking([*made.within(worker), *python, *sender]) as host:
            assert "sent" == tell(host, "before")
            made.cut(worker)
            assert "TransientFailure" == tell(host, "late")
            made.mend(worker)
            while "sent" != tell(host, "after"):
                pass
            assert "2" == tell(host, "count")
