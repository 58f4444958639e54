"""Small stores of named bytes under parts and plans: what both need of a medium, and a local folder as one.

A write is atomic and durable on return. What the bytes mean is decided by the stores above.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from ingest_project.core.errors import TargetMissing, TransientFailure

IDENTITY = "store-identity"


class Objects(Protocol):
    """A medium: bytes by key, keys with ``/`` between their parts."""

    @property
    def name(self) -> str:
        """Where it is, as a URI."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store the bytes, in place of those that are there."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Store the bytes unless there are some; False when there are."""
        ...

    def get(self, key: str) -> bytes | None: ...

    def piece(self, key: str, start: int, end: int, version: str) -> tuple[bytes, str]:
        """Bytes [start, end) or what there is of them, and the version they belong to.

        Args:
            version: What an earlier piece told, or empty: pieces of two versions are never mixed.

        Raises:
            TargetMissing: There is no such object.
            TransientFailure: It is another version by now.
        """
        ...

    def children(self, prefix: str) -> Iterator[str]:
        """Names directly below ``prefix``, which ends with ``/``."""
        ...

    def remove(self, prefix: str, first: str) -> None:
        """Delete all below ``prefix`` (ends with ``/``), the object ``first`` in it before the others."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects; one that is not there is no error."""
        ...


def pieces(
    objects: Objects, key: str, *, size: int, start: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """The object's bytes [start, end) in pieces of ``size``; holds one, and no connection or file between.

    Args:
        end: None reads to the object's end.
    """
    version = ""
    while end is None or start < end:
        asked = size if end is None else min(size, end - start)
        data, version = objects.piece(key, start, start + asked, version)
        if data:
            yield data
        if len(data) < asked:
            return
        start += asked


def identity(objects: Objects, new_id: Callable[[], str] = lambda: uuid.uuid4().hex) -> str:
    """Name of the medium with an id that is made once: a wiped medium is another one."""
    found = objects.get(IDENTITY)
    if found is None:
        objects.create(IDENTITY, new_id().encode())
        found = objects.get(IDENTITY)
    if found is None:
        raise TransientFailure(f"{objects.name}: its identity vanished while it was made")
    return f"{objects.name}#{found.decode()}"


class FolderObjects:
    """Objects as files under a folder.

    Args:
        folder: Made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def __repr__(self) -> str:
        return f"FolderObjects({str(self._folder)!r})"

    @property
    def name(self) -> str:
        return self._folder.as_uri()

    def put(self, key: str, data: bytes) -> None:
        path = self._folder / key
        os.replace(self._written(path, data), path)
        _sync(path.parent)

    def create(self, key: str, data: bytes) -> bool:
        path = self._folder / key
        draft = self._written(path, data)
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        _sync(path.parent)
        return True

    def get(self, key: str) -> bytes | None:
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None

    def piece(self, key: str, start: int, end: int, version: str) -> tuple[bytes, str]:
        try:
            with open(self._folder / key, "rb") as file:
                state = os.fstat(file.fileno())
                now = f"{state.st_ino}-{state.st_mtime_ns}-{state.st_size}"
                if version not in ("", now):
                    raise TransientFailure(f"{self.name}/{key}: written anew while it was read")
                file.seek(start)
                return file.read(end - start), now
        except FileNotFoundError as error:
            raise TargetMissing(f"{self.name}/{key} does not exist") from error

    def children(self, prefix: str) -> Iterator[str]:
        try:
            names = os.listdir(self._folder / prefix)
        except FileNotFoundError:
            return
        yield from sorted(name for name in names if not name.startswith("."))

    def remove(self, prefix: str, first: str) -> None:
        folder = self._folder / prefix
        (folder / first).unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)

    def _written(self, path: Path, data: bytes) -> Path:
        """A draft beside the path, its bytes on the disk."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return Path(draft)


def _sync(folder: Path) -> None:
    """A rename is durable only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
