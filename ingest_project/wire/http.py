"""One HTTP endpoint with kept-alive connections: bytes out, bytes in, trouble named by its consequence.

No retry, no vendor knowledge. The exceptions of asyncio and TLS end here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Self, TypeVar

from ingest_project.core.errors import (
    AnswerTooLarge,
    ConfigurationError,
    PermanentFailure,
    TransientFailure,
    Unreachable,
)
from ingest_project.wire.answer import Answer
from ingest_project.wire.exchange import TooMuch
from ingest_project.wire.pool import NoConnection, Origin, Pool, Upload

__all__ = ["Answer", "Endpoint", "Upload", "run"]

MOST_ANSWER = 256 * 1024 * 1024

T = TypeVar("T")


class Endpoint:
    """A service's base URL and the connections to it. Use as ``async with`` or call ``aclose``.

    TLS certificates are always verified; ``tls`` carries a private authority where there is one.

    Args:
        url: ``http(s)://host[:port][/prefix]``, without credentials.
        connections: Most connections at a time; make it the number of requests in flight.
        timeout: Seconds for one whole request.
        tls: Context to verify with, instead of the system's.
        most: Largest answer that is taken, in bytes.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = 64,
        timeout: float = 60.0,
        tls: ssl.SSLContext | None = None,
        most: int = MOST_ANSWER,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"endpoint {url!r}: expected http://host[:port] or https://host[:port]")
        self.url = url.rstrip("/")
        self._connections, self._timeout, self._tls, self._most = connections, timeout, tls, most
        self._pool: Pool | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the next request opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    async def send(
        self, method: str, target: str, headers: Mapping[str, str] | bytes, body: bytes | Upload = b""
    ) -> Answer:
        """One request.

        Args:
            target: The encoded path and query behind the base URL.
            headers: By name; or ready lines of the head, each with its line break.

        Raises:
            Unreachable: No connection could be made.
            TransientFailure: No complete answer came; the request may or may not have taken effect.
            AnswerTooLarge: It is larger than this endpoint takes.
            PermanentFailure: The server's certificate is not trusted, or the two sides do not agree on TLS.
        """
        pool = self._pool
        if pool is None or pool.origin.url != self.url or pool.loop is not asyncio.get_running_loop():
            pool = self._pool = Pool(
                Origin.of(self.url), limit=self._connections, timeout=self._timeout, tls=self._tls
            )
        try:
            answer = await pool.ask(method, target, headers, body, self._most)
        except ssl.SSLCertVerificationError as error:
            raise PermanentFailure(f"{self.url}: certificate not trusted: {error}") from error
        except ssl.SSLError as error:
            raise PermanentFailure(f"{self.url}: TLS: {error}") from error
        except NoConnection as error:
            raise Unreachable(f"{self.url}: {error}") from error
        except TooMuch as error:
            raise AnswerTooLarge(f"{self.url}: {error}") from error
        except TimeoutError as error:
            raise TransientFailure(f"{self.url}: no answer within {self._timeout:g} s") from error
        except OSError as error:
            raise TransientFailure(f"{self.url}: {type(error).__name__}: {error}") from error
        return answer


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """``asyncio.run`` on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
