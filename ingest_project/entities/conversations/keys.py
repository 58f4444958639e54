"""Keys of the new tables, made of an old row's: UTC, without collisions, the same in every process.

Decides nothing about what an item holds beside its keys.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from ingest_project.core.errors import ConfigurationError
from ingest_project.formats.json_tree import Refused

CHUNKS = 10
KEEP = timedelta(days=30)
TIE_DIGITS = 12

_SPACED_ZONE = re.compile(r"\s+(?=[+-][0-9]{2}:?[0-9]{2}$)")


def zone_of(word: str) -> timezone:
    """The zone that a timestamp without one is in: ``UTC``, or an offset as ``+05:45``.

    Raises:
        ConfigurationError: It is neither.
    """
    if word.upper() in ("UTC", "Z"):
        return UTC
    try:
        found = datetime.strptime(word, "%z").tzinfo
    except ValueError as error:
        raise ConfigurationError(f"{word!r} is no zone: UTC, or an offset such as -03:00") from error
    assert isinstance(found, timezone)
    return found


def moment_of(timestamp: str, naive: timezone = UTC) -> datetime:
    """An old timestamp as a moment in UTC; digits behind the microseconds are cut.

    Args:
        naive: Zone of a timestamp that has none.

    Raises:
        Refused: It is no ISO 8601 date with a time.
    """
    text = _SPACED_ZONE.sub("", timestamp.strip())
    try:
        found = datetime.fromisoformat(text)
        if len(text) <= len("2026-01-01"):
            raise ValueError("a date without a time")
        return (found if found.tzinfo else found.replace(tzinfo=naive)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{timestamp[:60]!r} is no ISO 8601 timestamp", "timestamp") from error


def timestamp_of(moment: datetime) -> str:
    """``2026-11-01T12:00:00.000000Z``: UTC, microseconds, as long as every other, so that text sorts."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def message_id(user_id: str, sort_key: str) -> str:
    """32 hexadecimal digits that stand for an old row, whatever becomes of its timestamp."""
    return _sha256(f"{user_id}\0{sort_key}")[:32]


def chunk_of(user_id: str, message: str) -> int:
    """0 to 9, by sha256: Python's own ``hash`` gives another one in each process."""
    return int(_sha256(f"{user_id}\0{message}"), 16) % CHUNKS


def user_chunk(user_id: str, chunk: int) -> str:
    """Partition of a user's embeddings: ``{user_id}#007``."""
    return f"{user_id}#{chunk:03d}"


def user_date(user_id: str, moment: datetime) -> str:
    """Partition of a user's day: ``{user_id}#2026-11-01``, in UTC."""
    return f"{user_id}#{moment.astimezone(UTC).date().isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKeys:
    """Keys of one message in both new tables.

    Attributes:
        message_id: Also its ``embedding_id``.
        timestamp: Sort key of the indexes by time.
    """

    user_date: str
    timestamp_type: str
    timestamp: str
    user_chunk: str
    message_id: str


def keys_of(user_id: str, moment: datetime, role: str, message: str) -> MessageKeys:
    """Keys of a message.

    Two of one role and instant differ by the first digits of their ids.

    Args:
        message: Its id: ``message_id`` of an old row, or another word that no other message of the user has.
    """
    timestamp = timestamp_of(moment)
    tie = message[:TIE_DIGITS] if re.fullmatch("[0-9a-f]{32}", message) else _sha256(message)[:TIE_DIGITS]
    return MessageKeys(
        user_date=user_date(user_id, moment),
        timestamp_type=f"{timestamp}#{role}#{tie}",
        timestamp=timestamp,
        user_chunk=user_chunk(user_id, chunk_of(user_id, message)),
        message_id=message,
    )


def expiry(moment: datetime, migrated: datetime, keep: timedelta = KEEP) -> int:
    """Second at which a message expires: ``keep`` after it, or after the migration when it is older.

    Args:
        migrated: The plan's moment, and not that of a run: so a second run changes nothing. For a message
            that is written new, its own.
    """
    begin = migrated if moment + keep < migrated else moment
    return int((begin + keep).timestamp())


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
