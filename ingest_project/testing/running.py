"""The servers of one test session: each is started when first asked for, tied to this process, and stopped.

A thin face of ingest_project.local for tests; it knows pytest only to skip or to fail.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from ingest_project import local
from ingest_project.core.errors import IngestError
from ingest_project.local import processes
from ingest_project.local.catalogue import SERVERS
from ingest_project.local.java import SHORT_LIVED
from ingest_project.local.postgresql import THROW_AWAY
from ingest_project.local.processes import ProcessMark

CATALOGUE_NAMES: Mapping[str, str] = {
    "seaweedfs": "s3",
    "moto": "dynamodb",
    "osmem": "opensearch",
    "dynalite": "dynalite",
    "opensearch_node": "opensearch-node",
    "opensearch3_node": "opensearch3-node",
    "tika": "tika",
    "postgresql": "postgresql",
    "redis": "redis",
}
"""Name of a fixture -> name in the catalogue."""

START_SECONDS = 120.0
_PARTING_SECONDS = 0.5
IN_TESTS: Mapping[str, Mapping[str, str]] = {
    "postgresql": THROW_AWAY,
    **dict.fromkeys(("opensearch_node", "opensearch3_node", "tika"), SHORT_LIVED),
}
"""Name of a fixture -> settings of every server that is started for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """One server that answers.

    Attributes:
        name: As the fixture's.
        version: Of what runs, by its own word where it tells.
        url: Where clients find it; the scheme is that of its protocol.
        mark: Its process, for tests that kill it.
    """

    name: str
    version: str
    url: str
    port: int
    mark: ProcessMark


class Servers:
    """Starts servers on free loopback ports, one for each name and settings."""

    def __init__(self, *, cache: Path | None, required: bool) -> None:
        """Start nothing yet.

        Args:
            cache: Where servers are fetched to; the platform's cache folder by default.
            required: Fail where a server cannot be had, instead of skipping.
        """
        self._cache = cache
        self._required = required
        self._running: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[RunningServer, Path]] = {}
        self._called: set[str] = set()

    def __call__(self, name: str, **settings: object) -> RunningServer:
        """The server ``name`` with these settings of its own configuration; started when it does not run.

        Skips the test where the server cannot be had, or fails it where all are required.
        """
        words = {key: str(value) for key, value in sorted(settings.items())}
        key = (name, tuple(words.items()))
        self._called.add(name)
        known = self._running.get(key)
        if known is not None:
            if processes.alive(known[0].mark):
                return known[0]
            self.stop(known[0])
        try:
            self._running[key] = self._start(name, words)
        except IngestError as error:
            self.missing(name, str(error))
        return self._running[key][0]

    def stop(self, server: RunningServer) -> None:
        """Stop one before the session ends, and remove its files."""
        for key, (known, home) in list(self._running.items()):
            if known == server:
                del self._running[key]
                local.down(home, grace=_PARTING_SECONDS)
                shutil.rmtree(home, ignore_errors=True)

    def close(self) -> None:
        """Stop all."""
        for server, _ in list(self._running.values()):
            self.stop(server)

    def missing(self, name: str, reason: str) -> NoReturn:
        """End the test: ``name`` is not to be had."""
        text = f"server {name} cannot be had: {reason}"
        if self._required and not SERVERS[CATALOGUE_NAMES[name]].optional:
            pytest.fail(f"{text} (--require-servers)", pytrace=False)
        pytest.skip(text)

    def taken(self, fixtures: Iterable[str]) -> list[str]:
        """``name version`` of each server among ``fixtures`` and those that were asked for by a call."""
        names = set(fixtures) | self._called
        self._called.clear()
        return sorted({f"{one.name} {one.version}" for one, _ in self._running.values() if one.name in names})

    def _start(self, name: str, settings: Mapping[str, str]) -> tuple[RunningServer, Path]:
        known = CATALOGUE_NAMES[name]
        # A folder that others may enter: PostgreSQL runs as somebody else when we are root.
        home = Path(tempfile.mkdtemp(prefix=f"ingest-{name}-"))
        home.chmod(0o755)
        try:
            stack = local.up(
                home,
                names=(known,),
                settings={known: {**IN_TESTS.get(name, {}), **settings}},
                cache=self._cache,
                usual_ports=False,
                tied=True,
                timeout=START_SECONDS,
            )
            found = stack.servers[known]
        except BaseException:
            local.down(home, grace=_PARTING_SECONDS)
            shutil.rmtree(home, ignore_errors=True)
            raise
        server = RunningServer(
            name=name, version=found.version, url=found.endpoint, port=found.port, mark=found.mark
        )
        return server, home
