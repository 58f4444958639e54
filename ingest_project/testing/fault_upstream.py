"""The real service behind a fault server: requests go there as they came, answers come back as they are.

Bodies are held whole; what belongs to a connection (Connection, Transfer-Encoding ...) stays on its side.
"""

from __future__ import annotations

import io

import aiohttp
import yarl

from ingest_project.testing.fault_messages import Call, Headers, Reply

OF_A_CONNECTION = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
SILENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Upstream:
    """Where a proxy sends what it lets through.

    The client's Host goes with it: signatures cover it.

    Args:
        url: ``http://host:port``.
        timeout: Seconds for one request.
    """

    def __init__(self, url: str, *, timeout: float = 300.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def answer(self, call: Call) -> Reply:
        """What the service says; 502 when it cannot be reached."""
        session = self._session or self._open()
        url = yarl.URL(self._url + call.target, encoded=True)
        data = io.BytesIO(call.body) if call.body else None
        try:
            async with session.request(
                call.method, url, headers=_kept(call.headers), data=data, allow_redirects=False
            ) as response:
                body = await response.read()
                raw = response.raw_headers
        except (aiohttp.ClientError, OSError) as error:
            return Reply(502, f"upstream {self._url}: {type(error).__name__}: {error}".encode())
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in raw)
        # The answer to HEAD tells the length of what it does not send.
        kept = headers if call.method == "HEAD" else _kept(headers)
        return Reply(response.status, body, kept)

    async def aclose(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            skip_auto_headers=SILENT,
            auto_decompress=False,
        )
        return self._session


def _kept(headers: Headers) -> Headers:
    named = {
        name for key, value in headers if key.lower() == "connection" for name in value.lower().split(",")
    }
    dropped = OF_A_CONNECTION | {name.strip() for name in named}
    return tuple(pair for pair in headers if pair[0].lower() not in dropped)
