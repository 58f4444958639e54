"""The contract of messages: what a good record is, and which table a dump file belongs to."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.indexing import Field, IndexContract, Text, Value
from ingest_project.core.model import Chunk, KeySchema
from ingest_project.core.ports import Admission
from ingest_project.formats.admission import ItemAdmission

WORD = 1024
"""Up to so many characters a text is searched as one word, too."""

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_COMPRESSION = re.compile(r"\.(?:gz|zst)$", re.IGNORECASE)
_FORMAT = re.compile(r"\.(?:json|jsonl|ndjson)$", re.IGNORECASE)
_DUMP = re.compile(r"-dump$", re.IGNORECASE)
_EXPORT = "AWSDynamoDB"
_DATE = re.compile(r"(?:.*=)?\d{4}(?:-?\d{2}){0,2}")


def admission(chunk: Chunk) -> Admission:
    """The contract for one chunk: any item that DynamoDB takes under the chunk's key; no data is changed."""
    return ItemAdmission(chunk.keys)


def index(keys: KeySchema) -> IndexContract:
    """What is known of the documents: the key, in every one and of one type. All else comes as it comes.

    The key's fields are what the defaults would make of them, so that an index which took them from its first
    document fits.
    """
    text = Text(keyword=WORD)
    fields: dict[str, Field] = {
        name: Value(kind="double") if kind == "N" else text for name, kind in keys.parts if "." not in name
    }
    return IndexContract(fields=fields)


def target_of(uri: str) -> str:
    """The table of a dump file: ``.../messages-dump.json.gz`` -> ``messages``.

    The name loses ``.gz`` or ``.zst``, then ``.json``, ``.jsonl`` or ``.ndjson``, then ``-dump``. A file of
    an AWS export (``.../messages/AWSDynamoDB/<id>/data/x.json.gz``) belongs to the last folder before
    ``AWSDynamoDB`` that is no date and can be a table's name.

    Raises:
        ConfigurationError: Neither file name nor folders give a name that DynamoDB allows for a table.
    """
    steps = [unquote(step) for step in _steps(uri)]
    if _EXPORT in steps[:-1]:
        folders = steps[: steps.index(_EXPORT)]
        found = [step for step in folders if _TABLE.fullmatch(step) and not _DATE.fullmatch(step)]
        if not found:
            raise ConfigurationError(
                f"{uri}: no folder before {_EXPORT} names a table; put the export under a folder with the "
                "table's name, or name the table yourself"
            )
        return found[-1]
    name = steps[-1] if steps else ""
    for suffix in (_COMPRESSION, _FORMAT, _DUMP):
        name = suffix.sub("", name)
    if not _TABLE.fullmatch(name):
        raise ConfigurationError(
            f"{uri}: {name!r} cannot be a table's name (3 to 255 of A-Z a-z 0-9 _ . -); rename the file to "
            "<table>-dump.json, or name the table yourself"
        )
    return name


def _steps(uri: str) -> list[str]:
    """Folders and file of a URI or a plain path; a bucket is no folder."""
    path = urlsplit(uri).path if "://" in uri else uri
    return [step for step in path.split("/") if step]
