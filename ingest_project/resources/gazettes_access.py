"""The gazettes of a deployment: where their rows, files and texts are, and how much is done at once.

Read from the variables and checked; connects to nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.extracting import DOC, DOCX, HTML, JPEG, ODT, PDF, PNG, RTF, TIFF, TXT
from ingest_project.resources.api_access import parse_base
from ingest_project.resources.endpoints import POSTGRESQL_PORT, Endpoint
from ingest_project.resources.variables import Reader

DATABASE = "INGEST_GAZETTES_DATABASE_URL"
IN_PROCESS, TIKA = EXTRACTORS = ("in-process", "tika")
MIB = 1 << 20

_BUCKET = re.compile(r"(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<keys>(?:/[A-Za-z0-9._=-]+)*)/?", re.ASCII)
_LANGUAGES = re.compile(r"[a-z_]{3,16}(?:\+[a-z_]{3,16})*", re.ASCII)
_TYPES = frozenset({PDF, DOC, DOCX, ODT, RTF, HTML, TXT})
_PICTURES = frozenset({JPEG, PNG, TIFF})
_INDEX = re.compile(r"[a-z0-9][a-z0-9_.-]{0,100}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A bucket and what keys in it begin with: nothing, or words with a slash at the end."""

    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GazettesAccess:
    """One archive of gazettes, complete and checked; see docs/configuration.md for each.

    Attributes:
        database_url: PostgreSQL with the tables of the domain; empty: there are no gazettes.
        files: What ``file_path`` of a row lies below.
        store: What texts and aggregates are put below.
        themes: File of themes; None: no excerpts are looked for.
        memory: Bytes of documents under way.
        types: Kinds of core.extracting that have a handler.
        ocr: Languages of Tesseract; empty: nothing is read off pictures.
        stream_from: Files of so many bytes are sent in pieces and never held whole.
    """

    database_url: str = field(default="", repr=False)
    files: Place
    store: Place
    extractor: str = IN_PROCESS
    tika_url: str = ""
    tika_rate: float = 20.0
    types: frozenset[str] = frozenset({PDF, DOC, DOCX, ODT, RTF, TXT})
    ocr: str = ""
    workers: int = 4
    memory: int = 256 * MIB
    batch: int = 10
    bulk: int = 100
    fetch: int = 1000
    stream_from: int = 10 * MIB
    pool_size: int = 20
    encoder: str = "use-multilingual"
    themes: Path | None = None
    index: str = "gazettes"

    def require(self) -> None:
        """Raise ConfigurationError unless there is a database, and a Tika where texts come from one."""
        if not self.database_url:
            raise ConfigurationError(f"{DATABASE} is not set: there are no gazettes to read")
        if self.extractor == TIKA and not self.tika_url:
            raise ConfigurationError(
                f"INGEST_GAZETTES_TIKA_URL is not set, and INGEST_GAZETTES_EXTRACTOR is {TIKA}"
            )
        if self.ocr and self.extractor != TIKA:
            raise ConfigurationError(f"INGEST_GAZETTES_OCR needs INGEST_GAZETTES_EXTRACTOR={TIKA}")

    @property
    def kinds(self) -> frozenset[str]:
        """What texts are made of, with pictures where those are read."""
        return self.types | _PICTURES if self.ocr else self.types

    @property
    def database(self) -> tuple[Endpoint, str]:
        """Where the database is and what it is called: what a write to it must be allowed by."""
        parts = urlsplit(self.database_url)
        host, port = parts.hostname or "localhost", parts.port or POSTGRESQL_PORT
        place = Endpoint(scheme="postgresql", host=f"[{host}]" if ":" in host else host, port=port)
        return place, unquote(parts.path.strip("/"))


def read_gazettes_access(read: Reader, bucket: str) -> GazettesAccess:
    """Read a GazettesAccess; ``bucket`` is the deployment's own.

    Raises:
        ConfigurationError: Names the variable, never a secret value.
    """

    themes = read.text("INGEST_GAZETTES_THEMES")
    return GazettesAccess(
        database_url=_database(read.text(DATABASE)),
        files=_place(read.text("INGEST_GAZETTES_FILES") or bucket, "INGEST_GAZETTES_FILES"),
        store=_place(read.text("INGEST_GAZETTES_STORE") or f"{bucket}/gazettes", "INGEST_GAZETTES_STORE"),
        extractor=read.choice("INGEST_GAZETTES_EXTRACTOR", *EXTRACTORS),
        tika_url=parse_base(read.text("INGEST_GAZETTES_TIKA_URL"), "INGEST_GAZETTES_TIKA_URL"),
        tika_rate=read.number("INGEST_GAZETTES_TIKA_RATE", 0.01, 10_000),
        types=_types(read.text("INGEST_GAZETTES_TYPES")),
        ocr=_languages(read.text("INGEST_GAZETTES_OCR")),
        workers=read.count("INGEST_GAZETTES_WORKERS", 1, 256),
        memory=read.count("INGEST_GAZETTES_MEMORY_MB", 16, 1024 * 1024) * MIB,
        batch=read.count("INGEST_GAZETTES_BATCH_SIZE", 1, 10_000),
        bulk=read.count("INGEST_GAZETTES_BULK_SIZE", 1, 10_000),
        fetch=read.count("INGEST_GAZETTES_FETCH_SIZE", 1, 100_000),
        stream_from=read.count("INGEST_GAZETTES_STREAM_MB", 1, 4096) * MIB,
        pool_size=read.count("INGEST_GAZETTES_DB_POOL_MAX", 1, 1000),
        encoder=read.text("INGEST_GAZETTES_ENCODER"),
        themes=Path(themes).expanduser().absolute() if themes else None,
        index=_index(read.text("INGEST_GAZETTES_INDEX")),
    )


def _database(text: str) -> str:
    """A PostgreSQL URL as psycopg takes it."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("postgresql", "postgres") and parts.hostname and parts.path.strip("/")
        port = parts.port
    except ValueError:
        sound = port = None
    if not sound or port == 0:
        raise ConfigurationError(f"{DATABASE} must be postgresql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE")
    return text


def _place(text: str, variable: str) -> Place:
    found = _BUCKET.fullmatch(text)
    keys = found["keys"].strip("/") if found else ""
    if found is None or any(part in (".", "..") for part in keys.split("/")):
        raise ConfigurationError(f"{variable} must be BUCKET or BUCKET/PREFIX, not {text!r}")
    return Place(bucket=found["bucket"], prefix=f"{keys}/" if keys else "")


def _types(text: str) -> frozenset[str]:
    found = frozenset(word.strip().lower() for word in text.split(",") if word.strip())
    if not found or not found <= _TYPES:
        known = ", ".join(sorted(_TYPES))
        raise ConfigurationError(f"INGEST_GAZETTES_TYPES must be some of {known}, not {text!r}")
    return found


def _languages(text: str) -> str:
    if text and not _LANGUAGES.fullmatch(text):
        raise ConfigurationError(
            f"INGEST_GAZETTES_OCR must be languages such as por or por+eng, not {text!r}"
        )
    return text


def _index(text: str) -> str:
    if not _INDEX.fullmatch(text):
        raise ConfigurationError(
            f"INGEST_GAZETTES_INDEX must be the name of an index in small letters, not {text!r}"
        )
    return text
