"""The warehouse API of a deployment: where it is, who asks, how much and for how long.

Read from the variables and checked; connects to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.paging import MOST_ROWS
from ingest_project.resources.endpoints import parse_endpoint
from ingest_project.resources.variables import Reader

Visit = Literal["full", "since", "deletes"]

_BASE = re.compile(r"(?P<place>https?://[^/?#]+)(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds that a kind of sync may take.

    Attributes:
        request: One request with all its tries.
        run: All requests of a run.
    """

    request: float
    run: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """One API, complete and checked; see docs/configuration.md for each.

    Attributes:
        url: Base without a slash at its end; empty: there is no API.
        filters: Of every list.
        quota: Requests a second over all processes.
        full, since: Times of a full sync, and of any other.
    """

    url: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    quota: float = 10.0
    at_once: int = 4
    page_size: int = MOST_ROWS
    page_mode: str = "sequenced"
    overlap_seconds: float = 1800.0
    answer_seconds: float = 300.0
    full: Timing = Timing(request=3600.0, run=10_800.0)
    since: Timing = Timing(request=2700.0, run=5400.0)

    def timing(self, visit: Visit) -> Timing:
        """Of a kind of sync."""
        return self.full if visit == "full" else self.since

    def require(self) -> None:
        """Raise ConfigurationError unless there is an API and somebody to ask it."""
        if not self.url:
            raise ConfigurationError("INGEST_WMS_URL is not set: there is no warehouse API to read")
        if not (self.user or self.client_id):
            raise ConfigurationError(
                "neither INGEST_WMS_USER and INGEST_WMS_PASSWORD nor INGEST_WMS_TOKEN_URL, "
                "INGEST_WMS_CLIENT_ID and INGEST_WMS_CLIENT_SECRET are set: nobody to ask the API as"
            )


def read_api_access(read: Reader) -> ApiAccess:
    """Read an ApiAccess. Raises ConfigurationError: names the variable, never a secret value."""
    filters = {
        "company_id__code": read.text("INGEST_WMS_COMPANY"),
        "facility_id__code": read.text("INGEST_WMS_FACILITY"),
    }
    together(read, "INGEST_WMS_USER", "INGEST_WMS_PASSWORD")
    together(read, "INGEST_WMS_TOKEN_URL", "INGEST_WMS_CLIENT_ID", "INGEST_WMS_CLIENT_SECRET")
    return ApiAccess(
        url=parse_base(read.text("INGEST_WMS_URL"), "INGEST_WMS_URL"),
        user=read.text("INGEST_WMS_USER"),
        password=read.text("INGEST_WMS_PASSWORD"),
        token_url=parse_base(read.text("INGEST_WMS_TOKEN_URL"), "INGEST_WMS_TOKEN_URL"),
        client_id=read.text("INGEST_WMS_CLIENT_ID"),
        client_secret=read.text("INGEST_WMS_CLIENT_SECRET"),
        scope=read.text("INGEST_WMS_SCOPE"),
        filters={name: code for name, code in filters.items() if code},
        quota=read.number("INGEST_WMS_QUOTA", 0.01, 10_000),
        at_once=read.count("INGEST_WMS_AT_ONCE", 1, 256),
        page_size=read.count("INGEST_WMS_PAGE_SIZE", 1, MOST_ROWS),
        page_mode=read.choice("INGEST_WMS_PAGE_MODE", "sequenced", "paged"),
        overlap_seconds=60.0 * read.number("INGEST_WMS_OVERLAP_MINUTES", 0, 7 * 24 * 60),
        answer_seconds=read.number("INGEST_WMS_ANSWER_SECONDS", 1, 3600),
        full=_timing(read, "INGEST_WMS_FULL_REQUEST_SECONDS", "INGEST_WMS_FULL_RUN_SECONDS"),
        since=_timing(read, "INGEST_WMS_SINCE_REQUEST_SECONDS", "INGEST_WMS_SINCE_RUN_SECONDS"),
    )


def parse_base(text: str, variable: str) -> str:
    """Read ``https://host[:port]/path``; ``http`` on loopback only, as credentials go with every request.

    Raises:
        ConfigurationError: Anything else, naming the variable (never its value: it may hold a password).
    """
    if not text:
        return ""
    found = _BASE.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"{variable} must be https://HOST[:PORT]/PATH and nothing more")
    endpoint = parse_endpoint(found["place"], variable)
    if endpoint.scheme == "http" and not endpoint.is_loopback:
        raise ConfigurationError(
            f"{variable} must begin with https://: only this machine may be asked by http"
        )
    return f"{endpoint.url}{found['path']}"


def together(read: Reader, *names: str) -> None:
    """All of these variables, or none. Raises ConfigurationError."""
    given = [name for name in names if read.text(name)]
    missing = [name for name in names if not read.text(name)]
    if given and missing:
        raise ConfigurationError(f"{' and '.join(missing)} must be set together with {given[0]}")


def _timing(read: Reader, request: str, run: str) -> Timing:
    return Timing(request=read.number(request, 1, 86_400), run=read.number(run, 1, 7 * 86_400))
