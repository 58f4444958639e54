"""Aggregates hold each text of their year once, and are made again only when their content changed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any
from xml.etree import ElementTree

import pytest

from ingest_project.core.document_ledger import Settlement
from ingest_project.core.documents import Document, Done, Mark
from ingest_project.core.errors import TransientFailure
from ingest_project.entities.gazettes import segmenters
from ingest_project.entities.gazettes.aggregates import Aggregates, AggregatesReport
from ingest_project.entities.gazettes.segmenters import registered
from ingest_project.entities.gazettes.segments import STAGE, Segmenting
from ingest_project.sinks.texts import TextStore
from ingest_project.testing.doubles_documents import InMemoryDocumentLedger
from ingest_project.testing.gazette_files import ASSOCIATION, GazetteFile, Gazettes
from ingest_project.testing.gazette_words import towns
from ingest_project_tests.entities.gazettes.places import HeldObjects, KeptSegments, known_towns, listed

MADE = [made for made in Gazettes(count=30) if made.pages and not made.cause]
NUMBERS = 2


class Growth:
    """An object that grows in memory."""

    def __init__(self, folder: HeldObjects, key: str) -> None:
        self._folder, self._key, self._held = folder, key, bytearray()

    def write(self, data: bytes) -> None:
        self._held += data

    def finish(self) -> None:
        self._folder.put(self._key, bytes(self._held))


class Year:
    """A ledger in which gazettes are through ``segments``, their texts, and the aggregates made of them."""

    def __init__(self) -> None:
        self.objects, self.held = HeldObjects(), HeldObjects()
        self.texts = TextStore(self.held)
        self.ledger, self.segments = InMemoryDocumentLedger(lambda: 0.0), KeptSegments()
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.reads: list[str] = []
        self.patience = 10_000
        self.stage = Segmenting(self.texts, self.segments, known_towns, registered(segmenters))

    async def add(self, made: Sequence[GazetteFile], text: str = "") -> None:
        """Gazettes, with another text where one is given."""
        for one in made:
            words = text or "\n".join(line for page in one.pages for line in page)
            document = listed(one, self.texts.write(one.path.rpartition(".")[0] + ".txt", words))
            document = replace(document, bucket=replace(document.bucket, number=one.number % NUMBERS))
            (outcome,) = await self.stage.run([document])
            assert isinstance(outcome, Done)
            mark = Mark(fingerprint="s", output=outcome.output, facts=outcome.facts)
            self.put(replace(document, marks={**document.marks, STAGE: mark}))

    def put(self, document: Document) -> None:
        self.ledger.enroll([document])
        for stage, mark in document.marks.items():
            (found,) = (
                one for one in self.ledger.page(document.bucket, stage, ()) if one.document.id == document.id
            )
            (claim,) = self.ledger.claim(stage, [found], owner="o", lease=9.0, state="indexing")
            outcome = Done(output=mark.output, facts=mark.facts)
            self.ledger.settle([Settlement(claim=claim, fingerprint=mark.fingerprint, outcome=outcome)])

    @contextmanager
    def opened(self, key: str) -> Iterator[Growth]:
        yield Growth(self.objects, key)

    def read(self, uri: str) -> str:
        self.reads.append(uri)
        if len(self.reads) > self.patience:
            raise TransientFailure("the store went away")
        return self.texts.read(uri)

    def aggregate_hashes(self, year: int) -> Mapping[str, str]:
        return {key: row["hash_info"] for key, row in self.rows.items() if row["year"] == year}

    def upsert_aggregates(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows.update((row["file_path"], row) for row in rows)

    def build(self, *, again: bool = False) -> AggregatesReport:
        self.reads.clear()
        desk = Aggregates(self.ledger, self.segments, self, self.read, self.opened, numbers=NUMBERS)
        return desk.build(2026, again=again)

    def archive(self, key: str) -> dict[str, ElementTree.Element]:
        content = self.objects.get(key)
        assert content is not None
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            assert file.testzip() is None
            return {name: ElementTree.fromstring(file.read(name)) for name in file.namelist()}


@pytest.fixture
def year() -> Year:
    return Year()


def expected() -> dict[tuple[str, str], str]:
    """(territory, gazette) -> words of its text."""
    found = {}
    for made in MADE:
        parts = made.segments if made.kind == ASSOCIATION else {made.territory.id: made.words}
        found.update({(town, str(made.id)): words for town, words in parts.items()})
    return found


def held(year: Year, keys: Iterator[str]) -> dict[tuple[str, str], str]:
    return {
        (root.attrib["codigo_ibge"], gazette.attrib["id"]): " ".join(gazette.findtext("conteudo", "").split())
        for key in keys
        for root in year.archive(key).values()
        for gazette in root
    }


async def test_towns_and_states_hold_each_text_of_the_year_once(year: Year) -> None:
    await year.add(MADE)
    report = year.build()
    assert (report.failed, report.gazettes) == ((), len(expected()))
    assert report.built == len(year.rows)
    single = [key for key, row in year.rows.items() if row["territory_id"] is not None]
    states = [key for key, row in year.rows.items() if row["territory_id"] is None]
    assert held(year, iter(single)) == expected()
    assert held(year, iter(states)) == expected()
    assert sorted(states) == [f"aggregates/{code}/{code}_2026.zip" for code in ("AL", "BA", "MG")]


async def test_files_and_rows_are_named_after_town_state_and_year(year: Year) -> None:
    flores = next(town for town in towns("AL") if town.name == "Olho d'Água das Flores")
    made = replace(next(made for made in MADE if made.kind == "pdf"), territory=flores)
    await year.add([made])
    year.build()
    key = f"aggregates/AL/olho-dagua-flores_{made.territory.id}_2026.zip"
    row = year.rows[key]
    assert (row["territory_id"], row["state_code"], row["year"]) == (made.territory.id, "AL", 2026)
    assert row["file_size_mb"] > 0
    (root,) = year.archive(key).values()
    assert root.attrib == {
        "uf": "AL",
        "ano": "2026",
        "municipio": made.territory.name,
        "codigo_ibge": made.territory.id,
    }
    (gazette,) = root
    assert gazette.attrib["data"] == str(made.date)
    assert gazette.attrib["url"] == made.url


async def test_a_second_time_nothing_is_read_or_made(year: Year) -> None:
    await year.add(MADE)
    first = year.build()
    second = year.build()
    assert (second.built, second.unchanged, year.reads) == (0, first.built, [])


async def test_another_text_makes_its_town_and_its_state_again(year: Year) -> None:
    await year.add(MADE)
    year.build()
    (made,) = [made for made in MADE if made.kind == "docx"][:1]
    await year.add([made], text="outro texto")
    report = year.build()
    assert report.built == 2
    changed = f"aggregates/{made.territory.state_code}/{made.territory.state_code}_2026.zip"
    assert held(year, iter([changed]))[made.territory.id, str(made.id)] == "outro texto"


async def test_the_same_content_gives_the_same_bytes(year: Year) -> None:
    await year.add(MADE)
    year.build()
    other = Year()
    await other.add(MADE[::-1])
    other.build()
    assert {key: year.objects.get(key) for key in year.rows} == {
        key: other.objects.get(key) for key in other.rows
    }


async def test_a_missing_text_harms_its_town_and_its_state_alone(year: Year) -> None:
    await year.add(MADE)
    made = next(made for made in MADE if made.territory.state_code == "BA")
    del year.held.kept[f"{made.path.rpartition('.')[0]}.txt"]
    report = year.build()
    town, state = (failed.partition(":")[0] for failed in report.failed)
    assert town.endswith(f"_{made.territory.id}_2026.zip")
    assert state == "aggregates/BA/BA_2026.zip"
    assert {"aggregates/AL/AL_2026.zip", "aggregates/MG/MG_2026.zip"} <= year.rows.keys()
    assert not any(made.territory.id in key for key in year.rows)


async def test_what_was_made_before_a_store_failed_is_not_made_again(year: Year) -> None:
    await year.add(MADE)
    year.patience = len(expected()) // 2
    with pytest.raises(TransientFailure):
        year.build()
    before = len(year.rows)
    year.patience = 10_000
    report = year.build()
    assert before > 0
    assert (report.unchanged, report.failed) == (before, ())
    assert held(year, (key for key, row in year.rows.items() if row["territory_id"])) == expected()


async def test_characters_that_xml_may_not_hold_and_marks_of_its_own_come_through(year: Year) -> None:
    made = next(made for made in MADE if made.kind == "pdf")
    await year.add([made], text="um\fdois\0 <três> & \ud7ff ]]> 😀")
    assert year.build().failed == ()
    (words,) = held(year, (key for key, row in year.rows.items() if row["territory_id"])).values()
    assert words == "um dois <três> & \ud7ff ]]> 😀"


async def test_another_year_is_not_touched(year: Year) -> None:
    made = replace(next(made for made in MADE if made.kind == "pdf"), date=date(2025, 12, 31))
    await year.add([made])
    assert year.build().gazettes == 0
    assert year.rows == {}
