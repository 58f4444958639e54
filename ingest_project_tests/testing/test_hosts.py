"""Hosts in network namespaces: they reach each other, a cut link carries nothing, nothing of them is left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from ingest_project.testing.hosts import Hosts, hosts, lacking


@pytest.fixture
def two_hosts() -> Iterator[Hosts]:
    if reason := lacking():
        pytest.skip(reason)
    with hosts(workers=1) as found:
        yield found


def says(command: tuple[str, ...]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def reaches(found: Hosts) -> bool:
    (worker,) = found.workers
    connect = f"exec 3<>/dev/tcp/{found.address}/9"
    done = subprocess.run(
        [*found.within(worker), "timeout", "0.3", "bash", "-c", connect], capture_output=True, check=False
    )
    # A closed port answers at once; what is cut off waits until the time is over.
    return done.returncode != 124


def test_a_cut_link_carries_nothing_until_it_is_mended(two_hosts: Hosts) -> None:
    (worker,) = two_hosts.workers
    before = reaches(two_hosts)
    two_hosts.cut(worker)
    cut = reaches(two_hosts)
    two_hosts.mend(worker)
    # The kernel asks for an address that it could not find only once a second.
    mended = any(reaches(two_hosts) for _ in range(40))
    assert (True, False, True) == (before, cut, mended)


def test_the_end_kills_what_runs_on_them_and_removes_them() -> None:
    if reason := lacking():
        pytest.skip(reason)
    with hosts(workers=1) as found:
        sleeper = subprocess.Popen([*found.within(found.workers[0]), "sleep", "600"])
        assert sleeper.poll() is None
    assert sleeper.poll() is not None
    assert found.name not in says(("ip", "netns", "list"))


def test_a_word_names_them_in_another_process() -> None:
    made = Hosts(name="hosts-7-ab12", count=2)
    assert made == Hosts.parse(made.word)
    assert ("hosts-7-ab12-worker1", "hosts-7-ab12-worker2") == made.workers
