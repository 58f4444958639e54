"""Text files as text: read as they are, in the encoding that their bytes tell."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ingest_project.core.extracting import BROKEN, TOO_LONG, Unreadable, tidied
from ingest_project.formats.detecting import VERSION, encoding_of

MOST = 128 << 20


class PlainText:
    """An Extractor of TXT: UTF-8, UTF-16 with a byte order mark, else Windows-1252.

    Args:
        most: Bytes of a file.
    """

    name = "plain"
    version = f"1/{VERSION}"

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most

    async def text(self, file: Path, kind: str) -> str:
        """As core.extracting.Extractor."""
        return await asyncio.to_thread(self._read, file)

    def _read(self, file: Path) -> str:
        size = file.stat().st_size
        if size > self._most:
            raise Unreadable(TOO_LONG, f"{file.name}: {size} bytes, {self._most} at most")
        data = file.read_bytes()
        encoding = encoding_of(data)
        if not encoding:
            raise Unreadable(BROKEN, f"{file.name}: begins as a text and goes on as something else")
        return tidied(data.decode(encoding))
