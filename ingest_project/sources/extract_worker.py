"""The process in which files are opened that nobody trusts: one engine, one file after the other, within
limits that the kernel keeps.

Started by extract_workers. Sees no credentials, opens no connection, and ends when its parent does.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from ingest_project.core.extracting import TOO_HUNGRY, TOO_LONG, Unreadable

Engine = Callable[[str, str], str]
"""(path, media type) -> text; raises Unreadable."""

_SPARE_FILE = 64 << 20
"""Bytes that an engine may write into one file for its own purposes."""


def main(arguments: list[str]) -> None:
    """Answer each line of standard input, until it ends, by a line and the text that it announces."""
    settings = json.loads(arguments[0])
    # Whoever presses Ctrl-C means the parent, which ends us in its own time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries print; what they print must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, _SPARE_FILE)
    engine = _opened(settings["engine"])
    _lower(resource.RLIMIT_DATA, settings["memory"])
    _say(answers, {"ready": True})
    for line in sys.stdin.buffer:
        job = json.loads(line)
        _allow(settings["cpu"], settings["wall"])
        answer, text = _answered(engine, job["file"], job["media"], settings["most"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(answers, {**answer, "bytes": len(text), "rss": _rss()}, text)


def _opened(engine: str) -> Engine:
    """``package.module:function`` called: the engine that it opens."""
    module, _, name = engine.partition(":")
    opened: Engine = getattr(import_module(module), name)()
    return opened


def _answered(engine: Engine, file: str, media: str, most: int) -> tuple[dict[str, str], bytes]:
    try:
        text = engine(file, media).encode("utf-8", "replace")
    except Unreadable as error:
        return {"cause": error.cause, "detail": error.detail}, b""
    except MemoryError:
        return {"cause": TOO_HUNGRY, "detail": "an allocation failed"}, b""
    if len(text) > most:
        return {"cause": TOO_LONG, "detail": f"{len(text)} bytes of text, {most} at most"}, b""
    return {}, text


def _allow(cpu: float, wall: float) -> None:
    """Time for one file: behind it the kernel ends this process, whatever it does."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + cpu))
    signal.setitimer(signal.ITIMER_REAL, wall)


def _lower(what: int, limit: int) -> None:
    """Set a limit that may be raised again, within what this process was started with."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _rss() -> int:
    """Resident bytes now (Linux; elsewhere the greatest so far)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _say(answers: BinaryIO, answer: dict[str, object], text: bytes = b"") -> None:
    answers.write(json.dumps(answer).encode() + b"\n" + text)
    answers.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BrokenPipeError:
        # The parent is gone, and with it who would read more.
        os._exit(0)
