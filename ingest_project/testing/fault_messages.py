"""Requests and answers as the fault server sees them: raw, so that what is not touched passes unchanged.

No vendor, no network.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

Headers = tuple[tuple[str, str], ...]


class Call(NamedTuple):
    """A request.

    Attributes:
        target: Path and query as they came, encoded.
    """

    method: str
    target: str
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The header's value, whatever its case; empty when there is none."""
        return _header(self.headers, name)

    @property
    def path(self) -> tuple[str, ...]:
        """The path's parts, decoded."""
        parts = urlsplit(self.target).path.split("/")
        return tuple(unquote(part) for part in parts if part)

    def plain(self) -> Call:
        """The same with its body uncompressed."""
        headers, body = _plain(self.headers, self.body)
        return self._replace(headers=headers, body=body)


class Reply(NamedTuple):
    """An answer before it is sent."""

    status: int
    body: bytes
    headers: Headers = ()

    def header(self, name: str) -> str:
        """The header's value, whatever its case; empty when there is none."""
        return _header(self.headers, name)

    def plain(self) -> Reply:
        """The same with its body uncompressed."""
        headers, body = _plain(self.headers, self.body)
        return self._replace(headers=headers, body=body)

    def having(self, changed: Mapping[str, str]) -> Reply:
        """The same with these headers in place of those of their names."""
        names = {name.lower() for name in changed}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in names)
        return self._replace(headers=(*kept, *changed.items()))


def json_reply(status: int, value: object) -> Reply:
    """An answer of compact JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return Reply(status, body, (("Content-Type", "application/json"),))


def _header(headers: Headers, name: str) -> str:
    wanted = name.lower()
    return next((value for key, value in headers if key.lower() == wanted), "")


def _plain(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    if _header(headers, "Content-Encoding").lower() != "gzip":
        return headers, body
    dropped = ("content-encoding", "content-length")
    return tuple(pair for pair in headers if pair[0].lower() not in dropped), gzip.decompress(body)
