"""Engines for workers that misbehave: what the file's text says is what they do."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ingest_project.core.extracting import BROKEN, Unreadable
from ingest_project.sources.extract_workers import Engine

ACTING = Engine(name="acting", version="1", opened_by=f"{__name__}:acting")
UNOPENED = Engine(name="unopened", version="1", opened_by=f"{__name__}:unopened")


def acting() -> Callable[[str, str], str]:
    """Does what the file says (``die SEGV``, ``burn`` and so on); other texts are given back."""
    return _act


def unopened() -> Callable[[str, str], str]:
    raise ImportError("the library is not here")


def _act(path: str, media: str) -> str:
    text = Path(path).read_text()
    word, _, rest = text.partition(" ")
    if word == "die":
        os.kill(os.getpid(), signal.Signals[f"SIG{rest}"])
    if word == "once":
        _die_once(Path(path))
    if word == "exit":
        sys.stderr.write("the library said goodbye\n")
        sys.stderr.flush()
        os._exit(3)
    if word == "burn":
        while True:
            pass
    if word == "hang":
        threading.Event().wait()
    if word == "swell":
        return "x" * (2 << 30)
    if word == "print":
        os.write(1, b'{"bytes": 5}\nnoise')
    if word == "refuse":
        raise Unreadable(BROKEN, rest)
    if word == "repeat":
        return "x" * int(rest)
    if word == "look":
        return "\n".join(sorted(os.environ))
    return text


def _die_once(path: Path) -> None:
    seen = path.with_suffix(".seen")
    if not seen.exists():
        seen.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
