"""Hosts on one machine: network namespaces joined by a bridge, with links that can be cut and mended.

For root on Linux, with iproute2. Makes and removes them; what runs in them is the caller's.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Self

import psutil

_PREFIX = "hosts"
_NET = "10.77.0"
_PARTING_SECONDS = 60.0


class HostsMissing(Exception):
    """Namespaces cannot be had here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """One control host and some workers. They see each other and nothing else; files are the machine's.

    Attributes:
        name: Of this set; the namespaces' names begin with it.
        count: Workers.
    """

    name: str
    count: int

    @property
    def control(self) -> str:
        """The control host's namespace."""
        return f"{self.name}-control"

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers' namespaces."""
        return tuple(f"{self.name}-worker{number}" for number in range(1, self.count + 1))

    @property
    def address(self) -> str:
        """Of the control host on the bridge: where its servers listen for the others."""
        return f"{_NET}.1"

    @property
    def network(self) -> str:
        return f"{_NET}.0/24"

    @property
    def word(self) -> str:
        """All of it as one argument of a command; ``parse`` reads it."""
        return f"{self.name}:{self.count}"

    @classmethod
    def parse(cls, word: str) -> Self:
        """What ``word`` was made of."""
        name, _, count = word.rpartition(":")
        return cls(name=name, count=int(count))

    def within(self, host: str) -> tuple[str, ...]:
        """What stands before a command that shall run on a host; the process's id stays the starter's."""
        return ("ip", "netns", "exec", host)

    def cut(self, worker: str) -> None:
        """Take a worker's link down: nothing is refused, nothing arrives."""
        self._link(worker, "down")

    def mend(self, worker: str) -> None:
        """Bring it up again."""
        self._link(worker, "up")

    def _link(self, worker: str, state: str) -> None:
        _ip("-n", self.control, "link", "set", _port(self.workers.index(worker)), state)

    def run(self, module: str, *arguments: str) -> int:
        """``python -m module arguments --hosts WORD`` on the control host, to its end; its exit status."""
        command = [sys.executable, "-m", module, *arguments, "--hosts", self.word]
        process = subprocess.Popen([*self.within(self.control), *command])
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            _ended(process)
            raise


def lacking() -> str:
    """Why there can be no namespaces here; empty when there can."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces take root"
    if shutil.which("ip") is None:
        return "the program ip is missing (Debian: apt-get install iproute2)"
    trial = f"{_PREFIX}-{os.getpid()}-{uuid.uuid4().hex[:4]}-trial"
    try:
        _ip("netns", "add", trial)
        _ip("-n", trial, "link", "add", "br0", "type", "bridge")
    except HostsMissing as error:
        return str(error)
    finally:
        _remove([trial])
    return ""


@contextmanager
def hosts(workers: int = 2) -> Iterator[Hosts]:
    """A control host and its workers until the block ends; then all processes on them are killed.

    SIGTERM ends the block too, as an exception. What a killed maker has left behind is removed by the next.

    Raises:
        HostsMissing: They cannot be had here.
    """
    _sweep()
    made = Hosts(name=f"{_PREFIX}-{os.getpid()}-{uuid.uuid4().hex[:4]}", count=workers)
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        _make(made)
        yield made
    finally:
        signal.signal(signal.SIGTERM, before)
        _remove([*made.workers, made.control])


def heed_sigterm() -> None:
    """Let SIGTERM end this process as an exception, so that what it began is ended, too."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _make(made: Hosts) -> None:
    for host in (made.control, *made.workers):
        _ip("netns", "add", host)
        _ip("-n", host, "link", "set", "lo", "up")
    _ip("-n", made.control, "link", "add", "br0", "type", "bridge")
    _ip("-n", made.control, "address", "add", f"{made.address}/24", "dev", "br0")
    _ip("-n", made.control, "link", "set", "br0", "up")
    for number, worker in enumerate(made.workers):
        port = _port(number)
        ends = ("type", "veth", "peer", "name", "eth0", "netns", worker)
        _ip("link", "add", port, "netns", made.control, *ends)
        _ip("-n", made.control, "link", "set", port, "master", "br0", "up")
        _ip("-n", worker, "address", "add", f"{_NET}.{number + 2}/24", "dev", "eth0")
        _ip("-n", worker, "link", "set", "eth0", "up")


def _port(number: int) -> str:
    """A worker's end in the bridge."""
    return f"port{number + 1}"


def _sweep() -> None:
    """Remove what belongs to makers that are no more."""
    for host in _known():
        owner = host.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            _remove([host])


def _known() -> list[str]:
    found = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    names = [line.split()[0] for line in found.splitlines() if line.strip()]
    return [name for name in names if name.startswith(f"{_PREFIX}-")]


def _remove(names: Sequence[str]) -> None:
    """Kill what runs there, then delete them; names that are not there are passed over."""
    there = set(_known())
    for host in there.intersection(names):
        words = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True, check=False)
        found = [psutil.Process(int(word)) for word in words.stdout.split() if psutil.pid_exists(int(word))]
        for process in found:
            process.kill()
        psutil.wait_procs(found, timeout=10)
    for host in sorted(there.intersection(names)):
        subprocess.run(["ip", "netns", "delete", host], check=False)


def _ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PARTING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostsMissing(f"ip {' '.join(words)}: {done.stderr.strip()}")
