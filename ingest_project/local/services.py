"""Start, look at and stop the servers of one state folder. Idempotent, and bounded in time.

One lock file a folder keeps two callers from starting the same server twice.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ingest_project.core.errors import ConfigurationError, TransientFailure
from ingest_project.core.ports import Clock
from ingest_project.local import processes
from ingest_project.local.buckets import ensure_bucket
from ingest_project.local.cache import default_cache
from ingest_project.local.catalogue import EMBEDDED, SERVERS
from ingest_project.local.ports import choose
from ingest_project.local.servers import Place, Server
from ingest_project.local.state import Running, Stack, read_running, read_stack, write_stack

DEFAULT_BUCKET = "ingest"
_ATTEMPTS = 3  # a free port can be taken by somebody else between choosing it and listening on it
LOG_LIMIT = 32 * 1024 * 1024


class ServiceFailed(TransientFailure):
    """A server did not come up; its log says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One line of ``ingest services status``. ``state`` is up, ailing or down."""

    name: str
    title: str
    version: str
    state: str
    endpoint: str
    pid: int | None
    keeps_data: bool
    note: str
    log: Path


def up(
    home: Path,
    *,
    names: Collection[str] = EMBEDDED,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    cache: Path | None = None,
    bucket: str = DEFAULT_BUCKET,
    usual_ports: bool = True,
    tied: bool = False,
    timeout: float = 60.0,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Stack:
    """Start what does not run yet, wait until each server answers, make the bucket. Idempotent.

    Args:
        home: State folder; made when missing.
        settings: Server name -> words of its own configuration, for those that are started now.
        cache: Where what is not installed is fetched to; the platform's cache folder by default.
        usual_ports: Prefer the usual ports; the ports of the last start come before them in any case.
        tied: End the servers together with the calling thread (Linux): for tests.
        timeout: Seconds for all of it but the fetching.

    Raises:
        ServiceFailed: A server did not come up in time; the message names its log and its last words.
        ServerMissing: A server cannot be had on this machine.
        ConfigurationError: A name is unknown, or a setting impossible.
    """
    programs = obtain(names, cache)
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    deadline = clock() + timeout
    launcher = _Launcher(
        home=home, usual_ports=usual_ports, tied=tied, programs=programs, settings=settings or {}
    )
    with _locked(home, deadline, clock, sleep):
        for attempt in range(1, _ATTEMPTS + 1):
            stack = launcher.start([SERVERS[name] for name in SERVERS if name in names])
            died = _wait_healthy(stack, names, deadline, clock, sleep)
            if not died:
                break
            if attempt == _ATTEMPTS:
                raise ServiceFailed(_last_words(home, died, "ended while starting"))
        if "s3" in names and bucket:
            ensure_bucket(stack.servers["s3"].endpoint, bucket, deadline=deadline, clock=clock, sleep=sleep)
            stack = replace(stack, bucket=bucket)
        stack = replace(stack, servers={**stack.servers, **_with_versions(stack, programs)})
        write_stack(stack)
    return stack


def _with_versions(stack: Stack, programs: Mapping[str, Path]) -> Mapping[str, Running]:
    """Ask those that were to be started what they are."""
    return {
        name: replace(running, version=SERVERS[name].version(running.port, programs[name]))
        for name, running in stack.servers.items()
        if name in programs
    }


def obtain(names: Collection[str], cache: Path | None = None) -> Mapping[str, Path]:
    """Fetch what is not there yet; server name -> its program. Starts nothing.

    Raises:
        ServerMissing: A server cannot be had on this machine.
        ConfigurationError: A name is unknown.
    """
    unknown = set(names) - set(SERVERS)
    if unknown:
        raise ConfigurationError(
            f"unknown service {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}"
        )
    place = cache or default_cache()
    return {name: server.obtain(place) for name, server in SERVERS.items() if name in names}


def down(home: Path, *, grace: float | None = None) -> dict[str, str]:
    """Stop what runs, by pid; asks first, forces after ``grace`` seconds (default: what each server needs).

    Returns:
        Server name -> ``stopped``, ``killed`` or ``gone``.
    """
    home = home.resolve()
    if not home.is_dir():
        return {}
    with _locked(home, time.monotonic() + 60.0, time.monotonic, time.sleep):
        stack = read_stack(home)
        outcome = {}
        for name in reversed(list(stack.servers)):
            server = SERVERS[name]
            wait = server.grace if grace is None else grace
            outcome[name] = processes.stop(stack.servers[name].mark, grace=wait, parting=server.parting)
        if stack.servers:
            # The ports are kept as the next start's first choice.
            write_stack(stack)
    return outcome


def status(home: Path) -> Sequence[ServiceStatus]:
    """State of every embedded server, also of those that never ran here, and of the others that run."""
    home = home.resolve()
    running = read_running(home).servers
    return [
        _status(home, server, running.get(name))
        for name, server in SERVERS.items()
        if name in EMBEDDED or name in running
    ]


def _status(home: Path, server: Server, running: Running | None) -> ServiceStatus:
    problem = _problem(server, running) if running else "not running"
    return ServiceStatus(
        name=server.name,
        title=server.title,
        version=running.version if running else "",
        state="down" if running is None else "ailing" if problem else "up",
        endpoint=running.endpoint if running else "",
        pid=running.mark.pid if running else None,
        keeps_data=server.keeps_data,
        note=problem if running and problem else server.note,
        log=_log(home, server.name),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launcher:
    home: Path
    usual_ports: bool
    tied: bool
    programs: Mapping[str, Path]
    settings: Mapping[str, Mapping[str, str]]

    def start(self, servers: Sequence[Server]) -> Stack:
        """Start those that do not run; services.json is written after each, so that none is ever lost."""
        stack = read_stack(self.home)
        taken: set[int] = set()
        for server in servers:
            known = stack.servers.get(server.name)
            if known is not None and processes.alive(known.mark):
                continue
            ports = {}
            for listener, usual in server.ports.items():
                before = known.ports.get(listener, 0) if known else 0
                ports[listener] = choose((before, usual) if self.usual_ports else (before,), taken)
            mark = self._spawn(server, ports)
            entry = Running(name=server.name, mark=mark, ports=ports)
            stack = replace(stack, servers={**stack.servers, server.name: entry})
            write_stack(stack)
        return stack

    def _spawn(self, server: Server, ports: dict[str, int]) -> processes.ProcessMark:
        folder = self.home / "services" / server.name
        folder.mkdir(parents=True, exist_ok=True)
        log = _log(self.home, server.name)
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(".old.log"))
        place = Place(
            folder=folder,
            ports=ports,
            program=self.programs[server.name],
            settings=self.settings.get(server.name, {}),
        )
        return processes.start(
            server.command(place),
            folder=folder,
            log=log,
            tied=self.tied,
            parting=server.torn,
            account=server.account(),
        )


def _wait_healthy(
    stack: Stack, names: Collection[str], deadline: float, clock: Clock, sleep: Callable[[float], None]
) -> str:
    """Wait until all answer. Returns the name of a server that died on the way, or an empty text."""
    for name in names:
        running, server = stack.servers[name], SERVERS[name]
        while (problem := _problem(server, running)) is not None:
            if not processes.alive(running.mark):
                return name
            if clock() >= deadline:
                raise ServiceFailed(_last_words(stack.home, name, f"does not answer in time ({problem})"))
            sleep(0.1)
    return ""


def _problem(server: Server, running: Running) -> str | None:
    """Why the server is of no use yet; an answer of a foreign process on its port is none."""
    if not processes.listens(running.mark, running.port):
        return f"not listening on port {running.port}"
    return server.problem(running.port)


def _log(home: Path, name: str) -> Path:
    return home / "services" / name / "server.log"


def _last_words(home: Path, name: str, problem: str) -> str:
    log = _log(home, name)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    tail = "\n".join(f"    {line}" for line in lines[-8:])
    return f"{SERVERS[name].title} ({name}) {problem}; its log is {log}:\n{tail}"


@contextmanager
def _locked(home: Path, deadline: float, clock: Clock, sleep: Callable[[float], None]) -> Iterator[None]:
    with (home / "services.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= deadline:
                    raise ServiceFailed(
                        f"another process holds {file.name}; try again when it is done"
                    ) from None
                sleep(0.1)
        yield
