"""Rejections as a file that people edit: one JSON object a line, with the record's text, and back.

{"id": "...", "file": "...", "byte": 12, "reason": "...", "record": "the text to correct"}
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ingest_project.core.errors import ConfigurationError
from ingest_project.ledgers.rejections import DeadLetter, parse_id

Correction = str | bytes
"""A record's text, in whatever encoding its file has; or its bytes. Empty: as it stands."""

_ENCODINGS = ("utf-8", "latin-1")


def export(letters: Iterable[DeadLetter], path: Path) -> int:
    """Write rejections to a file; how many there are. An existing file is not overwritten.

    Raises:
        ConfigurationError: The file is there, or cannot be written.
    """
    count = 0
    try:
        with path.open("x", encoding="utf-8") as file:
            for letter in letters:
                count += 1
                file.write(json.dumps(_out(letter), ensure_ascii=False) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    return count


def read_corrections(path: Path) -> Iterator[tuple[str, Correction]]:
    """(id, correction) of each line.

    Raises:
        ConfigurationError: A line is not as ``export`` writes it; says which.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _in(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _out(letter: DeadLetter) -> dict[str, Any]:
    words: dict[str, Any] = {
        "id": letter.id,
        "file": letter.uri,
        "byte": letter.offset,
        "table": letter.target,
        "key": letter.key,
        "reason": letter.reason,
    }
    if letter.cut:
        # Only what is kept of it: it cannot be corrected here, and is replayed from its file as it stands.
        return words | {"cut": True, "begins": letter.raw[:200].decode("utf-8", "replace")}
    for encoding in _ENCODINGS:
        try:
            text = letter.raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.isprintable() or encoding == "utf-8":
            return words | ({"record": text} if encoding == "utf-8" else _other(text, encoding))
    return words | {"base64": b64encode(letter.raw).decode()}


def _other(text: str, encoding: str) -> dict[str, Any]:
    return {"encoding": encoding, "record": text}


def _in(line: str, place: str) -> tuple[str, Correction]:
    try:
        words = json.loads(line)
        id, record, coded = words["id"], words.get("record"), words.get("base64")
        parse_id(id)
        if isinstance(record, str):
            return id, record
        if isinstance(coded, str):
            return id, b64decode(coded, validate=True)
        if words.get("cut"):
            return id, b""
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"{place}: not an exported rejection: {error}") from error
    raise ConfigurationError(f"{place}: not an exported rejection: it has neither record nor base64")
