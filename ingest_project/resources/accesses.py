"""Who enters AWS and OpenSearch with what: read from the variables, checked, never shown.

Connects to nothing; the paged API of the warehouse has its own (api_access.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.endpoints import Endpoint, parse_endpoint
from ingest_project.resources.variables import Reader

_LOGIN = re.compile(r"(?P<scheme>https?://)(?P<user>[^:/@\\\s]+):(?P<password>[^/@\\\s]*)@(?P<rest>[^@]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAccess:
    """Which credentials sign requests; empty texts leave the choice to botocore's own chain."""

    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearchAccess:
    """How OpenSearch is asked for entry: ``none``, ``basic`` or ``aws`` (SigV4 for service es or aoss); and
    whether bulk requests are compressed."""

    mode: str = "none"
    username: str = ""
    password: str = field(default="", repr=False)
    service: str = "es"
    compress: bool = False


def read_aws(read: Reader) -> AwsAccess:
    access = AwsAccess(
        access_key=read.text("AWS_ACCESS_KEY_ID"),
        secret_key=read.text("AWS_SECRET_ACCESS_KEY"),
        session_token=read.text("AWS_SESSION_TOKEN"),
        profile=read.text("AWS_PROFILE"),
    )
    if bool(access.access_key) != bool(access.secret_key):
        missing = "AWS_SECRET_ACCESS_KEY" if access.access_key else "AWS_ACCESS_KEY_ID"
        raise ConfigurationError(f"{missing} is not set, but its other half is")
    return access


def read_opensearch(read: Reader) -> tuple[Endpoint | None, OpenSearchAccess]:
    text, username, password = _split_login(read.text("OPENSEARCH_URL"))
    username = read.text("OPENSEARCH_USERNAME") or username
    password = read.text("OPENSEARCH_PASSWORD") or password
    mode = read.choice("INGEST_OPENSEARCH_AUTH", "auto", "none", "basic", "aws")
    if mode == "auto":
        mode = "basic" if username else "none"
    if mode == "basic" and not (username and password):
        raise ConfigurationError(
            "OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD are both needed for basic access"
        )
    access = OpenSearchAccess(
        mode=mode,
        username=username if mode == "basic" else "",
        password=password if mode == "basic" else "",
        service=read.choice("INGEST_OPENSEARCH_SERVICE", "es", "aoss"),
        compress=read.choice("INGEST_OPENSEARCH_COMPRESSION", "none", "gzip") == "gzip",
    )
    return (parse_endpoint(text, "OPENSEARCH_URL") if text else None), access


def _split_login(url: str) -> tuple[str, str, str]:
    """``https://user:password@host`` -> address without login, user, password."""
    found = _LOGIN.fullmatch(url)
    if found is None:
        return url, "", ""
    return found["scheme"] + found["rest"], unquote(found["user"]), unquote(found["password"])
