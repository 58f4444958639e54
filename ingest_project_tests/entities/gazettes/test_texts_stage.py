"""Stage ``texts``: once for each content and extractor, only what is due, and every refusal parked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_project.core.errors import ConfigurationError, TransientFailure
from ingest_project.core.extracting import BROKEN, HTML, PDF, TXT, Unreadable
from ingest_project.entities.gazettes.texts import Texts
from ingest_project.resources.documents.transfers import Transfers
from ingest_project.sinks.texts import TextStore
from ingest_project.testing import document_files
from ingest_project_tests.entities.gazettes.archive import Archive, Reader
from ingest_project_tests.entities.gazettes.hostile import real, swollen_docx

PAGE = b"<html><body>ola</body></html>"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path)
    yield made
    made.ledger.close()


async def test_a_text_lies_beside_the_key_of_its_file_and_its_mark_tells_of_it(archive: Archive) -> None:
    document = archive.add("Diário".encode(), path="2700000/2026-01-05/ab12.pdf")
    report = await archive.run()
    mark = archive.mark(document)
    assert (1, "Diário") == (report.done, archive.text_of(document))
    assert f"{archive.texts.name}/2700000/2026-01-05/ab12.txt" == mark.facts["uri"]
    assert {"bytes": "7", "type": TXT, "extractor": "reader 1"} == {
        name: word for name, word in mark.facts.items() if name != "uri"
    }
    assert hashlib.sha256("Diário".encode()).hexdigest() == mark.output


async def test_a_second_run_extracts_nothing_and_reads_no_file(archive: Archive) -> None:
    for number in range(5):
        archive.add(b"text %d" % number)
    await archive.run()
    calls, reads = len(archive.reader.calls), archive.files.pieces
    report = await archive.run()
    assert (5, 5, reads) == (report.unchanged, calls, archive.files.pieces)
    assert calls == len(archive.reader.calls)


async def test_a_handler_for_another_kind_runs_exactly_the_documents_of_that_kind(archive: Archive) -> None:
    archive.add(b"a text")
    page = archive.add(PAGE)
    archive.add(document_files.archive({"a.txt": "a"}))
    first = await archive.run()
    assert {"unsupported type": 2} == first.causes
    archive.handlers = {**archive.handlers, HTML: Reader("html reader")}
    second = await archive.run()
    assert (1, 1, 1, 0) == (second.done, second.unchanged, second.parked, second.newly_parked)
    assert PAGE.decode() == archive.text_of(page)
    assert [TXT] == archive.reader.calls


async def test_another_version_of_an_extractor_does_its_documents_alone_once_more(archive: Archive) -> None:
    other = Reader("other")
    archive.handlers = {TXT: archive.reader, PDF: other}
    archive.add(b"a text")
    archive.add(b"%PDF-1.4 text")
    await archive.run()
    archive.reader.version = "2"
    report = await archive.run()
    assert (1, 1) == (report.done, report.unchanged)
    assert ([TXT, TXT], [PDF]) == (archive.reader.calls, other.calls)


async def test_equal_files_are_extracted_once_and_each_gets_its_text(archive: Archive) -> None:
    documents = [archive.add(b"the same") for _ in range(3)]
    await archive.run()
    later = archive.add(b"the same")
    await archive.run()
    texts = {archive.mark(one).facts["uri"]: archive.text_of(one) for one in [*documents, later]}
    assert (4, {"the same"}, [TXT]) == (len(texts), set(texts.values()), archive.reader.calls)


@pytest.mark.parametrize("harm", ["gone", "another text", "damaged"])
async def test_a_text_that_was_lost_or_changed_is_no_source_of_copies(
    archive: Archive, tmp_path: Path, harm: str
) -> None:
    stored = archive.add(b"the same")
    await archive.run()
    path = tmp_path / "texts" / archive.mark(stored).facts["uri"].removeprefix(f"{archive.texts.name}/")
    if harm == "gone":
        path.unlink()
    elif harm == "damaged":
        path.write_bytes(path.read_bytes()[:-3])
    else:
        archive.texts.write(archive.mark(stored).facts["uri"].removeprefix(f"{archive.texts.name}/"), harm)
    later = archive.add(b"the same")
    await archive.run()
    assert ("the same", [TXT, TXT]) == (archive.text_of(later), archive.reader.calls)


async def test_what_no_extractor_should_see_is_parked_with_cause_and_kind(archive: Archive) -> None:
    swollen = archive.add(swollen_docx(1 << 20))
    picture = archive.add(real("jpg"))
    blank = archive.add(b" \n ")
    await archive.run(expanded=1 << 20)
    assert {
        swollen.id: ("texts", "expands too far", "docx"),
        picture.id: ("texts", "unsupported type", "jpeg"),
        blank.id: ("texts", "no text", "txt"),
    } == archive.parked()
    assert [TXT] == archive.reader.calls


async def test_one_document_that_cannot_be_read_harms_no_other_of_its_batch(archive: Archive) -> None:
    def act(data: bytes) -> None:
        if data == b"broken":
            raise Unreadable(BROKEN, "no pages")
        if data == b"later":
            raise TransientFailure("the extractor does not answer")

    good, broken, later = (archive.add(data) for data in (b"good", b"broken", b"later"))
    archive.reader.acts = act
    report = await archive.run()
    assert (1, 1, 1) == (report.done, report.newly_parked, report.delayed)
    assert ("good", {broken.id: ("texts", BROKEN, TXT)}) == (archive.text_of(good), archive.parked())
    (told,) = archive.ledger.delayed("gazettes")
    assert (later.id, "texts", "the extractor does not answer") == told
    archive.reader.acts = lambda data: None
    again = await archive.run()
    assert (1, 1, 1) == (again.done, again.unchanged, again.parked)


async def test_a_file_that_is_another_one_by_now_is_not_passed_for_the_first(archive: Archive) -> None:
    document = archive.add(b"first")
    archive.handlers = {}
    await archive.run()
    archive.files.put(document.fields["file_path"], b"second")
    archive.handlers = {TXT: archive.reader}
    await archive.run()
    assert {document.id: ("texts", "wrong checksum", TXT)} == archive.parked()
    assert [] == archive.reader.calls


def test_texts_are_never_put_over_the_files(archive: Archive) -> None:
    with pytest.raises(ConfigurationError, match="overwrite the files"):
        Texts(archive.files, TextStore(archive.files), {}, archive.ledger.extractions, Transfers())


async def test_nothing_is_left_on_the_disk_of_what_was_read(archive: Archive, tmp_path: Path) -> None:
    archive.add(b"a text")
    await archive.run()
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.startswith("ingest-")]
