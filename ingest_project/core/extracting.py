"""Kinds of files by their content, and what turns one into text: an Extractor for each kind.

Decides only. Kinds are told by formats.detecting; extractors live in sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ingest_project.core.errors import PermanentFailure

PDF, DOC, DOCX, ODT, RTF, HTML, TXT = "pdf", "doc", "docx", "odt", "rtf", "html", "txt"
JPEG, PNG, TIFF, ZIP, GZIP, OLE = "jpeg", "png", "tiff", "zip", "gzip", "ole"
LOCKED, EMPTY, UNKNOWN = "locked", "empty", "unknown"
"""``locked``: an office document behind a password."""

MEDIA: Mapping[str, str] = {
    PDF: "application/pdf",
    DOC: "application/msword",
    DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ODT: "application/vnd.oasis.opendocument.text",
    RTF: "application/rtf",
    HTML: "text/html",
    TXT: "text/plain",
    JPEG: "image/jpeg",
    PNG: "image/png",
    TIFF: "image/tiff",
}
"""Media type of the kinds that text may come from; archives and unknown files are nobody's to open."""

BROKEN, PASSWORD, NO_TEXT = "broken file", "password", "no text"
TOO_SLOW, TOO_HUNGRY, TOO_LONG, DIED = "time limit", "memory limit", "text too long", "extractor died"
"""Causes for which a file is parked."""


class Unreadable(PermanentFailure):
    """No text will come out of this file by this extractor, however often it is tried.

    Args:
        cause: A word or two to count by; one of the causes above.
        detail: What a person needs to see why.
    """

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause, self.detail = cause, detail

    def __reduce__(self) -> tuple[object, ...]:
        return Unreadable, (self.cause, self.detail)


class Extractor(Protocol):
    """Gets the text out of files of some kinds. Many calls are under way at once."""

    @property
    def name(self) -> str:
        """Word in fingerprints and in the cache of texts."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same file may give another text: version and configuration."""
        ...

    async def text(self, file: Path, kind: str) -> str:
        """The file's text as it stands in reading order, line by line.

        Raises:
            Unreadable: The file is the reason.
            TransientFailure: The extractor is, for now.
        """
        ...


Handlers = Mapping[str, Extractor]
"""Kind -> who extracts it. Of a kind that is not in it no text is taken."""


def handled_by(handlers: Handlers, kind: str) -> str:
    """``name version`` of a kind's extractor, or ``none``: what of all extractors a result depends on."""
    extractor = handlers.get(kind)
    return "none" if extractor is None else f"{extractor.name} {extractor.version}"


def tidied(text: str) -> str:
    """Lines end in a line feed alone, nothing blank stands at the text's ends, and no zero bytes in it."""
    return text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip()
