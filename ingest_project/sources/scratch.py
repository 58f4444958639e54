"""Folders for files that are being read, which go with the process that made them: who comes next removes
what a killed one left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SUFFIX = ".scratch"
"""Of our folders alone: the place is one that others use too, and what is swept is gone."""


@contextmanager
def scratch_folder(kind: str, parent: Path | None = None) -> Iterator[Path]:
    """An empty folder, removed at the end. Before, folders of that kind are removed whose processes have
    ended: a lock tells, which the kernel takes from who dies, in whichever container that was.

    Args:
        parent: What it lies in; the system's folder for temporary files by default.
    """
    place = Path(parent or tempfile.gettempdir())
    prefix = f"ingest-{kind}-"
    sweep(place, prefix)
    folder, lock = _locked(place, prefix)
    try:
        yield folder
    finally:
        # A thread that was left behind may still write there; the next one sweeps what it leaves.
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(place: Path, prefix: str) -> int:
    """Remove the folders that nobody holds; returns how many."""
    removed = 0
    for entry in os.scandir(place):
        if not entry.name.startswith(prefix) or not entry.name.endswith(SUFFIX):
            continue
        if not entry.is_dir(follow_symlinks=False):
            continue
        with suppress(OSError):
            lock = _try(Path(entry.path))
            if lock is not None:
                shutil.rmtree(entry.path)
                os.close(lock)
                removed += 1
    return removed


def _locked(place: Path, prefix: str) -> tuple[Path, int]:
    """A new folder under its lock; one that was swept before it had its lock is made anew."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=SUFFIX, dir=place))
        with suppress(FileNotFoundError):
            lock = _try(folder)
            if lock is not None:
                return folder, lock


def _try(folder: Path) -> int | None:
    """The lock on a folder that is there; None while somebody else has it."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            return None
        raise
    if folder.exists():
        return lock
    os.close(lock)
    return None
