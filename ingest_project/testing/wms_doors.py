"""Who may ask the simulated API: Basic with one user, OAuth2 tokens with an expiry, closed entities.

No HTTP server; time is an argument.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

from ingest_project.testing.fault_messages import Call, Reply, json_reply
from ingest_project.testing.wms_errors import Refused
from ingest_project.testing.wms_ids import mixed

USER, PASSWORD = "demo", "demo"
GRANTS = ("password", "client_credentials", "refresh_token")


class Doors:
    """Checks every request; without a user and without a client all may ask.

    Args:
        user, password: For Basic, and for the password grant.
        client, secret: For the token endpoint; without them there is none.
        lasts: Seconds that a token is good for.
        early: Seconds by which a token ends before it said it would.
        closed: Entities that this user may not read.
    """

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        client: str = "",
        secret: str = "",
        lasts: float = 3600.0,
        early: float = 0.0,
        closed: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._user, self._client = (user, password), (client, secret)
        self._lasts, self._early, self._clock, self.closed = lasts, early, clock, frozenset(closed)
        self._tokens: dict[str, float] = {}
        self._renewals: set[str] = set()
        self.issued = 0

    def check(self, call: Call) -> None:
        """Let a request pass.

        Raises:
            Refused: 401.
        """
        if not self._user[0] and not self._client[0]:
            return
        kind, _, said = call.header("Authorization").partition(" ")
        if kind.lower() == "basic" and self._user[0]:
            if _pair(said) == self._user:
                return
            raise Refused(401, "Invalid username/password.")
        if kind.lower() == "bearer" and self._client[0]:
            if self._clock() < self._tokens.get(said.strip(), -1.0):
                return
            raise Refused(401, "The access token is invalid or has expired.")
        raise Refused(401, "Authentication credentials were not provided.")

    def revoke(self) -> None:
        """No token that was given is good any more."""
        self._tokens.clear()

    def token(self, call: Call) -> Reply:
        """The token endpoint's answer, in OAuth2's own form."""
        if call.method != "POST":
            return _denied(405, "invalid_request")
        said = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
        kind, _, text = call.header("Authorization").partition(" ")
        client = (
            _pair(text) if kind.lower() == "basic" else (said.get("client_id"), said.get("client_secret"))
        )
        if not self._client[0] or client != self._client:
            return _denied(401, "invalid_client")
        grant = said.get("grant_type", "")
        if grant not in GRANTS:
            return _denied(400, "unsupported_grant_type")
        if grant == "password" and (said.get("username"), said.get("password")) != self._user:
            return _denied(400, "invalid_grant")
        if grant == "refresh_token" and said.get("refresh_token") not in self._renewals:
            return _denied(400, "invalid_grant")
        return self._issue(grant)

    def _issue(self, grant: str) -> Reply:
        self.issued += 1
        token, renewal = (f"{mixed(self.issued, salt):016x}{self.issued:04x}" for salt in (1, 2))
        self._tokens[token] = self._clock() + self._lasts - self._early
        said: dict[str, object] = {
            "access_token": token,
            "expires_in": int(self._lasts),
            "token_type": "Bearer",
            "scope": "read write",
        }
        if grant != "client_credentials":
            self._renewals.add(renewal)
            said["refresh_token"] = renewal
        return json_reply(200, said)


def _pair(text: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _denied(status: int, error: str) -> Reply:
    return json_reply(status, {"error": error})
