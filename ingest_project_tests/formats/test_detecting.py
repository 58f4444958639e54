"""Kinds of files by their bytes: the real ones, those whose name lies, and those that are damaged."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core import extracting as kinds
from ingest_project.formats.detecting import HEAD, BytesView, Found, detect, encoding_of

REAL = Path(__file__).parents[1] / "entities/gazettes/data"
SECTOR = 512


def kind_of(data: bytes) -> str:
    return detect(BytesView(data)).kind


def zipped(*names: str, size: int = 10) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"x" * size)
    return made.getvalue()


def entry(name: str, kind: int, *, left: int = 0xFFFFFFFF, right: int = 0xFFFFFFFF, child: int = -1) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    links = struct.pack("<III", left, right, child & 0xFFFFFFFF)
    return encoded.ljust(64, b"\0") + struct.pack("<HBB", len(encoded), kind, 1) + links + b"\0" * 48


def ole(*entries: bytes, gap: int = 0) -> bytes:
    """An OLE2 file whose directory begins in its second sector and goes on ``gap`` sectors further."""
    directory = b"".join(entries).ljust(2 * SECTOR, b"\0")
    second = 2 + gap
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(SECTOR, b"\xff"))
    struct.pack_into("<H", header, 30, 9)
    struct.pack_into("<I", header, 48, 1)
    struct.pack_into("<I", header, 76, 0)
    table = bytearray(b"\xff" * SECTOR)
    struct.pack_into("<I", table, 4, second)
    struct.pack_into("<I", table, 4 * second, 0xFFFFFFFE)
    return bytes(header + table + directory[:SECTOR] + b"\0" * SECTOR * gap + directory[SECTOR:])


ROOT, STREAM, STORAGE = 5, 2, 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("pdf", "pdf"), ("doc", "doc"), ("docx", "docx"), ("odt", "odt"), ("txt", "txt"), ("jpg", "jpeg")],
)
def test_the_real_files_are_what_their_names_say(name: str, kind: str) -> None:
    assert kind == kind_of((REAL / f"fake_gazette.{name}").read_bytes())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "html"),
        (b"\xef\xbb\xbf\r\n <!-- made by\n hand --> <HTML lang=pt>", "html"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "html"),
        (b"<htmlx>", "txt"),
        (b"\n\n junk before %PDF-1.7", "pdf"),
        (b"{\\rtf1\\ansi Ol\\'e1}", "rtf"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "png"),
        (b"II*\0\x08\0", "tiff"),
        (gzip.compress(b"text", mtime=0), "gzip"),
        (b"\0\1\2\3", "unknown"),
        (b"\xc3\xa1 \xe7\xe3o", "txt"),
        ("ação".encode(), "txt"),
        ("ação".encode("utf-16"), "txt"),
        ("ação".encode("latin-1"), "txt"),
        (b"one page\x0cand the next", "txt"),
        (b"PK\x05\x06" + b"\0" * 18, "zip"),
    ],
)
def test_a_kind_is_told_by_content(data: bytes, kind: str) -> None:
    assert kind == kind_of(data)


def test_an_archive_of_documents_is_no_document_and_a_word_file_is_no_archive() -> None:
    assert ["zip", "docx", "docx"] == [
        kind_of(zipped("gazette/word.pdf", "b.docx")),
        kind_of(zipped("[Content_Types].xml", "word/document.xml")),
        kind_of(zipped("[Content_Types].xml", "word/document.xml")[:-60]),
    ]
    assert "zip" == kind_of(zipped("[Content_Types].xml", "xl/workbook.xml"))


def test_an_archive_says_how_far_it_expands() -> None:
    expected = Found(kind=kinds.DOCX, expanded=2_000_000)
    assert expected == detect(BytesView(zipped("word/document.xml", "word/styles.xml", size=1_000_000)))


def test_the_directory_of_an_archive_is_found_behind_a_long_comment() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.comment = b"c" * 60_000
        archive.writestr("word/document.xml", b"<x/>")
        archive.writestr("word/media/large.png", b"\1" * 100_000)
    assert Found(kind=kinds.DOCX, expanded=100_004) == detect(BytesView(made.getvalue()))


@pytest.mark.parametrize("gap", [0, 40])
def test_a_word_file_is_told_by_the_streams_below_its_root_wherever_they_lie(gap: int) -> None:
    filler = [entry(f"filler {number}", STREAM) for number in range(3)]
    word = ole(entry("Root Entry", ROOT, child=1), *filler[:1], *filler[1:], b"", gap=gap)
    assert "ole" == kind_of(word)
    linked = [
        entry("filler 0", STREAM, right=2),
        entry("filler 1", STREAM, right=5),
        entry("filler 2", STREAM),
        entry("filler 3", STREAM),
    ]
    found = ole(entry("Root Entry", ROOT, child=1), *linked, entry("WordDocument", STREAM), gap=gap)
    assert "doc" == kind_of(found)


def test_an_office_document_behind_a_password_is_told_apart() -> None:
    locked = ole(entry("Root Entry", ROOT, child=1), entry("EncryptedPackage", STREAM))
    assert "locked" == kind_of(locked)


def test_a_sheet_with_a_word_document_in_it_is_no_word_document() -> None:
    sheet = ole(
        entry("Root Entry", ROOT, child=1),
        entry("Workbook", STREAM, right=2),
        entry("MBD0001", STORAGE, child=3),
        entry("WordDocument", STREAM),
    )
    assert "ole" == kind_of(sheet)


def test_a_directory_that_runs_in_circles_ends() -> None:
    circle = bytearray(ole(entry("Root Entry", ROOT, child=1), entry("a", STREAM, left=1, right=0)))
    struct.pack_into("<I", circle, SECTOR + 4, 1)
    assert "ole" == kind_of(bytes(circle))


def test_a_character_cut_by_the_end_of_the_head_makes_no_other_encoding() -> None:
    text = ("x" * (HEAD - 1) + "ação").encode()
    assert "utf-8" == encoding_of(text[:HEAD], whole=False)
    assert "txt" == kind_of(text)
    assert "windows-1252" == encoding_of(text[:HEAD] + b"\xe7")


@given(st.binary(max_size=700), st.sampled_from(["", "pdf", "doc", "docx", "odt"]))
def test_every_file_is_of_some_kind(data: bytes, name: str) -> None:
    start = (REAL / f"fake_gazette.{name}").read_bytes()[:600] if name else b""
    known = {*kinds.MEDIA, kinds.ZIP, kinds.GZIP, kinds.OLE, kinds.LOCKED, kinds.EMPTY, kinds.UNKNOWN}
    assert kind_of(start + data) in known
