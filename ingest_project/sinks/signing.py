"""SigV4 signatures for requests of one fixed shape: what does not change is computed once.

Credentials come from outside (botocore's refreshable ones, or static keys); nothing is sent from here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, urlsplit

from ingest_project.core.errors import ConfigurationError

ALGORITHM = "AWS4-HMAC-SHA256"
RENEW_SECONDS = 60.0


class Keys(Protocol):
    """One consistent set of access keys (botocore's ReadOnlyCredentials, or StaticCredentials)."""

    @property
    def access_key(self) -> str | None: ...

    @property
    def secret_key(self) -> str | None: ...

    @property
    def token(self) -> str | None: ...


class Credentials(Protocol):
    """Where keys come from. ``get_frozen_credentials`` may block while it refreshes them."""

    def get_frozen_credentials(self) -> Keys: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCredentials:
    """Fixed keys: local services and tests; spares the import of botocore."""

    access_key: str
    secret_key: str
    token: str | None = None

    def get_frozen_credentials(self) -> Keys:
        return self


def chain_credentials(profile: str | None = None) -> Credentials:
    """Credentials of botocore's provider chain (files, roles, containers, instance metadata), refreshable.

    Raises:
        ConfigurationError: No provider has credentials.
    """
    from botocore.session import Session

    found: Credentials | None = Session(profile=profile).get_credentials()
    if found is None:
        raise ConfigurationError("no AWS credentials: no provider of the credential chain has any")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What stays the same from request to request.

    Attributes:
        url: Scheme, host, path and query as sent (percent-encoded).
        headers: Headers to sign beside host, date and token; (name, value) pairs.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def host(self) -> str:
        """The Host header: without the port when it is the scheme's own."""
        parts = urlsplit(self.url)
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        name = parts.hostname or ""
        name = f"[{name}]" if ":" in name else name
        return name if parts.port in (None, usual) else f"{name}:{parts.port}"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Canonical request of a shape, cut open where the date and the body's hash belong."""

    before_date: bytes
    after_date: bytes
    signed: str
    fixed: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Ready:
    """A shape's canonical request and header lines of one second, up to the body's hash and the signature."""

    moment: _Moment
    canonical: bytes
    lines: bytes


@dataclass(frozen=True, slots=True)
class _Moment:
    """Everything that holds for one second: stamp, scope and the day's signing key."""

    second: int
    stamp: str
    scope: str
    prefix: bytes
    key: bytes


class Signer:
    """Signs bodies for one service and region; follows refreshed credentials and a corrected clock.

    Args:
        credentials: Asked again once a minute (botocore refreshes ten minutes before keys expire).
        now: Wall clock, seconds since the epoch.
    """

    def __init__(
        self, credentials: Credentials, *, region: str, service: str, now: Callable[[], float] = time.time
    ) -> None:
        self._credentials = credentials
        self._region = region
        self._service = service
        self._now = now
        self._keys: StaticCredentials | None = None
        self._asked = 0.0
        self._moment: _Moment | None = None
        self._prepared: dict[Shape, _Prepared] = {}
        self._ready: dict[Shape, _Ready] = {}
        self.offset = 0.0

    @property
    def time(self) -> float:
        """Seconds since the epoch as the service sees them, as far as known."""
        return self._now() + self.offset

    @property
    def keys(self) -> StaticCredentials:
        """The keys in use."""
        return self._keys or self.renew()

    def renew(self) -> StaticCredentials:
        """Ask for credentials now; forgets what was derived from older ones. May block."""
        return self._adopt(self._credentials.get_frozen_credentials())

    def _adopt(self, found: Keys) -> StaticCredentials:
        self._asked = self._now()
        if not found.access_key or not found.secret_key:
            raise ConfigurationError("the AWS credentials have no access key or no secret key")
        keys = StaticCredentials(
            access_key=found.access_key, secret_key=found.secret_key, token=found.token or None
        )
        if self._keys != keys:
            self._keys = keys
            self._moment = None
            self._prepared.clear()
            self._ready.clear()
        return self._keys

    @property
    def stale(self) -> bool:
        """Whether ``fresh`` has something to do."""
        return self._keys is None or self._now() - self._asked > RENEW_SECONDS

    async def fresh(self) -> None:
        """Keep the credentials fresh without blocking the event loop. Call before ``sign``."""
        if self._keys is None:
            self.renew()
        elif self.stale:
            self._asked = self._now()
            self._adopt(await asyncio.to_thread(self._credentials.get_frozen_credentials))

    def sign(self, shape: Shape, body: bytes) -> dict[str, str]:
        """All headers that the request must carry (beside Host and Content-Length)."""
        lines = self.lines(shape, body).decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines[:-1])
        return {name: value for name, _, value in pairs}

    def lines(self, shape: Shape, body: bytes) -> bytes:
        """The same as ``sign`` as lines of a request's head, each with its line break.

        Raises:
            ConfigurationError: A header or the keys hold a line break.
        """
        moment = self._now_moment(self.keys)
        ready = self._ready.get(shape)
        if ready is None or ready.moment is not moment:
            ready = self._make_ready(shape, moment)
        payload = hashlib.sha256(body).hexdigest().encode()
        text = moment.prefix + hashlib.sha256(ready.canonical + payload).hexdigest().encode()
        return b"%b%b\r\n" % (ready.lines, hmac.digest(moment.key, text, "sha256").hex().encode())

    def _make_ready(self, shape: Shape, moment: _Moment) -> _Ready:
        keys = self.keys
        prepared = self._prepared.get(shape) or self._prepare(shape, keys)
        canonical = prepared.before_date + moment.stamp.encode() + prepared.after_date
        headers = prepared.fixed | {"X-Amz-Date": moment.stamp}
        headers["Authorization"] = (
            f"{ALGORITHM} Credential={keys.access_key}/{moment.scope}, "
            f"SignedHeaders={prepared.signed}, Signature="
        )
        lines = "\r\n".join(f"{name}: {value}" for name, value in headers.items()).encode("latin-1")
        if lines.count(b"\n") != len(headers) - 1 or lines.count(b"\r") != len(headers) - 1:
            raise ConfigurationError("a header to be signed, or a key to sign with, holds a line break")
        if len(self._ready) >= 256:
            self._ready.clear()
        ready = self._ready[shape] = _Ready(moment, canonical, lines)
        return ready

    def _now_moment(self, keys: StaticCredentials) -> _Moment:
        second = int(self.time)
        moment = self._moment
        if moment is None or moment.second != second:
            moment = self._moment = self._make_moment(second, keys, moment)
        return moment

    def _make_moment(self, second: int, keys: StaticCredentials, last: _Moment | None) -> _Moment:
        stamp = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        if last is not None and last.scope == scope:
            key = last.key
        else:
            key = b"AWS4" + keys.secret_key.encode()
            for word in scope.split("/"):
                key = hmac.digest(key, word.encode(), "sha256")
        prefix = f"{ALGORITHM}\n{stamp}\n{scope}\n".encode()
        return _Moment(second, stamp, scope, prefix, key)

    def _prepare(self, shape: Shape, keys: StaticCredentials) -> _Prepared:
        headers = {name.lower(): " ".join(value.split()) for name, value in shape.headers}
        headers["host"] = shape.host
        fixed = dict(shape.headers)
        if keys.token:
            headers["x-amz-security-token"] = keys.token
            fixed["X-Amz-Security-Token"] = keys.token
        headers["x-amz-date"] = "\0"
        names = sorted(headers)
        signed = ";".join(names)
        lines = "".join(f"{name}:{headers[name]}\n" for name in names)
        parts = urlsplit(shape.url)
        path, query = canonical_path(parts.path), canonical_query(parts.query)
        before, after = f"{shape.method}\n{path}\n{query}\n{lines}\n{signed}\n".encode().split(b"\0")
        if len(self._prepared) >= 256:
            self._prepared.clear()
        prepared = self._prepared[shape] = _Prepared(before, after, signed, fixed)
        return prepared


def canonical_path(path: str) -> str:
    """The path as SigV4 signs it for services other than S3: dots resolved, encoded once more."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    closing = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{closing}", safe="/~")


def canonical_query(query: str) -> str:
    """Parameters sorted by name and value, as they are encoded in the URL."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return "&".join(f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs))
