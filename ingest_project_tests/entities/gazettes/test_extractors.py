"""Both extractors on the real files and on hostile ones: the same words, and every refusal with its cause."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.errors import ConfigurationError
from ingest_project.core.extracting import (
    BROKEN,
    DOC,
    DOCX,
    HTML,
    JPEG,
    ODT,
    PASSWORD,
    PDF,
    RTF,
    TOO_HUNGRY,
    TOO_LONG,
    TOO_SLOW,
    TXT,
    Extractor,
    Unreadable,
)
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sources.extract_workers import ExtractWorkers, WorkerLimits
from ingest_project.sources.kreuzberg_engine import kreuzberg
from ingest_project.sources.plain_text import PlainText
from ingest_project.sources.tika import HEALTH, TikaExtractor
from ingest_project.testing import document_files
from ingest_project.testing.gazette_files import KINDS, Gazettes
from ingest_project.testing.running import RunningServer
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint
from ingest_project_tests.entities.gazettes.archive import Archive
from ingest_project_tests.entities.gazettes.hostile import (
    REAL,
    docx_with_attachment,
    locked_pdf,
    real,
    swollen_docx,
    swollen_pdf,
)

WORDS = real("txt").decode().split()
LINES = ["ESTADO DE ALAGOAS", "PREFEITURA MUNICIPAL DE MACEIÓ", "Nomeação de José (3ª vez)"]


def client_of(url: str) -> GuardedClient:
    return GuardedClient(
        Endpoint(url, timeout=60),
        retry=RetryPolicy(base=0.1, cap=1.0, attempts=5),
        breaker=CircuitBreaker(time.monotonic),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(1),
        limits=CallLimits(at_once=4),
        health=HEALTH,
    )


@pytest.fixture(scope="module")
def workers() -> Iterator[ExtractWorkers]:
    made = ExtractWorkers(kreuzberg(), workers=1, limits=WorkerLimits(text=1 << 20))
    yield made
    asyncio.run(made.aclose())


@pytest.fixture(params=["in-process", pytest.param("tika", marks=pytest.mark.servers)])
async def extractor(request: pytest.FixtureRequest, workers: ExtractWorkers) -> AsyncIterator[Extractor]:
    if request.param == "in-process":
        yield workers
        return
    server: RunningServer = request.getfixturevalue("tika")
    async with client_of(server.url) as client:
        yield TikaExtractor(client, most=1 << 20)


def rtf(lines: Sequence[str]) -> bytes:
    escaped = "\\par ".join(lines).encode("ascii", "xmlcharrefreplace").decode()
    return re.sub(
        r"&#(\d+);", lambda found: f"\\'{int(found[1]):02x}", f"{{\\rtf1\\ansi {escaped}}}"
    ).encode()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.ledger.close()


async def refusal(extractor: Extractor, file: Path, kind: str) -> str:
    with pytest.raises(Unreadable) as caught:
        await extractor.text(file, kind)
    return caught.value.cause


@pytest.mark.parametrize("kind", [PDF, DOC, DOCX, ODT])
async def test_the_real_files_say_the_same_words(extractor: Extractor, kind: str) -> None:
    assert WORDS == (await extractor.text(REAL / f"fake_gazette.{kind}", kind)).split()


async def test_the_real_text_file_is_read_as_it_stands() -> None:
    assert " ".join(WORDS) == await PlainText().text(REAL / "fake_gazette.txt", TXT)


async def test_lines_stay_lines_whatever_the_file_is(extractor: Extractor, tmp_path: Path) -> None:
    files = {
        PDF: b"".join(document_files.pdf([LINES, LINES])),
        DOCX: document_files.docx(LINES),
        ODT: document_files.odt(LINES),
        HTML: document_files.html(LINES),
        RTF: rtf(LINES),
    }
    for kind, data in files.items():
        file = tmp_path / f"gazette.{kind}"
        file.write_bytes(data)
        lines = [line.strip() for line in (await extractor.text(file, kind)).splitlines() if line.strip()]
        pages = 2 if kind == PDF else 1
        assert [kind, *LINES * pages] == [kind, *lines[-len(LINES) * pages :]]


async def test_attachments_are_left_out(extractor: Extractor, tmp_path: Path) -> None:
    file = tmp_path / "gazette.docx"
    file.write_bytes(docx_with_attachment(document_files.docx(LINES)))
    assert WORDS == (await extractor.text(file, DOCX)).split()


@pytest.mark.parametrize(
    ("kind", "cause", "data"),
    [
        (PDF, BROKEN, b"%PDF-1.4 and no more"),
        (PDF, BROKEN, b"<html><body>404</body></html>"),
        (PDF, BROKEN, real("pdf")[:6000]),
        (DOCX, BROKEN, real("docx")[:3000]),
        (DOC, BROKEN, real("doc")[:3000]),
        (ODT, BROKEN, real("odt")[:5000]),
        (PDF, PASSWORD, locked_pdf(b"senha")),
    ],
)
async def test_a_file_that_cannot_be_read_is_named_by_its_cause(
    extractor: Extractor, tmp_path: Path, kind: str, cause: str, data: bytes
) -> None:
    file = tmp_path / "gazette"
    file.write_bytes(data)
    assert cause == await refusal(extractor, file, kind)


async def test_a_pdf_locked_against_copying_alone_is_read(extractor: Extractor, tmp_path: Path) -> None:
    file = tmp_path / "gazette.pdf"
    file.write_bytes(locked_pdf(b""))
    assert "segredo" == await extractor.text(file, PDF)


async def test_a_document_that_swells_is_refused_and_the_next_one_is_read(
    extractor: Extractor, tmp_path: Path
) -> None:
    file = tmp_path / "gazette.docx"
    file.write_bytes(swollen_docx(8 << 20))
    assert await refusal(extractor, file, DOCX) in (TOO_LONG, BROKEN)
    assert WORDS == (await extractor.text(REAL / "fake_gazette.pdf", PDF)).split()


@pytest.mark.parametrize(
    ("kind", "swollen", "limits", "cause"),
    [
        (DOCX, swollen_docx, WorkerLimits(memory=96 << 20), TOO_HUNGRY),
        (PDF, swollen_pdf, WorkerLimits(cpu=1), TOO_SLOW),
    ],
)
async def test_the_library_swells_and_burns_within_its_limits(
    tmp_path: Path, kind: str, swollen: Callable[[int], bytes], limits: WorkerLimits, cause: str
) -> None:
    file = tmp_path / "gazette"
    file.write_bytes(swollen(30 << 20))
    async with ExtractWorkers(kreuzberg(), workers=1, limits=limits) as workers:
        assert cause == await refusal(workers, file, kind)
        assert WORDS == (await workers.text(REAL / "fake_gazette.pdf", PDF)).split()


async def test_a_picture_has_no_text_without_ocr(tika: RunningServer) -> None:
    async with client_of(tika.url) as client:
        assert "" == await TikaExtractor(client).text(REAL / "fake_gazette.jpg", JPEG)


async def test_a_large_file_is_sent_in_pieces_and_a_long_text_is_refused(
    tika: RunningServer, tmp_path: Path
) -> None:
    file = tmp_path / "gazette.pdf"
    file.write_bytes(b"".join(document_files.pdf([LINES], ballast=3 << 20)))
    long = tmp_path / "long.html"
    long.write_bytes(document_files.html(["palavra " * 10] * 20_000))
    async with client_of(tika.url) as client:
        extractor = TikaExtractor(client, stream_from=1 << 20, most=1 << 20)
        assert LINES == (await extractor.text(file, PDF)).splitlines()
        assert TOO_LONG == await refusal(extractor, long, HTML)


async def test_another_release_of_tika_than_expected_is_no_source_of_texts(tika: RunningServer) -> None:
    async with client_of(tika.url) as client:
        with pytest.raises(ConfigurationError, match=r"Tika '3\..*expected is 2"):
            await TikaExtractor(client, expected="2").text(REAL / "fake_gazette.pdf", PDF)


async def test_what_changes_texts_is_in_an_extractors_version(tika: RunningServer) -> None:
    async with client_of(tika.url) as client:
        versions = {
            TikaExtractor(client, expected=one, ocr=ocr).version for one in "34" for ocr in ("", "por")
        }
    assert 4 == len(versions)
    assert kreuzberg().version.startswith("4.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
async def test_text_is_decoded_as_its_bytes_tell(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "gazette.txt"
    file.write_bytes("\r\n Ação nº 1\r\ncoração\0 \n".encode(encoding))
    if encoding in ("utf-8-sig", "utf-16"):
        assert "Ação nº 1\ncoração" == await PlainText().text(file, TXT)
    else:
        # A zero byte is in no text of one byte a letter.
        assert BROKEN == await refusal(PlainText(), file, TXT)
        file.write_bytes("\r\n Ação nº 1\r\ncoração \n".encode(encoding))
        assert "Ação nº 1\ncoração" == await PlainText().text(file, TXT)


async def test_a_text_file_that_is_too_long_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "gazette.txt"
    file.write_text("0123456789")
    assert TOO_LONG == await refusal(PlainText(most=9), file, TXT)


async def test_of_gazettes_of_all_kinds_each_text_is_the_truth_and_each_refusal_is_told(
    extractor: Extractor, archive: Archive
) -> None:
    made = Gazettes(count=len(KINDS) * 2, mix=dict.fromkeys(KINDS, 1))
    archive.handlers = {**dict.fromkeys((PDF, DOC, DOCX, ODT, RTF), extractor), TXT: PlainText()}
    rows = {gazette.number: gazette.row(gazette.checksum()) for gazette in made}
    documents = {
        gazette.number: archive.add(
            None if gazette.kind == "missing" else gazette.content(),
            path=gazette.path,
            checksum=str(rows[gazette.number]["file_checksum"]),
        )
        for gazette in made
    }
    await archive.run()
    early = {
        documents[gazette.number].id: (gazette.stage, gazette.cause)
        for gazette in made
        if gazette.stage in ("downloaded", "texts")
    }
    parked = archive.parked()
    assert early == {id: (stage, cause) for id, (stage, cause, _) in parked.items()}
    wrong = [
        (gazette.kind, gazette.number)
        for gazette in made
        if (document := documents[gazette.number]).id not in parked
        and gazette.words.split() != archive.text_of(document).split()
    ]
    assert [] == wrong
