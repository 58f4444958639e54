"""Connections to one origin within one event loop: bounded, kept alive, each request within its time.

Who waits for what is decided here; HTTP itself is spoken in exchange.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingest_project.wire.answer import Answer
from ingest_project.wire.exchange import Exchange

KEPT_SECONDS = 20.0
"""An idle connection is not used again after this time: servers and balancers close theirs after 30 to 60."""

CONNECT_SECONDS = 10.0

UNHEARD_SECONDS = 6.0
"""What the other machine has not acknowledged after this time is thrown away with its connection: it is the
last tenth of a lease, in which nothing is sent. Kept, it would arrive when a host that was cut off is back,
and somebody else has gone on with its work."""


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

    def head(self, method: str, target: str, headers: Mapping[str, str] | bytes, size: int) -> bytes:
        """Request line and headers. Raises ValueError when a value would break out of its line."""
        opening = _lines(f"{method} {self.prefix}{target} HTTP/1.1\r\n", self.host_line)
        if not isinstance(headers, bytes):
            headers = _lines(*(f"{name}: {value}\r\n" for name, value in headers.items()))
        return b"%b%bContent-Length: %d\r\n\r\n" % (opening, headers, size)


def _lines(*lines: str) -> bytes:
    text = "".join(lines)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("a line break within a request's target or headers")
    return text.encode("latin-1")


class Turns:
    """At most ``limit`` at a time; first come, first served. Who finds room does not wait."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Whether there was room."""
        if self._room <= 0 or self._waiting:
            return False
        self._room -= 1
        return True

    async def wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.give()
            else:
                self._waiting.remove(turn)
            raise

    def give(self) -> None:
        """What was taken goes to who waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._room += 1


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
        self._turns = Turns(limit)
        self._idle: list[Exchange] = []
        self._busy: set[Exchange] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str] | bytes, body: bytes | Upload, most: int
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
        if not self._turns.take():
            await self._turns.wait()
        exchange = None
        try:
            exchange = self._kept() or await self._connect()
            self._watch(exchange)
            waiting = exchange.ask(head, whole, most=most, bodyless=method == "HEAD")
            if isinstance(body, Upload):
                await self._feed(exchange, body, waiting)
            return await waiting
        except BaseException:
            if exchange is not None:
                exchange.close()
            raise
        finally:
            if exchange is not None:
                self._put_aside(exchange)
            self._turns.give()

    def _put_aside(self, exchange: Exchange) -> None:
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
                transport, exchange = await loop.create_connection(
                    lambda: Exchange(loop), origin.host, origin.port, ssl=self._tls
                )
                _throw_away_unheard(transport)
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


def _throw_away_unheard(transport: asyncio.BaseTransport) -> None:
    """Linux; elsewhere the system's own time holds, which is minutes."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        known: socket.socket = transport.get_extra_info("socket")
        known.setsockopt(socket.IPPROTO_TCP, option, int(UNHEARD_SECONDS * 1000))
