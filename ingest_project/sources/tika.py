"""Text by an Apache Tika server: what is asked of it, and what its answers mean. How calls hold is
wire.guarded's."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from pathlib import Path

from ingest_project.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    HarmfulRequest,
    PermanentFailure,
)
from ingest_project.core.extracting import BROKEN, DIED, MEDIA, PASSWORD, PDF, TOO_LONG, Unreadable, tidied
from ingest_project.wire.guarded import GuardedClient
from ingest_project.wire.http import Answer

HEALTH = "/version"
"""What a GuardedClient of Tika looks at to see whether it is well."""

STREAM_FROM = 10 << 20
MOST_TEXT = 128 << 20
_REVISION = "1"
_PIECE = 1 << 20
_PDF_END = 4 << 10
"""Bytes in which a PDF's end mark stands; readers allow a kilobyte behind it."""


class TikaExtractor:
    """An Extractor over PUT /tika. The client is its owner's.

    What the server is goes into the fingerprint as it is expected to be, so that nobody need ask it to know
    that there is nothing to do; the first file makes sure that it is so.

    Args:
        client: With the health check above; a try's time is that of its endpoint.
        expected: Beginning of the server's version: texts of another one are told apart.
        ocr: Tesseract's languages (``por``) for pictures and scanned pages; empty: none is looked at.
        stream_from: Files of so many bytes are sent in blocks and never held whole.
        most: Bytes of a text.
    """

    name = "tika"

    def __init__(
        self,
        client: GuardedClient,
        *,
        expected: str = "3",
        ocr: str = "",
        stream_from: int = STREAM_FROM,
        most: int = MOST_TEXT,
    ) -> None:
        self._client, self._expected, self._ocr = client, expected, ocr
        self._stream_from, self._most = stream_from, most
        self._known = False

    @property
    def version(self) -> str:
        return f"{self._expected}/{_REVISION}" + (f" ocr {self._ocr}" if self._ocr else "")

    async def text(self, file: Path, kind: str) -> str:
        """As core.extracting.Extractor.

        Raises:
            CircuitOpen: The server is left alone for now.
            ConfigurationError: It is another version than expected.
        """
        if not self._known:
            await self._meet()
        if kind == PDF and await asyncio.to_thread(_cut_off, file):
            raise Unreadable(BROKEN, "cut off: the PDF has no end")
        body = await asyncio.to_thread(file.read_bytes) if self._small(file) else file
        try:
            answer = await self._client.call(
                "PUT", "/tika", self._headers(kind), body, name=f"Tika: {file.name}"
            )
        except HarmfulRequest as error:
            raise Unreadable(DIED, str(error)) from error
        except AnswerTooLarge as error:
            raise Unreadable(TOO_LONG, str(error)) from error
        if answer.status not in (200, 204):
            raise await asyncio.to_thread(_refusal, file, kind, answer)
        return await asyncio.to_thread(self._decoded, file, answer)

    async def _meet(self) -> None:
        answer = await self._client.call("GET", HEALTH)
        found = answer.excerpt().strip().removeprefix("Apache Tika ")
        if answer.status != 200 or not f"{found}.".startswith(f"{self._expected}."):
            raise ConfigurationError(
                f"the server says it is Tika {found!r} (HTTP {answer.status}), expected is {self._expected}: "
                "texts of another version would pass for its own"
            )
        self._known = True

    def _small(self, file: Path) -> bool:
        return file.stat().st_size < self._stream_from

    def _headers(self, kind: str) -> Mapping[str, str]:
        headers = {"Accept": "text/plain", "Accept-Encoding": "gzip", "Content-Type": MEDIA[kind]}
        if self._ocr:
            return headers | {"X-Tika-OCRLanguage": self._ocr, "X-Tika-PDFOcrStrategy": "auto"}
        return headers | {
            "X-Tika-OCRskipOcr": "true",
            "X-Tika-PDFOcrStrategy": "no_ocr",
            # Attachments are other documents; with OCR they are read, since pictures in a text are some.
            "X-Tika-Skip-Embedded": "true",
        }

    def _decoded(self, file: Path, answer: Answer) -> str:
        data = answer.body
        if answer.value(b"content-encoding") == b"gzip":
            inflater = zlib.decompressobj(wbits=31)
            data = inflater.decompress(data, self._most + 1)
        if len(data) > self._most:
            raise Unreadable(TOO_LONG, f"{file.name}: more than {self._most} bytes of text")
        return tidied(data.decode("utf-8", "replace"))


def _refusal(file: Path, kind: str, answer: Answer) -> PermanentFailure:
    """Why Tika did not read the file. The answer has no words: whether a PDF is locked, it tells itself."""
    said = f"{file.name}: Tika answers HTTP {answer.status} {answer.excerpt()}".strip()
    if kind == PDF and _encrypted(file):
        return Unreadable(PASSWORD, said)
    return Unreadable(BROKEN, said)


def _cut_off(file: Path) -> bool:
    """Tika makes do with the pages that are left, and says nothing of the others."""
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - _PDF_END))
        return b"%%EOF" not in stream.read()


def _encrypted(file: Path) -> bool:
    rest = b""
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            if b"/Encrypt" in rest + piece:
                return True
            rest = piece[-8:]
    return False
