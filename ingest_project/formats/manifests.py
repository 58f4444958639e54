"""Manifests of AWS table exports: which data files there are, and what each must hold. Parses, reads nothing.

``manifest-summary.json`` is one object; ``manifest-files.json`` has one object a line.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import msgspec

from ingest_project.core.errors import BadInput

SUMMARY = "manifest-summary.json"
FILES = "manifest-files.json"
_FORMAT = "DYNAMODB_JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What the export as a whole must hold.

    Attributes:
        files: URI of the list of data files.
        items: Items in all of them.
        prefix: Key prefix that the data files' keys start with, to be replaced by the export's folder.
    """

    files: str
    items: int
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFile:
    """One data file of an export as its manifest tells it.

    Attributes:
        items: Items in the file.
        md5: MD5 of the stored (compressed) bytes.
        manifest: URI of the manifest that says so.
    """

    uri: str
    items: int
    md5: bytes
    manifest: str


class _Summary(msgspec.Struct, rename="camel"):
    item_count: int
    manifest_files_s3_key: str = msgspec.field(name="manifestFilesS3Key")
    output_format: str = _FORMAT


class _File(msgspec.Struct, rename="camel"):
    item_count: int
    md5_checksum: str = msgspec.field(name="md5Checksum")
    data_file_s3_key: str = msgspec.field(name="dataFileS3Key")


def is_manifest(uri: str) -> bool:
    """Whether a file of an export folder is about the data and no data itself."""
    name = uri.rsplit("/", 1)[-1]
    return name in (SUMMARY, FILES, "_started") or (
        name.startswith("manifest-") and name.endswith(".checksum")
    )


def parse_summary(uri: str, text: bytes) -> ExportSummary:
    """Raises BadInput when it is no summary, or one of an export in another format."""
    try:
        found = msgspec.json.decode(text, type=_Summary)
    except msgspec.DecodeError as error:
        raise BadInput(uri=uri, offset=0, expected=f"the summary of an export ({error})") from error
    if found.output_format != _FORMAT:
        raise BadInput(uri=uri, offset=0, expected=f"an export in {_FORMAT}, found {found.output_format}")
    folder, name = uri.rsplit("/", 1)[0], found.manifest_files_s3_key.rsplit("/", 1)[-1]
    prefix = found.manifest_files_s3_key.removesuffix(name)
    return ExportSummary(files=f"{folder}/{name}", items=found.item_count, prefix=prefix)


def parse_files(summary: ExportSummary, text: bytes) -> list[ExpectedFile]:
    """The data files, resolved beside the manifest: an export may have been copied to another place.

    Raises:
        BadInput: A line is not what it must be, a file is listed twice, or the counts do not add up.
    """
    files, offset = [], 0
    for line in text.splitlines(keepends=True):
        if line.strip():
            files.append(_expected(summary, line, offset))
        offset += len(line)
    if len({file.uri for file in files}) != len(files):
        raise BadInput(uri=summary.files, offset=0, expected="each data file once")
    items = sum(file.items for file in files)
    if items != summary.items:
        raise BadInput(
            uri=summary.files,
            offset=offset,
            expected=f"{summary.items} items in all, as the summary says; found {items}",
        )
    return files


def _expected(summary: ExportSummary, line: bytes, offset: int) -> ExpectedFile:
    try:
        found = msgspec.json.decode(line, type=_File)
        md5 = base64.b64decode(found.md5_checksum, validate=True)
    except (msgspec.DecodeError, binascii.Error) as error:
        raise BadInput(uri=summary.files, offset=offset, expected=f"a data file's entry ({error})") from error
    key = found.data_file_s3_key
    if summary.prefix and key.startswith(summary.prefix):
        rest = key.removeprefix(summary.prefix)
    else:
        rest = "/".join(key.split("/")[-2:])
    if len(md5) != 16 or not rest or ".." in rest.split("/"):
        raise BadInput(uri=summary.files, offset=offset, expected="a data file's key and MD5")
    folder = summary.files.rsplit("/", 1)[0]
    return ExpectedFile(uri=f"{folder}/{rest}", items=found.item_count, md5=md5, manifest=summary.files)
