"""One HTTP/1.1 connection over asyncio's transports: a request in one write, a response parsed by httptools.

Knows no address, no retry and no vendor; who may use which connection is decided in http.py.
"""

from __future__ import annotations

import asyncio
from typing import cast

from httptools import HttpParserError, HttpResponseParser

from ingest_project.wire.answer import Answer

MOST_HEADERS = 256 * 1024
"""Bytes of a response's headers; nobody sends as many in earnest."""

_SIZED = frozenset((b"content-length", b"transfer-encoding"))
_SIZES = frozenset(map(len, _SIZED))


class Broken(ConnectionError):
    """The connection ended, or what it brought is not HTTP, before the answer was complete."""


class TooMuch(Exception):
    """The answer is larger than the caller takes."""


class Exchange(asyncio.Protocol):
    """One connection, one request at a time.

    Attributes:
        usable: The connection is open and was left clean by the last answer.
        idle_since: Loop time at which it was last put aside.
        deadline: Loop time by which the present answer must be complete.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.idle_since = self.deadline = 0.0
        self.usable = self._bodyless = self._to_the_end = False
        self._parser = HttpResponseParser(self)
        self._most = 0
        self._forget()

    def _forget(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._blocks: list[bytes] = []
        self._size = self._header_size = 0
        self._sized = False

    def ask(self, head: bytes, body: bytes, *, most: int, bodyless: bool = False) -> asyncio.Future[Answer]:
        """Send a request in one write. The future fails with Broken, TooMuch or what ``abort`` was given.

        Args:
            most: Largest body of the answer that is taken, in bytes.
            bodyless: The answer has no body whatever its headers say (HEAD).
        """
        self.usable, self._bodyless, self._most = False, bodyless, most
        answer = self._answer = self._loop.create_future()
        if self._transport is None or self._headers or self._blocks:
            answer.set_exception(Broken("the connection was closed before the request was sent"))
        else:
            self._transport.writelines((head, body))
        return answer

    async def more(self, block: bytes) -> None:
        """Send another piece of the request's body, no faster than the other side takes it."""
        if self._transport is not None:
            self._transport.write(block)
        await self._flowing.wait()

    def abort(self, error: Exception) -> None:
        """End the connection at once; a waiting caller gets ``error``."""
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport, self.usable = None, False
        self._flowing.set()
        if self._answer is None or self._answer.done():
            return
        if self._to_the_end and error is None:
            self.on_message_complete()
            return
        heard = self._size + self._header_size
        when = f"after {heard} bytes of an answer" if heard else "before an answer came"
        self._answer.set_exception(Broken(f"connection closed {when}" + (f": {error}" if error else "")))

    def pause_writing(self) -> None:
        self._flowing.clear()

    def resume_writing(self) -> None:
        self._flowing.set()

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.abort(Broken(f"not an HTTP answer: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))
        self._header_size += len(name) + len(value) + 4
        if len(name) in _SIZES and name.lower() in _SIZED:
            self._sized = True
        if self._header_size > MOST_HEADERS:
            self.abort(TooMuch(f"the answer has more than {MOST_HEADERS} bytes of headers"))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._bodyless and status >= 200:
            self._complete(keep=False)
            return
        self._to_the_end = not self._sized and status >= 200 and status not in (204, 304)

    def on_body(self, block: bytes) -> None:
        self._blocks.append(block)
        self._size += len(block)
        if self._size > self._most:
            self.abort(TooMuch(f"the answer is larger than {self._most} bytes"))

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            # 100 Continue and its like: the answer itself is still to come.
            self._forget()
            return
        self._complete(keep=not self._to_the_end and self._parser.should_keep_alive())

    def _complete(self, *, keep: bool) -> None:
        if self._answer is None or self._answer.done():
            return
        body = self._blocks[0] if len(self._blocks) == 1 else b"".join(self._blocks)
        status = self._parser.get_status_code()
        self._answer.set_result(Answer(status, self._headers, body, keep=keep))
        self._forget()
        self.usable = keep
        if not keep:
            self.close()
