"""Small document files with a given text: PDF with a text layer, DOCX, ODT, HTML, ZIP, PNG, and broken ones.

The same lines give the same bytes. A PDF can carry any number of bytes beside its text, made while they are
read: nothing here holds a large file.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from html import escape
from random import Random

Pages = Sequence[Sequence[str]]
"""Lines of each page."""

PIECE = 1 << 20
_CLOCK = (2026, 1, 1, 0, 0, 0)
_TOP, _LEFT, _SIZE, _LEADING = 812, 36, 9, 11
_WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OFFICE = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"'
)
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)
_ODT = "application/vnd.oasis.opendocument.text"
_MANIFEST = (
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" '
    f'manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="{_ODT}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
    "</manifest:manifest>"
)


def pdf(pages: Pages, *, ballast: int = 0, seed: str = "") -> Iterator[bytes]:
    """A PDF, in pieces of a MiB at most.

    Args:
        pages: What its text layer says; characters of Windows-1252 only. A page without lines has no text,
            as a scanned one.
        ballast: Incompressible bytes that no page shows.
        seed: Of these bytes.
    """
    written, offsets = 0, []
    yield (head := b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    written += len(head)
    for number, pieces in enumerate(_objects(pages, ballast, seed), 1):
        offsets.append(written)
        for piece in (b"%d 0 obj\n" % number, *pieces, b"\nendobj\n"):
            for part in (piece,) if isinstance(piece, bytes) else piece:
                written += len(part)
                yield part
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(offsets) + 1
    yield b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, rows)
    yield b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, written)


def _objects(pages: Pages, ballast: int, seed: str) -> Iterator[tuple[bytes | Iterator[bytes], ...]]:
    kids = b" ".join(b"%d 0 R" % (4 + 2 * at) for at in range(len(pages)))
    yield (b"<</Type/Catalog/Pages 2 0 R>>",)
    yield (b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),)
    yield (b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",)
    for at, lines in enumerate(pages):
        content = zlib.compress(_shown(lines), 1)
        yield (
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            b"/Contents %d 0 R>>" % (5 + 2 * at),
        )
        head = b"<</Length %d/Filter/FlateDecode>>stream\n" % len(content)
        yield (head, content, b"\nendstream")
    if ballast:
        yield (b"<</Length %d>>stream\n" % ballast, noise(ballast, seed), b"\nendstream")


def _shown(lines: Sequence[str]) -> bytes:
    """The operators that show the lines, one under the other."""
    text = "\n".join(lines).encode("cp1252")
    for character in (b"\\", b"(", b")"):
        text = text.replace(character, b"\\" + character)
    shown = b"".join(b"(%s)Tj T*\n" % line if line else b"T*\n" for line in text.split(b"\n"))
    return b"BT /F1 %d Tf %d TL %d %d Td\n%sET" % (_SIZE, _LEADING, _LEFT, _TOP, shown)


def noise(size: int, seed: str) -> Iterator[bytes]:
    """``size`` bytes of a seed, in pieces of a MiB."""
    rng = Random(f"noise {seed}")
    for start in range(0, size, PIECE):
        yield rng.randbytes(min(PIECE, size - start))


def docx(lines: Sequence[str]) -> bytes:
    """A DOCX, a paragraph a line."""
    body = "".join(f'<w:p><w:r><w:t xml:space="preserve">{escape(line)}</w:t></w:r></w:p>' for line in lines)
    document = f"<w:document {_WORD}><w:body>{body}</w:body></w:document>"
    return archive(
        {"[Content_Types].xml": _TYPES, "_rels/.rels": _RELATIONS, "word/document.xml": document}, xml=True
    )


def odt(lines: Sequence[str]) -> bytes:
    """An ODT, a paragraph a line."""
    body = "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)
    content = (
        f"<office:document-content {_OFFICE}><office:body><office:text>{body}</office:text></office:body>"
        "</office:document-content>"
    )
    return archive({"content.xml": content, "META-INF/manifest.xml": _MANIFEST}, xml=True, kind=_ODT)


def html(lines: Sequence[str]) -> bytes:
    """A page of HTML, a paragraph a line."""
    body = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
    head = '<!DOCTYPE html>\n<html lang="pt-BR"><head><meta charset="utf-8"><title>Diário</title></head>'
    return f"{head}\n<body>\n{body}</body></html>\n".encode()


def archive(members: dict[str, str], *, xml: bool = False, kind: str = "") -> bytes:
    """A ZIP of texts.

    Args:
        xml: Put the declaration in front of each.
        kind: Stands in front, uncompressed, as the member ``mimetype`` of OpenDocument.
    """
    out = io.BytesIO()
    declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' if xml else ""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        if kind:
            file.writestr(zipfile.ZipInfo("mimetype", _CLOCK), kind, zipfile.ZIP_STORED)
        for name, text in members.items():
            file.writestr(zipfile.ZipInfo(name, _CLOCK), declaration + text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def png(seed: str, side: int = 64) -> bytes:
    """A grey picture."""
    rng = Random(f"picture {seed}")
    rows = b"".join(b"\0" + rng.randbytes(side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
