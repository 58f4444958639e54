"""Exports of tables by AWS: from the manifest to the data files, and the proof that these are whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from ingest_project.core.errors import BadInput, TargetMissing
from ingest_project.core.model import FileIndex, SourceFile
from ingest_project.formats.manifests import SUMMARY, ExpectedFile, is_manifest, parse_files, parse_summary

_DATA_FILE = re.compile(r"(.*/AWSDynamoDB/[^/]+)/data/[^/]+")


class ExportReader(Protocol):
    """What is needed of DumpSource here."""

    def text(self, uri: str) -> bytes: ...

    def stat(self, uri: str) -> SourceFile: ...

    def md5(self, file: SourceFile) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export's data files, sorted by URI, and what its manifest says of each."""

    files: tuple[SourceFile, ...]
    expected: dict[str, ExpectedFile]


def expand(reader: ExportReader, address: str) -> Export:
    """The data files of the export in a folder, or beside a manifest.

    Args:
        address: URI of the folder or of its ``manifest-summary.json``.

    Raises:
        TargetMissing: There is no manifest.
        BadInput: A manifest is broken, or a data file is missing.
    """
    folder = address.removesuffix(SUMMARY).rstrip("/")
    uri = f"{folder}/{SUMMARY}"
    summary = parse_summary(uri, reader.text(uri))
    files, expected = [], {}
    for entry in parse_files(summary, reader.text(summary.files)):
        files.append(_found(reader, entry))
        expected[files[-1].uri] = entry
    return Export(files=tuple(sorted(files, key=lambda file: file.uri)), expected=expected)


def verify(reader: ExportReader, index: FileIndex, expected: ExpectedFile) -> None:
    """Hold one data file against its manifest: bytes first, then items.

    Raises:
        BadInput: Names the file and what differs.
        SourceChanged: The file is no longer the indexed one.
    """
    found = reader.md5(index.file)
    if found != expected.md5:
        wanted = f"bytes with the MD5 {expected.md5.hex()} of the manifest, found {found.hex()}"
        raise BadInput(uri=index.file.uri, offset=0, expected=wanted)
    if index.fault:
        raise BadInput(uri=index.file.uri, offset=index.fault.offset, expected=index.fault.expected)
    if index.records != expected.items:
        wanted = f"{expected.items} items as in the manifest, found {index.records}"
        raise BadInput(uri=index.file.uri, offset=index.length, expected=wanted)


def split_exports(files: list[SourceFile]) -> tuple[list[SourceFile], list[str]]:
    """Sort a listing: plain dump files, and the summaries of exports whose folders hold the others."""
    summaries = [file.uri for file in files if file.uri.endswith(f"/{SUMMARY}")]
    folders = tuple(uri.removesuffix(SUMMARY) for uri in summaries)
    plain = [file for file in files if not (folders and file.uri.startswith(folders))]
    return [file for file in plain if not is_manifest(file.uri)], summaries


def export_root(uri: str) -> str:
    """Folder of the export that a data file belongs to (``.../AWSDynamoDB/<id>``); empty for another."""
    found = _DATA_FILE.fullmatch(uri)
    return found[1] if found else ""


def _found(reader: ExportReader, entry: ExpectedFile) -> SourceFile:
    uri = quote(entry.uri, safe="/:%") if entry.uri.startswith("file://") else entry.uri
    try:
        return reader.stat(uri)
    except TargetMissing as error:
        wanted = f"the data file {entry.uri}, which the manifest lists"
        raise BadInput(uri=entry.manifest, offset=0, expected=wanted) from error
