"""Control groups of the kernel (version 1 or 2): what a tree of processes has cost, dead ones included, and
what memory it holds. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path("/sys/fs/cgroup")
_ENTER = 'echo $$ > "$0" && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One group; processes stay in it with all that they start."""

    folder: Path

    @classmethod
    @contextmanager
    def made(cls, name: str) -> Iterator[Group]:
        """A new empty group, removed in the end."""
        first = ROOT / "cpuacct"
        group = cls(folder=(first if first.is_dir() else ROOT) / f"bench-{uuid.uuid4().hex[:8]}-{name}")
        group.folder.mkdir()
        try:
            yield group
        finally:
            group.kill()
            group.folder.rmdir()

    def starting(self, command: Sequence[str]) -> list[str]:
        """The command, begun inside the group."""
        return ["sh", "-c", _ENTER, str(self.folder / "cgroup.procs"), *command]

    def take(self, pid: int) -> None:
        """A process that runs, with all below it."""
        for process in (one := psutil.Process(pid), *one.children(recursive=True)):
            with contextlib.suppress(ProcessLookupError):
                (self.folder / "cgroup.procs").write_text(str(process.pid))

    def cpu(self) -> float:
        """Seconds so far, of the living and the dead."""
        first = self.folder / "cpuacct.usage"
        if first.exists():
            return int(first.read_text()) / 1e9
        words = (self.folder / "cpu.stat").read_text().split()
        return int(words[words.index("usage_usec") + 1]) / 1e6

    def pids(self) -> list[int]:
        return [int(word) for word in (self.folder / "cgroup.procs").read_text().split()]

    def memory(self) -> int:
        """Bytes of all processes; what several share is counted once (PSS)."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def kill(self, within: float = 20.0) -> None:
        """End all that is in it."""
        deadline = time.monotonic() + within
        while (left := self.pids()) and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
