"""Connections to one origin within one event loop: bounded, kept alive, each request within its time.

Who waits for what is decided here; HTTP itself is spoken in exchange.py.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingest_project.wire.answer import Answer
from ingest_project.wire.exchange import Exchange

KEPT_SECONDS = 20.0
"""An idle connection is not used again after this time: servers and balancers close theirs after 30 to 60."""

CONNECT_SECONDS = 10.0


class NoConnection(ConnectionError):
    """Nothing was sent: there is no connection to send it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A request body that is sent while it is read.

    Attributes:
        size: Bytes in all.
        blocks: Made anew for each request; their lengths add up to ``size``.
    """

    size: int
    blocks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go: address, and the words that each request's head repeats."""

    url: str
    host: str
    port: int
    secure: bool
    prefix: str
    host_line: str

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of a base URL. Raises ValueError."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        usual = 443 if secure else 80
        name, port = parts.hostname or "", parts.port or usual
        shown = f"[{name}]" if ":" in name else name
        host = shown if port == usual else f"{shown}:{port}"
        return cls(url, name, port, secure, parts.path.rstrip("/"), f"Host: {host}\r\n")

    def head(self, method: str, target: str, headers: Mapping[str, str], size: int) -> bytes:
        """Request line and headers. Raises ValueError when a value would break out of its line."""
        lines = [f"{method} {self.prefix}{target} HTTP/1.1\r\n", self.host_line]
        lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
        lines.append(f"Content-Length: {size}\r\n\r\n")
        text = "".join(lines)
        if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
            raise ValueError("a line break within a request's target or headers")
        return text.encode("latin-1")


class Pool:
    """At most ``limit`` connections at a time; further requests wait for their turn.

    Args:
        timeout: Seconds for one whole request, from its turn on.
        tls: Context to verify with, instead of the system's.
    """

    def __init__(self, origin: Origin, *, limit: int, timeout: float, tls: ssl.SSLContext | None) -> None:
        self.origin, self.loop = origin, asyncio.get_running_loop()
        self._timeout = timeout
        self._tls = (tls or ssl.create_default_context()) if origin.secure else None
        self._turns = asyncio.Semaphore(limit)
        self._idle: list[Exchange] = []
        self._busy: set[Exchange] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Upload, most: int
    ) -> Answer:
        """One request.

        Raises:
            NoConnection: Nothing was sent.
            ssl.SSLError: The two sides do not agree on TLS.
            TimeoutError, OSError: No complete answer came.
            TooMuch: The answer is larger than ``most`` bytes.
        """
        whole = body if isinstance(body, bytes) else b""
        size = len(whole) if isinstance(body, bytes) else body.size
        head = self.origin.head(method, target, headers, size)
        async with self._turns:
            exchange = self._kept() or await self._connect()
            self._watch(exchange)
            try:
                waiting = exchange.ask(head, whole, most=most, bodyless=method == "HEAD")
                if isinstance(body, Upload):
                    await self._feed(exchange, body, waiting)
                return await waiting
            except BaseException:
                exchange.close()
                raise
            finally:
                self._busy.discard(exchange)
                if exchange.usable:
                    exchange.idle_since = self.loop.time()
                    self._idle.append(exchange)

    async def aclose(self) -> None:
        """Close all connections; what is in flight fails."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for exchange in [*self._idle, *self._busy]:
            exchange.close()
        self._idle.clear()
        # The transports close in the next turns of the loop; TLS needs some to say goodbye.
        await asyncio.sleep(0.05 if self.origin.secure else 0)

    async def _feed(self, exchange: Exchange, body: Upload, waiting: asyncio.Future[Answer]) -> None:
        """Send the body until it ends or the server has answered: it may refuse without hearing all."""
        async for block in body.blocks:
            if waiting.done():
                exchange.usable = False
                return
            await exchange.more(block)

    def _kept(self) -> Exchange | None:
        oldest = self.loop.time() - KEPT_SECONDS
        while self._idle:
            exchange = self._idle.pop()
            if exchange.usable and exchange.idle_since > oldest:
                return exchange
            exchange.close()
        return None

    async def _connect(self) -> Exchange:
        origin, loop = self.origin, self.loop
        seconds = min(CONNECT_SECONDS, self._timeout)
        try:
            async with asyncio.timeout(seconds):
                _, exchange = await loop.create_connection(
                    lambda: Exchange(loop), origin.host, origin.port, ssl=self._tls
                )
        except ssl.SSLEOFError as error:
            # A server that goes away meanwhile; every other trouble with TLS is one of configuration.
            raise NoConnection(f"TLS: {error}") from error
        except ssl.SSLError:
            raise
        except TimeoutError as error:
            raise NoConnection(f"no connection within {seconds:g} s") from error
        except OSError as error:
            raise NoConnection(f"{type(error).__name__}: {error}") from error
        return exchange

    def _watch(self, exchange: Exchange) -> None:
        exchange.deadline = self.loop.time() + self._timeout
        self._busy.add(exchange)
        if self._sweeper is None:
            # One timer for all requests: a timer each would cost as much as the parsing of an answer.
            self._sweeper = self.loop.call_later(min(1.0, self._timeout / 10), self._sweep)

    def _sweep(self) -> None:
        now, self._sweeper = self.loop.time(), None
        for exchange in [one for one in self._busy if one.deadline <= now]:
            exchange.abort(TimeoutError("no complete answer"))
        if self._busy:
            self._sweeper = self.loop.call_later(min(1.0, self._timeout / 10), self._sweep)
