"""Files of aggregates: a town's year as XML, ZIP around it, made while it is written. Knows no store.

The same entries and texts give the same bytes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, Protocol, cast
from xml.sax.saxutils import escape, quoteattr

_CLOCK = (1980, 1, 1, 0, 0, 0)
_BLOCK = 1 << 16
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A gazette, or a town's part of one, in an aggregate.

    Attributes:
        uri, sha256: Of its text.
        about: Attribute -> value, as the XML tells them.
    """

    uri: str
    sha256: str
    about: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose year it is."""

    id: str
    name: str
    state_code: str


class Growing(Protocol):
    """An object that is there when it is finished, and not before."""

    def write(self, data: bytes) -> None: ...

    def finish(self) -> object: ...


Opened = Callable[[str], AbstractContextManager[Growing]]
"""Key -> an object on its way; leaving it unfinished leaves none."""


class _Pipe:
    """What zipfile needs of a file that cannot be sought in. Counts what went through."""

    def __init__(self, out: Growing) -> None:
        self._out, self.bytes = out, 0

    def write(self, data: bytes) -> int:
        self._out.write(bytes(data))
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held."""


class Archive:
    """A ZIP of XML files, a member after the other."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def add(self, name: str, pieces: Iterable[str]) -> None:
        """A member; holds about 64 KiB of it."""
        info = zipfile.ZipInfo(name, _CLOCK)
        info.compress_type = zipfile.ZIP_DEFLATED
        with self._file.open(info, "w", force_zip64=True) as member:
            for block in _blocks(pieces):
                member.write(block)


@contextmanager
def archive(out: Growing) -> Iterator[tuple[Archive, _Pipe]]:
    """A ZIP into an object, which is finished when the block ends well."""
    pipe = _Pipe(out)
    with zipfile.ZipFile(cast("IO[bytes]", pipe), "w", compresslevel=6) as file:
        yield Archive(file), pipe
    out.finish()


def town_xml(place: Place, year: int, gazettes: Iterable[tuple[Entry, str]]) -> Iterator[str]:
    """A town's year, of entries with their texts."""
    head = (
        ("uf", place.state_code),
        ("ano", str(year)),
        ("municipio", place.name),
        ("codigo_ibge", place.id),
    )
    yield '<?xml version="1.0" encoding="UTF-8"?>\n' + _tag("diarios", *head)
    for entry, text in gazettes:
        yield f"\n{_tag('diario', *entry.about)}<conteudo>{_clean(escape(text))}</conteudo></diario>"
    yield "\n</diarios>\n"


def _tag(name: str, *attributes: tuple[str, str]) -> str:
    words = "".join(f" {key}={quoteattr(_clean(value))}" for key, value in attributes if value)
    return f"<{name}{words}>"


def _clean(text: str) -> str:
    """Characters that no XML may hold, such as form feeds between pages, are line feeds."""
    return _NOT_XML.sub("\n", text)


def _blocks(pieces: Iterable[str]) -> Iterator[bytes]:
    """Few large pieces of UTF-8 of many small ones."""
    held: list[str] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield "".join(held).encode()
            held, size = [], 0
    yield "".join(held).encode()
