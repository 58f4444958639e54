"""A complete HTTP response as a value, and what its headers say about time. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class Answer:
    """A complete response. Its headers are decoded when somebody asks: most answers are read by status alone.

    Args:
        status: HTTP status.
        headers: (name, value) as received; of equal names the last counts.
        body: As sent; nothing is decompressed.
        keep: Whether the connection may be used again.
    """

    __slots__ = ("_headers", "_received", "body", "keep", "status")

    def __init__(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, *, keep: bool = True
    ) -> None:
        self.status, self.body, self.keep = status, body, keep
        self._received = headers
        self._headers: Mapping[str, str] | None = None

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.body)} bytes)"

    @property
    def headers(self) -> Mapping[str, str]:
        """Values by name, names in lower case."""
        if self._headers is None:
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._received
            }
        return self._headers

    def value(self, name: bytes) -> bytes | None:
        """One header's value without decoding the others. ``name`` in lower case."""
        found = None
        for key, value in self._received:
            if len(key) == len(name) and key.lower() == name:
                found = value
        return found

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, from its Retry-After header (seconds or a date)."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            return _until(value, self.date or datetime.now(UTC))

    @property
    def date(self) -> datetime | None:
        """The server's clock, from its Date header."""
        return _moment(self.headers.get("date", ""))

    def excerpt(self) -> str:
        """The body's beginning, for messages."""
        return self.body[:500].decode("utf-8", "replace")


def _moment(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _until(value: str, now: datetime) -> float | None:
    moment = _moment(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())
