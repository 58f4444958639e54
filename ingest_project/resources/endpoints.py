"""Where a service is, and whether it may be written to. What is not plainly loopback counts as remote.

Only names and literals are looked at, nothing is resolved: an answer of a name server decides nothing here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ingest_project.core.errors import ConfigurationError, RemoteWriteRefused

Service = Literal["s3", "dynamodb", "opensearch", "postgresql"]

ALLOW_VARIABLE = "INGEST_ALLOW_REMOTE_WRITES"

ALLOW_SYNTAX = (
    "comma-separated targets: `s3:BUCKET`, `dynamodb:REGION/TABLE` (`*` for every table) on AWS; "
    "`s3:HOST[:PORT]/BUCKET`, `dynamodb:HOST[:PORT]/TABLE` elsewhere; `opensearch:HOST[:PORT]`; "
    "`postgresql:HOST[:PORT]/DATABASE`"
)

_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?/?", re.ASCII)
POSTGRESQL_PORT = 5432
_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": POSTGRESQL_PORT}
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PLACE = rf"(?:\[[0-9a-f:.]+\]|{_NAME})(?::[0-9]{{1,5}})?"
_ALLOWED = re.compile(
    rf"s3:(?:{_PLACE}/)?{_NAME}|dynamodb:{_PLACE}/(?:{_NAME}|\*)|opensearch:{_PLACE}"
    rf"|postgresql:{_PLACE}/{_NAME}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address of a server without path, login or anything else that two parsers could read differently."""

    scheme: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """``host`` or ``host:port``, as allowed targets name it."""
        return self.host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    def __str__(self) -> str:
        return self.url


def parse_endpoint(text: str, variable: str) -> Endpoint:
    """Read ``http(s)://host[:port][/]``.

    Raises:
        ConfigurationError: Anything else, naming the variable (never its value: it may hold a password).
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            f"{variable} must be http://HOST[:PORT] or https://HOST[:PORT] and nothing more"
        )
    scheme, host, digits = found.groups()
    port = int(digits) if digits else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65536:
        raise ConfigurationError(f"{variable} has a port that does not exist")
    if host.startswith("[") and not _is_ipv6(host[1:-1]):
        raise ConfigurationError(f"{variable} has a malformed IPv6 address")
    return Endpoint(scheme=scheme, host=host.lower(), port=port)


def is_loopback(host: str) -> bool:
    """True for ``localhost``, a dotted 127.x.y.z and ``[::1]``; every other spelling counts as remote."""
    if host.lower() == "localhost":
        return True
    try:
        if host.startswith("[") and host.endswith("]"):
            return ipaddress.IPv6Address(host[1:-1]) == ipaddress.IPv6Address("::1")
        return ipaddress.IPv4Address(host) in ipaddress.IPv4Network("127.0.0.0/8")
    except ValueError:
        return False


def write_target(service: Service, endpoint: Endpoint | None, region: str, name: str) -> str:
    """The word by which INGEST_ALLOW_REMOTE_WRITES names a target; ``None`` is the endpoint of AWS itself."""
    if service == "opensearch":
        return f"opensearch:{endpoint.place}" if endpoint else "opensearch:"
    if endpoint is not None and endpoint.url != aws_url(service, region):
        return f"{service}:{endpoint.place}/{name}"
    return f"s3:{name}" if service == "s3" else f"dynamodb:{region}/{name}"


def require_write(
    service: Service, endpoint: Endpoint | None, region: str, name: str, allowed: Collection[str]
) -> None:
    """Let a write to this machine pass, and one to a remote target that is allowed by name.

    Args:
        name: Bucket, table, index or database.
        allowed: Entries of INGEST_ALLOW_REMOTE_WRITES.

    Raises:
        RemoteWriteRefused: Everything else; the message says what would allow it.
    """
    if endpoint is not None and endpoint.is_loopback:
        return
    target = write_target(service, endpoint, region, name)
    every = f"{target.partition('/')[0]}/*"
    if target in allowed or (service == "dynamodb" and re.fullmatch(_NAME, name) and every in allowed):
        return
    where = str(endpoint) if endpoint else f"AWS ({region}), as no endpoint is configured"
    raise RemoteWriteRefused(
        f"refused to write to {service} {name!r} at {where}: it is not on this machine. "
        f"For the embedded services run `ingest services up`; "
        f"if this target is meant, add {target} to {ALLOW_VARIABLE}"
    )


def parse_allowed(text: str) -> frozenset[str]:
    """Read INGEST_ALLOW_REMOTE_WRITES.

    Raises:
        ConfigurationError: An entry that names no target, a bare ``*`` for instance.
    """
    entries = frozenset(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in sorted(entries):
        if _ALLOWED.fullmatch(entry) is None:
            raise ConfigurationError(f"{ALLOW_VARIABLE}: {entry!r} is no target; write {ALLOW_SYNTAX}")
    return entries


def aws_url(service: Service, region: str) -> str:
    """The regional address of S3 or DynamoDB on AWS."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{service}.{region}.{suffix}"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
