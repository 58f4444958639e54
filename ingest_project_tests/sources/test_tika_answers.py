"""What Tika's answers mean, from a server that gives them as they are wanted: whose fault is it?"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
from aiohttp import web

from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.errors import TransientFailure
from ingest_project.core.extracting import BROKEN, DIED, HTML, TOO_LONG, Unreadable
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sources.tika import HEALTH, TikaExtractor
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint


class Answers:
    """Stands for Tika: gives these statuses in turn, then the text.

    Attributes:
        seen: Headers of the documents that came.
    """

    def __init__(self, *statuses: int, text: bytes = b" ol\xc3\xa1 \r\n", packed: bool = False) -> None:
        self._statuses, self._text, self._packed = iter(statuses), text, packed
        self.seen: list[dict[str, str]] = []

    async def version(self, request: web.Request) -> web.Response:
        return web.Response(text="Apache Tika 3.3.2")

    async def document(self, request: web.Request) -> web.Response:
        await request.read()
        self.seen.append(dict(request.headers))
        status = next(self._statuses, 200)
        if status != 200:
            return web.Response(status=status)
        if self._packed:
            return web.Response(body=gzip.compress(self._text), headers={"Content-Encoding": "gzip"})
        return web.Response(body=self._text)

    @asynccontextmanager
    async def extractor(self, *, ocr: str = "", most: int = 1 << 20) -> AsyncIterator[TikaExtractor]:
        app = web.Application()
        app.router.add_get(HEALTH, self.version)
        app.router.add_put("/tika", self.document)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = GuardedClient(
            Endpoint(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout=20, most=1 << 16),
            retry=RetryPolicy(base=0, attempts=6),
            breaker=CircuitBreaker(time.monotonic, threshold=50),
            clock=time.monotonic,
            sleep=asyncio.sleep,
            rng=Random(1),
            limits=CallLimits(at_once=2),
            health=HEALTH,
        )
        try:
            async with client:
                yield TikaExtractor(client, ocr=ocr, most=most)
        finally:
            await runner.cleanup()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gazette.html"
    path.write_bytes(b"<html>")
    return path


@pytest.mark.parametrize("packed", [False, True])
async def test_a_text_is_decoded_and_tidied_packed_or_not(file: Path, packed: bool) -> None:
    async with Answers(packed=packed).extractor() as extractor:
        assert "olá" == await extractor.text(file, HTML)


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        (Answers(422), BROKEN),
        (Answers(415), BROKEN),
        (Answers(*[500] * 20), DIED),
        (Answers(text=b"x" * (1 << 17)), TOO_LONG),
        (Answers(text=b"x" * (1 << 21), packed=True), TOO_LONG),
    ],
)
async def test_what_is_the_documents_fault_is_named_so(file: Path, answers: Answers, cause: str) -> None:
    async with answers.extractor() as extractor:
        with pytest.raises(Unreadable) as caught:
            await extractor.text(file, HTML)
    assert cause == caught.value.cause


async def test_a_service_that_comes_back_in_time_is_no_fault_of_anyone(file: Path) -> None:
    async with Answers(503, 429, 502).extractor() as extractor:
        assert "olá" == await extractor.text(file, HTML)


async def test_a_service_that_stays_away_delays_the_document(file: Path) -> None:
    async with Answers(*[503] * 20).extractor() as extractor:
        with pytest.raises(TransientFailure, match="HTTP 503"):
            await extractor.text(file, HTML)


async def test_an_answer_without_content_is_an_empty_text(file: Path) -> None:
    async with Answers(204).extractor() as extractor:
        assert "" == await extractor.text(file, HTML)


@pytest.mark.parametrize(
    ("ocr", "expected"),
    [
        (
            "",
            {
                "X-Tika-OCRskipOcr": "true",
                "X-Tika-PDFOcrStrategy": "no_ocr",
                "X-Tika-Skip-Embedded": "true",
            },
        ),
        ("por", {"X-Tika-OCRLanguage": "por", "X-Tika-PDFOcrStrategy": "auto"}),
    ],
)
async def test_the_type_by_content_and_the_wish_for_ocr_are_told(
    file: Path, ocr: str, expected: dict[str, str]
) -> None:
    answers = Answers()
    async with answers.extractor(ocr=ocr) as extractor:
        await extractor.text(file, HTML)
    (headers,) = answers.seen
    told = {name: word for name, word in headers.items() if name.startswith("X-Tika")}
    assert (expected, "text/html", "gzip") == (told, headers["Content-Type"], headers["Accept-Encoding"])
    assert "text/plain" == headers["Accept"]
