"""Servers of one module that are taken away in the middle of work and given back at their old addresses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ingest_project import local
from ingest_project.local import processes
from ingest_project.local.catalogue import SERVERS
from ingest_project.local.postgresql import THROW_AWAY
from ingest_project.testing.running import START_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one of them is found."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restartable:
    """Some servers of a state folder of their own."""

    home: Path
    names: Sequence[str]

    def at(self, name: str) -> Place:
        return Place(url=local.read_stack(self.home).servers[name].endpoint)

    def start(self) -> None:
        """Those that do not run, on the ports that they had."""
        settings = {"postgresql": THROW_AWAY}
        local.up(
            self.home,
            names=self.names,
            settings=settings,
            usual_ports=False,
            tied=True,
            timeout=START_SECONDS,
        )

    def stop(self, name: str) -> None:
        """As an administrator stops it: PostgreSQL ends its sessions at once, Redis forgets everything."""
        known, server = local.read_stack(self.home).servers[name], SERVERS[name]
        processes.stop(known.mark, grace=server.grace, parting=server.parting)


@contextmanager
def restartable(*names: str) -> Iterator[Restartable]:
    """Started now, stopped with the block."""
    home = Path(tempfile.mkdtemp(prefix="ingest-restart-"))
    # PostgreSQL's user must get in.
    home.chmod(0o755)
    found = Restartable(home=home, names=names)
    try:
        found.start()
        yield found
    finally:
        local.down(home, grace=0.5)
        shutil.rmtree(home, ignore_errors=True)
