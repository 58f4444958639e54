"""Logins: Basic, and OAuth2 tokens that are fetched once, renewed in time and after a refusal."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from random import Random
from urllib.parse import parse_qs

import pytest

from ingest_project.core.errors import AccessRefused, PermanentFailure
from ingest_project.sources.rest_api import RestApi
from ingest_project.sources.rest_login import BasicLogin, TokenLogin
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.wire.answer import Answer


class TokenServer:
    """Gives t1, t2, ... for so many seconds each."""

    def __init__(self, clock: FakeClock, seconds: object = 3600, status: int = 200) -> None:
        self._clock, self._seconds, self._status = clock, seconds, status
        self.asked: list[tuple[Mapping[str, str], bytes]] = []

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        assert (method, target) == ("POST", "")
        self.asked.append((headers or {}, body))
        await self._clock.sleep(1.0)
        given = {"access_token": f"t{len(self.asked)}", "expires_in": self._seconds}
        return Answer(self._status, (), json.dumps(given).encode())

    async def aclose(self) -> None:
        pass


def login(server: TokenServer, clock: FakeClock, scope: str = "") -> TokenLogin:
    return TokenLogin(server, "me & co", "hunter:2", clock=clock, scope=scope)


def test_basic_access_sends_user_and_password_with_every_request() -> None:
    one = BasicLogin("me", "hunter-é")
    word = FakeClock().run(one.headers())["Authorization"].removeprefix("Basic ")
    assert b64decode(word).decode() == "me:hunter-é"
    assert not one.refused({})


def test_a_token_is_asked_for_once_however_many_need_it() -> None:
    clock = FakeClock()
    server = TokenServer(clock)
    one = login(server, clock, "wms all")

    async def many() -> set[str]:
        return {found["Authorization"] for found in await asyncio.gather(*(one.headers() for _ in range(5)))}

    assert clock.run(many()) == {"Bearer t1"}
    headers, body = server.asked[0]
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"], "scope": ["wms all"]}
    assert b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == "me+%26+co:hunter%3A2"
    assert len(server.asked) == 1


@pytest.mark.parametrize(("life", "kept"), [(3600, 3539.0), (100, 89.0)])
def test_a_token_is_renewed_before_it_ends(life: int, kept: float) -> None:
    clock = FakeClock()
    one = login(TokenServer(clock, life), clock)

    async def later(seconds: float) -> str:
        first = await one.headers()
        assert first["Authorization"] == "Bearer t1"
        await clock.sleep(seconds - 1.0)
        return (await one.headers())["Authorization"]

    assert clock.run(later(kept)) == "Bearer t1"
    assert clock.run(login_again(clock, life, kept + 1.5)) == "Bearer t2"


async def login_again(clock: FakeClock, life: int, seconds: float) -> str:
    one = login(TokenServer(clock, life), clock)
    await one.headers()
    await clock.sleep(seconds - 1.0)
    return (await one.headers())["Authorization"]


@pytest.mark.parametrize("given", [b"[]", b'{"token": "x"}', b"<html>"])
def test_an_answer_without_a_token_is_an_error(given: bytes) -> None:
    clock = FakeClock()

    class Odd(TokenServer):
        async def call(self, *_: object, **__: object) -> Answer:
            return Answer(200, (), given)

    with pytest.raises(PermanentFailure, match="OAuth2: the answer holds no token"):
        clock.run(login(Odd(clock), clock).headers())


def test_credentials_that_get_no_token_are_an_error_that_shows_no_secret() -> None:
    clock = FakeClock()
    with pytest.raises(PermanentFailure, match="OAuth2: HTTP 400") as caught:
        clock.run(login(TokenServer(clock, status=400), clock).headers())
    assert "hunter" not in str(caught.value)


class Guarded:
    """An API that lets only some tokens in."""

    def __init__(self, lets_in: Callable[[str], bool]) -> None:
        self._lets_in, self.seen = lets_in, list[str]()

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, *, name: str = ""
    ) -> Answer:
        word = (headers or {})["Authorization"]
        self.seen.append(word)
        if not self._lets_in(word):
            raise AccessRefused(f"{name}: HTTP 401", status=401)
        return Answer(200, (), b'["allocation"]')

    async def aclose(self) -> None:
        pass


def ask(lets_in: Callable[[str], bool]) -> list[str]:
    clock = FakeClock()
    guarded = Guarded(lets_in)
    one = login(TokenServer(clock), clock)
    api = RestApi(guarded, "https://x/y", one, clock=clock, sleep=clock.sleep, rng=Random(1))
    try:
        assert clock.run(api.entities()) == ("allocation",)
    except AccessRefused:
        guarded.seen.append("refused")
    return guarded.seen


def test_a_token_that_was_withdrawn_is_renewed_once() -> None:
    assert ask(lambda word: word == "Bearer t2") == ["Bearer t1", "Bearer t2"]


def test_a_second_refusal_is_final() -> None:
    assert ask(lambda word: False) == ["Bearer t1", "Bearer t2", "refused"]
