"""RestApi over answers that a test plays, in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ingest_project.sources.rest_api import PagingRules, RestApi
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.wire.answer import Answer

BASE = "https://wms.example/main/wms/lgfapi/v10"
T = TypeVar("T")


def answer(content: object, status: int = 200) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, (), body)


def row(number: int, second: int = 0) -> dict[str, object]:
    moment = f"2026-07-03T10:15:{second:02}.000000-03:00"
    return {"id": number, "mod_ts": moment, "alloc_qty": "12.0000", "wave_id": {"id": 7, "key": "W7"}}


def rows(*ids: int, **more: object) -> dict[str, object]:
    return {"next_page": None, "previous_page": None, "results": [row(number) for number in ids], **more}


class Played:
    """A client whose answers are played, one a call; the last goes on for ever."""

    def __init__(self, clock: FakeClock, *answers: Answer, seconds: float = 0.1) -> None:
        self._clock, self._answers, self._seconds = clock, list(answers), seconds
        self.targets: list[str] = []
        self.headers: list[Mapping[str, str]] = []

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, *, name: str = ""
    ) -> Answer:
        assert (method, name) == ("GET", f"GET {BASE}{target}")
        self.targets.append(target)
        self.headers.append(headers or {})
        await self._clock.sleep(self._seconds)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def aclose(self) -> None:
        self.targets.append("closed")


class Nobody:
    """A login that says nothing."""

    async def headers(self) -> Mapping[str, str]:
        return {}

    def refused(self, headers: Mapping[str, str]) -> bool:
        return False

    async def aclose(self) -> None:
        pass


class Case:
    """An API over played answers; ``ask`` runs one verb in virtual time."""

    def __init__(self, *answers: Answer, rules: PagingRules | None = None, seconds: float = 0.1) -> None:
        self.clock = FakeClock()
        self.played = Played(self.clock, *answers, seconds=seconds)
        self.api = RestApi(
            self.played, BASE, Nobody(), clock=self.clock, sleep=self.clock.sleep, rng=Random(1), rules=rules
        )

    def ask(self, verb: Callable[[RestApi], Coroutine[Any, Any, T]]) -> T:
        return self.clock.run(verb(self.api))

    def query(self, number: int = 0) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.played.targets[number]).query))


KEYSET = {"ordering": "-id", "id__lt": "100"}
