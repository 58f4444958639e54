"""Launcher: runs of one world in child processes, told when to die, and the journals that they leave."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import IO, Any

from ingest_project_tests.faults.world import World

KILLED = -9
PATIENCE, GLANCE = 120.0, 0.02
"""Seconds after which a child that neither ends nor dies fails its test; between two looks at its
progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one run ended.

    Attributes:
        status: Exit status of its process, KILLED when it was.
        result: Dagster's status of the run; empty when it did not end by itself.
        journal: What it did to the outside, in order (faults.mortal).
        steps: Moments at which it could have died; 0 when it did.
        grown: Bytes that its memory grew by at most; 0 when it died.
    """

    run_id: str
    status: int
    result: str
    journal: tuple[Mapping[str, Any], ...]
    steps: int
    grown: int

    def count(self, door: str) -> int:
        return sum(line["door"] == door for line in self.journal)

    def items(self, door: str) -> int:
        """Items of all requests to a sink, ``to_table`` or ``to_index``."""
        return sum(line["items"] for line in self.journal if line["door"] == door)

    def parts(self) -> int:
        """Parts that were put into the store."""
        keys = [str(line["key"]) for line in self.journal if line["door"] == "put"]
        return sum(key.endswith(".jsonl.zst") for key in keys)

    def claims(self) -> list[Mapping[str, Any]]:
        return [line for line in self.journal if line["door"] == "claim"]


class Launcher:
    """Owns the process that forks the children."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._unread = process, b""

    def run(
        self,
        world: World,
        stages: Sequence[str],
        *,
        kill_at: int = 0,
        kill_when: Callable[[], bool] | None = None,
        root: str = "",
        kept: bool = False,
        kind: str = "deployed",
        **words: Any,
    ) -> Attempt:
        """One run, to its end or to its death.

        Args:
            kill_at: Step at which it dies; 0: never. ``kill_when``: asked all the time; it dies when the
                answer is yes.
            root: Run that it repeats.
            kept: On a Dagster instance in the world's home, not on one in memory.
            kind: The module with what is run: ``deployed`` or ``mirrored``.
            words: Other fields of its Launch.
        """
        run_id = str(uuid.uuid4())
        folder = world.home.parent / "attempts" / run_id
        folder.mkdir(parents=True)
        request = {
            "variables": world.variables,
            "kill_at": kill_at,
            "kept": kept,
            "kind": kind,
            "folder": str(folder),
            "launch": {"stages": list(stages), "run_id": run_id, "root": root, **words},
        }
        status = self._ask(request, kill_when)
        answer, journal = folder / "answer", folder / "journal"
        lines = journal.read_text().splitlines() if journal.exists() else []
        result, steps, grown = answer.read_text().split() if answer.exists() else ("", "0", "0")
        if status not in (0, KILLED):
            raise AssertionError((folder / "log").read_text()[-4000:])
        return Attempt(
            run_id=run_id,
            status=status,
            result=result,
            journal=tuple(json.loads(line) for line in lines if line.endswith("}")),
            steps=int(steps),
            grown=int(grown),
        )

    def _ask(self, request: Mapping[str, Any], kill_when: Callable[[], bool] | None) -> int:
        asked = self._process.stdin
        assert asked is not None
        asked.write(json.dumps(request).encode() + b"\n")
        asked.flush()
        child = self._answer(PATIENCE)["pid"]
        for _ in range(int(PATIENCE / GLANCE) if kill_when is not None else 0):
            answer = self._answer(GLANCE)
            if answer:
                return int(answer["status"])
            if kill_when is not None and kill_when():
                os.kill(child, signal.SIGKILL)
                break
        answer = self._answer(PATIENCE)
        if not answer:
            raise AssertionError(f"a run did not end within {PATIENCE} s: {request['folder']}/log")
        return int(answer["status"])

    def _answer(self, patience: float) -> Mapping[str, Any]:
        """The next line, or nothing when none comes in time."""
        answered = self._process.stdout
        assert answered is not None
        while b"\n" not in self._unread:
            if not select.select([answered], [], [], patience)[0]:
                return {}
            piece = os.read(answered.fileno(), 4096)
            assert piece, "the process that forks the runs has ended"
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        found: Mapping[str, Any] = json.loads(line)
        return found


@contextmanager
def launching() -> Iterator[Launcher]:
    """A Launcher whose process ends with the block, and whatever it started with it."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_ENDPOINT", "INGEST_", "OPENSEARCH_", "DAGSTER_HOME"))
    }
    command = [sys.executable, "-m", "ingest_project_tests.faults.zygote"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env=clean
    ) as process:
        try:
            yield Launcher(process)
        finally:
            _close(process.stdin)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()


def moments(seed: str, steps: int, count: int) -> list[int]:
    """``count`` different steps of ``steps``, the same ones for the same seed."""
    return sorted(Random(seed).sample(range(1, steps + 1), count))
