"""Local files as a Store. Their etag is size and modification time: it changes when they are written."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest_project.core.errors import PermanentFailure, SourceChanged, TargetMissing, TransientFailure
from ingest_project.core.model import SourceFile
from ingest_project.sources.stores import BLOCK


def path_of(uri: str) -> Path:
    """``file:///a%20b`` -> ``/a b``."""
    return Path(unquote(urlsplit(uri).path))


def etag_of(status: os.stat_result) -> str:
    """Identity of a local file's bytes, as far as the file system tells it."""
    return f"{status.st_size}-{status.st_mtime_ns}"


class LocalFiles:
    """The machine's file system.

    Args:
        block: Bytes read at once.
    """

    def __init__(self, block: int = BLOCK) -> None:
        self._block = block

    def stat(self, uri: str) -> SourceFile:
        try:
            return _source_file(path_of(uri))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TargetMissing(f"{uri}: there is no such file") from error

    def files(self, uri: str, *, recursive: bool) -> Iterator[SourceFile]:
        path = path_of(uri)
        if not path.is_dir():
            yield self.stat(uri)
            return
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if recursive and not name.startswith(".")]
            for name in names:
                if not name.startswith(".") and (Path(folder) / name).is_file():
                    yield _source_file(Path(folder) / name)

    def blocks(self, uri: str, etag: str, start: int, end: int) -> Generator[bytes, None, None]:
        try:
            with path_of(uri).open("rb", buffering=0) as file:
                _check(uri, etag, file.fileno())
                file.seek(start)
                while start < end and (block := file.read(min(self._block, end - start))):
                    start += len(block)
                    yield block
                _check(uri, etag, file.fileno())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceChanged(f"{uri}: the file is gone") from error
        except (PermissionError, IsADirectoryError) as error:
            raise PermanentFailure(f"{uri}: {error.strerror}") from error
        except OSError as error:
            raise TransientFailure(f"{uri}: {error.strerror or error}") from error


def _check(uri: str, etag: str, descriptor: int) -> None:
    found = etag_of(os.fstat(descriptor))
    if found != etag:
        raise SourceChanged(f"{uri}: size and time are {found}, planned were {etag}")


def _source_file(path: Path) -> SourceFile:
    status = path.stat()
    return SourceFile(
        uri=path.resolve().as_uri(),
        etag=etag_of(status),
        size=status.st_size,
        modified=datetime.fromtimestamp(status.st_mtime, UTC),
    )
