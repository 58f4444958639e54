"""One HTTP endpoint with kept-alive connections: bytes out, bytes in, trouble named by its consequence.

No retry, no vendor knowledge; aiohttp is imported at the first request only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ingest_project.core.errors import ConfigurationError, PermanentFailure, TransientFailure

if TYPE_CHECKING:
    import ssl

    import aiohttp
    import yarl

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete response. Header names are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, from its Retry-After header (seconds or a date)."""
        value = self.headers.get("Retry-After", "").strip()
        if not value:
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            return _until(value, self.date or datetime.now(UTC))

    @property
    def date(self) -> datetime | None:
        """The server's clock, from its Date header."""
        return _moment(self.headers.get("Date", ""))

    def excerpt(self) -> str:
        """The body's beginning, for messages."""
        return self.body[:500].decode("utf-8", "replace")


class Endpoint:
    """A service's base URL and the connections to it. Use as ``async with`` or call ``aclose``.

    TLS certificates are always verified; ``tls`` carries a private authority where there is one.

    Args:
        url: ``http(s)://host[:port][/prefix]``, without credentials.
        connections: Most connections at a time; make it the number of requests in flight.
        timeout: Seconds for one whole request.
        tls: Context to verify with, instead of the system's.
    """

    def __init__(
        self, url: str, *, connections: int = 64, timeout: float = 60.0, tls: ssl.SSLContext | None = None
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"endpoint {url!r}: expected http://host[:port] or https://host[:port]")
        self.url = url.rstrip("/")
        self._connections = connections
        self._timeout = timeout
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request. ``target`` is the encoded path and query behind the base URL.

        Raises:
            TransientFailure: No complete answer came; the request may or may not have taken effect.
            PermanentFailure: The server's certificate is not trusted.
        """
        import aiohttp

        session = self._session
        if session is None or self._loop is not asyncio.get_running_loop():
            session = self._open()
        try:
            async with session.request(
                method, _parsed(self.url + target), data=body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(status=response.status, headers=response.headers, body=await response.read())
        except aiohttp.ClientConnectorCertificateError as error:
            raise PermanentFailure(
                f"{self.url}: certificate not trusted: {error.certificate_error}"
            ) from error
        except TimeoutError as error:
            raise TransientFailure(f"{self.url}: no answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientFailure(f"{self.url}: {type(error).__name__}: {error}") from error

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._loop = asyncio.get_running_loop()
        connector = aiohttp.TCPConnector(
            limit=self._connections, ssl=self._tls if self._tls is not None else True, keepalive_timeout=20.0
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(10.0, self._timeout)),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
        )
        return self._session


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """``asyncio.run`` on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


@lru_cache(maxsize=256)
def _parsed(url: str) -> yarl.URL:
    import yarl

    return yarl.URL(url, encoded=True)


def _moment(value: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _until(value: str, now: datetime) -> float | None:
    moment = _moment(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())
