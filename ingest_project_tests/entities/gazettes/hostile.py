"""Files that harm who opens them: archives and streams that swell, a PDF behind a password, cut ones."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ingest_project.core.extracting import DOCX, MEDIA

REAL = Path(__file__).parent / "data"
_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_PAGE = (
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1"
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
)


def real(name: str) -> bytes:
    return (REAL / f"fake_gazette.{name}").read_bytes()


def swollen_docx(size: int) -> bytes:
    """A Word document of some kilobytes whose text has ``size`` bytes."""
    more = b"<w:p><w:r><w:t>" + b"palavra " * (size // 8) + b"</w:t></w:r></w:p></w:body>"
    return _altered_docx({"word/document.xml": (b"</w:body>", more)}, {})


def docx_with_attachment(attached: bytes) -> bytes:
    """A Word document in which another one is embedded."""
    relation = (
        b'<Relationship Id="rId99" Target="embeddings/inner.docx" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/package"/></Relationships>'
    )
    kind = f'<Default Extension="docx" ContentType="{MEDIA[DOCX]}"/></Types>'.encode()
    changes = {
        "word/_rels/document.xml.rels": (b"</Relationships>", relation),
        "[Content_Types].xml": (b"</Types>", kind),
    }
    return _altered_docx(changes, {"word/embeddings/inner.docx": attached})


def _altered_docx(changes: Mapping[str, tuple[bytes, bytes]], added: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(real("docx"))) as source,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(*changes.get(name, (b"", b""))))
        for name, data in added.items():
            target.writestr(name, data)
    return made.getvalue()


def swollen_pdf(size: int) -> bytes:
    """A PDF of some kilobytes whose page has ``size`` bytes of commands."""
    page = zlib.compress(b"BT /F1 1 Tf (a) Tj ET " * (size // 22), 1)
    return _pdf([_stream(page, b"/Filter/FlateDecode")])


def locked_pdf(password: bytes) -> bytes:
    """A PDF behind a password (40 bits of RC4), with one word in it."""
    identity, rights = b"0123456789abcdef", 0xFFFFFFFC
    owner = _rc4(hashlib.md5(_padded(b"owner")).digest()[:5], _padded(password))
    key = hashlib.md5(_padded(password) + owner + struct.pack("<I", rights) + identity).digest()[:5]
    user = _rc4(key, _PADDING)
    own_key = hashlib.md5(key + struct.pack("<I", 4)[:3] + b"\0\0").digest()[:10]
    page = _rc4(own_key, b"BT /F1 12 Tf 50 700 Td (segredo) Tj ET")
    words = b"<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P -4>>"
    entry = b"/Encrypt 5 0 R/ID[<%s><%s>]" % ((identity.hex().encode(),) * 2)
    return _pdf([_stream(page), words % (owner.hex().encode(), user.hex().encode())], entry)


def _pdf(rest: Sequence[bytes], entry: bytes = b"") -> bytes:
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", _PAGE, *rest]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, count = len(out), len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % count
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out) + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (count, entry, start)


def _stream(data: bytes, entry: bytes = b"") -> bytes:
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), entry, data)


def _padded(password: bytes) -> bytes:
    return (password + _PADDING)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    box, at = list(range(256)), 0
    for place in range(256):
        at = (at + box[place] + key[place % len(key)]) % 256
        box[place], box[at] = box[at], box[place]
    out, place, at = bytearray(), 0, 0
    for byte in data:
        place = (place + 1) % 256
        at = (at + box[place]) % 256
        box[place], box[at] = box[at], box[place]
        out.append(byte ^ box[(box[place] + box[at]) % 256])
    return bytes(out)
