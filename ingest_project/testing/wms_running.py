"""Simulated warehouse APIs in processes of their own: started, asked by the back door, stopped.

Knows no pytest; plugin makes a fixture of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

_OPENER = build_opener(ProxyHandler({}))
_PARTING_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWms:
    """One simulator that answers.

    Attributes:
        url: The API's root, ``.../v10/``.
        token_url: OAuth2's endpoint.
        host: ``http://127.0.0.1:PORT``.
    """

    url: str
    token_url: str
    host: str
    process: subprocess.Popen[bytes]

    def control(self, door: str, **asked: object) -> Any:
        """What the back door says: ``control("advance", seconds=60)``, ``control("state")``."""
        return json.loads(self._open(door, asked))

    def truth(self, entity: str, *, rows: bool = False) -> Iterator[Mapping[str, Any]]:
        """The rows that exist: id and mod_ts, or all of each."""
        asked = {"rows": "1", "base": f"{self.url}entity"} if rows else {}
        return (json.loads(line) for line in self._open(f"truth/{entity}", asked).splitlines())

    def stats(self) -> Any:
        """Requests, faults and what came each second."""
        with _OPENER.open(f"{self.host}/_faults/stats", timeout=60) as answer:
            return json.loads(answer.read())

    def _open(self, door: str, asked: Mapping[str, object]) -> bytes:
        request = Request(f"{self.host}/_wms/{door}", data=json.dumps(asked).encode(), method="POST")
        with _OPENER.open(request, timeout=60) as answer:
            said: bytes = answer.read()
        return said


class Simulators:
    """Starts simulators; all end with this process at the latest."""

    def __init__(self) -> None:
        self._running: list[RunningWms] = []

    def __call__(self, *options: str) -> RunningWms:
        """One more, with these options of the command."""
        command = [sys.executable, "-m", "ingest_project.testing.wms_server", *options]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            self._end(process)
            raise RuntimeError(f"the simulator did not start: {' '.join(command)}")
        said = json.loads(line)
        found = RunningWms(**said, host="/".join(said["url"].split("/")[:3]), process=process)
        self._running.append(found)
        return found

    def stop(self, simulator: RunningWms) -> None:
        """End one before the others."""
        if simulator in self._running:
            self._running.remove(simulator)
            self._end(simulator.process)

    def close(self) -> None:
        """End all."""
        for simulator in list(self._running):
            self.stop(simulator)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        # Its standard input ends, and so does it.
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_PARTING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
