"""Who asks the API: Basic, or OAuth2 with tokens that are renewed before they end and after a refusal.

Secrets stay here: no message and no text of an object shows one.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote_plus, urlencode

from ingest_project.core.errors import PermanentFailure
from ingest_project.sources.rest_bodies import explain, token
from ingest_project.wire.answer import Answer

AHEAD_SECONDS, AHEAD_SHARE = 60.0, 0.1
"""A token is renewed so long before it ends, or a tenth of its life before."""


class Poster(Protocol):
    """What GuardedClient does."""

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer: ...

    async def aclose(self) -> None: ...


class BasicLogin:
    """User and password with every request."""

    def __init__(self, user: str, password: str) -> None:
        self._headers = {"Authorization": f"Basic {_pair(user, password)}"}

    async def headers(self) -> Mapping[str, str]:
        """See rest_api.Login."""
        return self._headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Another try would say the same."""
        return False

    async def aclose(self) -> None:
        """Nothing is open."""


class TokenLogin:
    """OAuth2 by client credentials: one token for all requests, fetched by whoever needs it first.

    Args:
        client: Its endpoint's URL is where tokens are given.
        clock: Seconds.
    """

    def __init__(
        self,
        client: Poster,
        client_id: str,
        client_secret: str,
        *,
        clock: Callable[[], float],
        scope: str = "",
    ) -> None:
        self._client, self._clock, self._scope = client, clock, scope
        # RFC 6749 wants both form-encoded before they are joined.
        self._pair = _pair(quote_plus(client_id), quote_plus(client_secret))
        self._headers: Mapping[str, str] = {}
        self._until = 0.0
        self._door = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """See rest_api.Login.

        Raises:
            PermanentFailure: No token is given to these credentials.
            TransientFailure: The tries are used up.
        """
        async with self._door:
            if not self._headers or self._clock() >= self._until:
                await self._renew()
            return self._headers

    def refused(self, headers: Mapping[str, str]) -> bool:
        """The token may have been withdrawn before its time: the next request gets another one."""
        if headers.get("Authorization") == self._headers.get("Authorization"):
            self._headers = {}
        return True

    async def aclose(self) -> None:
        """Close the connections to where tokens are given."""
        await self._client.aclose()

    async def _renew(self) -> None:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        headers = {
            "Authorization": f"Basic {self._pair}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        asked = self._clock()
        answer = await self._client.call("POST", "", headers, urlencode(form).encode())
        if answer.status != 200:
            raise PermanentFailure(f"OAuth2: HTTP {answer.status}: {explain(answer)}")
        try:
            word, seconds = token(answer.body)
        except ValueError as error:
            raise PermanentFailure(f"OAuth2: the answer holds no token: {error}") from error
        self._headers = {"Authorization": f"Bearer {word}"}
        # Without a given life a token is used until it is refused.
        life = seconds - min(AHEAD_SECONDS, AHEAD_SHARE * seconds) if seconds > 0 else float("inf")
        self._until = asked + life


def _pair(name: str, secret: str) -> str:
    return b64encode(f"{name}:{secret}".encode()).decode()
