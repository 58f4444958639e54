"""What a file is by its bytes: its name and what a server called it say nothing. No I/O.

Reads the beginning, and of containers (OLE2, ZIP) their directory, wherever it lies.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ingest_project.core import extracting as kinds

VERSION = "1"
"""Of the rules below; another one looks at every file again."""

HEAD = 8 << 10
"""Bytes of the beginning that tell what is no container."""

MOST_DIRECTORY = 4 << 20
"""Bytes of a ZIP's directory that are looked at: some 50,000 entries."""

_MOST_SECTORS = 256
_END_RECORD = 65_535 + 22
_FREE = 0xFFFFFFFA
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STARTS = (
    (b"%PDF-", kinds.PDF),
    (b"{\\rtf", kinds.RTF),
    (b"\xff\xd8\xff", kinds.JPEG),
    (b"\x89PNG\r\n\x1a\n", kinds.PNG),
    (b"II*\0", kinds.TIFF),
    (b"MM\0*", kinds.TIFF),
    (b"\x1f\x8b", kinds.GZIP),
)
_HTML = re.compile(rb"\s*(<\?xml[^>]*>|<!--.*?-->|\s)*<(!doctype\s+html|html|head|body)\b", re.I | re.S)
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_NOT_IN_WINDOWS_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_BYTE_ORDER = (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig")


class View(Protocol):
    """A file's bytes in any order."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end) or what there is of them."""
        ...


class BytesView:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, start: int, end: int) -> bytes:
        return self._data[start:end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file is.

    Attributes:
        kind: One of core.extracting's.
        expanded: Bytes that a ZIP says it grows to; 0 of all others.
    """

    kind: str
    expanded: int = 0


def detect(view: View) -> Found:
    """Look at a file; ``unknown`` where nothing known is found."""
    if view.size == 0:
        return Found(kind=kinds.EMPTY)
    head = view.read(0, HEAD)
    for start, kind in _STARTS:
        if head.startswith(start):
            return Found(kind=kind)
    if head.startswith(_OLE):
        return Found(kind=_ole(view, head))
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(view, head)
    if _HTML.match(head.removeprefix(b"\xef\xbb\xbf")):
        return Found(kind=kinds.HTML)
    # Readers of PDF allow what is not theirs before it, within the first kilobyte.
    if b"%PDF-" in head[:1024]:
        return Found(kind=kinds.PDF)
    return Found(kind=kinds.TXT if encoding_of(head, whole=view.size <= HEAD) else kinds.UNKNOWN)


def encoding_of(data: bytes, *, whole: bool = True) -> str:
    """Name of the encoding in which the bytes are a text, or an empty word: they are none.

    Args:
        whole: The bytes are all there are; else the last character may be cut.
    """
    for mark, encoding in _BYTE_ORDER:
        if data.startswith(mark):
            return encoding if _decodes(data, encoding, whole=whole) else ""
    if _NO_TEXT.search(data):
        return ""
    if _decodes(data, "utf-8", whole=whole):
        return "utf-8"
    return "" if _NOT_IN_WINDOWS_1252.search(data) else "windows-1252"


def _decodes(data: bytes, encoding: str, *, whole: bool) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return not whole and error.end == len(data) and error.end - error.start < 4
    return True


def _ole(view: View, head: bytes) -> str:
    """A Word document has the stream WordDocument in the root of its directory."""
    names = _root_entries(_ole_directory(view, head))
    if "EncryptedPackage" in names:
        return kinds.LOCKED
    return kinds.DOC if "WordDocument" in names else kinds.OLE


def _ole_directory(view: View, head: bytes) -> bytes:
    """The directory's sectors, as the allocation table chains them."""
    if len(head) < 512:
        return b""
    size = 1 << min(struct.unpack_from("<H", head, 30)[0], 12)
    sector = struct.unpack_from("<I", head, 48)[0]
    tables = struct.unpack_from("<109I", head, 76)
    found = bytearray()
    for _ in range(_MOST_SECTORS):
        if sector >= _FREE:
            break
        found += view.read((sector + 1) * size, (sector + 2) * size)
        table, place = divmod(sector, size // 4)
        if table >= len(tables) or tables[table] >= _FREE:
            break
        at = (tables[table] + 1) * size + place * 4
        link = view.read(at, at + 4)
        if len(link) < 4:
            break
        (sector,) = struct.unpack("<I", link)
    return bytes(found)


def _root_entries(directory: bytes) -> set[str]:
    """Names directly below the root: what lies in embedded documents says nothing of this one."""
    entries = [directory[at : at + 128] for at in range(0, len(directory) - 127, 128)]
    if not entries:
        return set()
    names: set[str] = set()
    seen: set[int] = set()
    waiting = [struct.unpack_from("<I", entries[0], 76)[0]]
    while waiting:
        number = waiting.pop()
        if number >= len(entries) or number in seen:
            continue
        seen.add(number)
        entry = entries[number]
        length = max(0, min(struct.unpack_from("<H", entry, 64)[0], 64) - 2)
        names.add(entry[:length].decode("utf-16-le", "replace"))
        waiting += struct.unpack_from("<II", entry, 68)
    return names


def _zip(view: View, head: bytes) -> Found:
    """DOCX and ODT are told by their entries; where the directory is cut off, by the first ones."""
    directory = _zip_directory(view)
    entries = list(_zip_entries(directory))
    names = {name for name, _ in entries}
    expanded = sum(size for _, size in entries)
    if kinds.MEDIA[kinds.ODT].encode() in head[:256] and head[30:38] == b"mimetype":
        return Found(kind=kinds.ODT, expanded=expanded)
    if b"word/document.xml" in names or (not names and b"word/" in head):
        return Found(kind=kinds.DOCX, expanded=expanded)
    return Found(kind=kinds.ZIP, expanded=expanded)


def _zip_directory(view: View) -> bytes:
    tail = view.read(max(0, view.size - _END_RECORD), view.size)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        return b""
    size, start = struct.unpack_from("<II", tail, at + 12)
    return view.read(start, start + min(size, MOST_DIRECTORY))


def _zip_entries(directory: bytes) -> Iterator[tuple[bytes, int]]:
    """Name and declared size of each entry."""
    at = 0
    while directory[at : at + 4] == b"PK\x01\x02" and len(directory) - at >= 46:
        (size,) = struct.unpack_from("<I", directory, at + 24)
        name, extra, comment = struct.unpack_from("<HHH", directory, at + 28)
        yield directory[at + 46 : at + 46 + name], size
        at += 46 + name + extra + comment
