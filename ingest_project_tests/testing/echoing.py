"""A server that answers with what it was asked, byte for byte: the standard library's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it arrived."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes


class Echo(ThreadingHTTPServer):
    """Answers 207 with the request's body and two cookies.

    Attributes:
        asked: All requests so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Echo

    def __getattr__(self, name: str) -> object:
        if name.startswith("do_"):
            return self._echo
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        """Nothing is said."""

    def _echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(Asked(self.requestline, self.headers.items(), body))
        self.send_response_only(207)
        for name, value in (
            ("Date", "Sun, 22 Nov 2026 12:00:00 GMT"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Own", "as it is"),
            ("Content-Type", "application/x-own"),
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "stays here"),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def echo() -> Iterator[Echo]:
    """The server, in a thread of its own."""
    server = Echo()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
