"""Where fetched servers are kept, outside every checkout, and how they get there whole or not at all.

Nothing here knows a server: a builder fills a draft folder, which is renamed when it is complete.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ingest_project.core.errors import ConfigurationError

FETCH_SECONDS = 900.0
"""How long one download and build may take on a slow line."""


class ServerMissing(ConfigurationError):
    """A server cannot be had on this machine; the message says why and what to do."""


def default_cache() -> Path:
    """The platform's folder for what can be fetched again."""
    places = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    return Path.home() / places.get(sys.platform, ".cache") / "ingest-project"


def built(cache: Path, name: str, build: Callable[[Path], None]) -> Path:
    """The folder ``cache/name``, filled by ``build(draft)`` when it is not there yet.

    Two processes at once build once: the second waits. A killed builder leaves a draft that the next one
    removes; a half-filled folder never gets the name.
    """
    target = cache / name
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        for left in cache.glob(f"{name}.draft-*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{name}.draft-", dir=cache))
        try:
            build(draft)
            draft.chmod(0o755)
            draft.rename(target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return target


def tool(name: str, *, wanted_for: str, package: str) -> Path:
    """A program of the machine.

    Raises:
        ServerMissing: It is not on the search path.
    """
    found = shutil.which(name)
    if found is None:
        raise ServerMissing(f"{wanted_for} needs {name}, which is not installed (Debian: {package})")
    return Path(found)


def run(command: Sequence[str | Path], *, folder: Path, wanted_for: str) -> None:
    """Run a tool that fetches or builds, with the caller's own settings for proxies and mirrors.

    Raises:
        ServerMissing: It failed or took too long; ends with its first words, which tell the cause.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServerMissing(f"{wanted_for}: {words[0]} took more than {FETCH_SECONDS:.0f} s") from None
    if done.returncode:
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
        said = " | ".join(line[:400] for line in lines[:3]) or f"status {done.returncode}"
        raise ServerMissing(f"{wanted_for} could not be fetched: {said}")
