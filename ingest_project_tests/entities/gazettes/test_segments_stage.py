"""Stage ``segments``: what it leaves in the store and in the ledger, and what makes it run again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import md5

import pytest

from ingest_project.core.documents import Document, Done, Mark, Parked
from ingest_project.entities.gazettes import segmenters
from ingest_project.entities.gazettes.segmenters import registered
from ingest_project.entities.gazettes.segments import STAGE, Segmenting
from ingest_project.entities.gazettes.towns import Towns
from ingest_project.sinks.texts import TextStore
from ingest_project.testing.gazette_files import ASSOCIATION, UNSERVED, GazetteFile, Gazettes
from ingest_project_tests.entities.gazettes import invented
from ingest_project_tests.entities.gazettes.places import HeldObjects, KeptSegments, known_towns, listed

MADE = Gazettes(count=200)


def of_kind(kind: str) -> Iterator[GazetteFile]:
    return (made for made in MADE if made.kind == kind)


class Desk:
    """A stage over a store, and how often it asked for the towns."""

    def __init__(self) -> None:
        self.objects, self.kept, self.asked = HeldObjects(), KeptSegments(), 0
        self.store = TextStore(self.objects)
        self.stage = Segmenting(self.store, self.kept, self.towns, registered(segmenters))

    def towns(self) -> Towns:
        self.asked += 1
        return known_towns()

    def document(self, made: GazetteFile) -> Document:
        text = "\n".join(line for page in made.pages for line in page)
        return listed(made, self.store.write(made.path.rpartition(".")[0] + ".txt", text))


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_towns_own_gazette_passes_through_with_its_text(desk: Desk) -> None:
    documents = [desk.document(made) for made in (*of_kind("pdf"), *of_kind("docx"))][:7]
    outcomes = await desk.stage.run(documents)
    assert outcomes == [
        Done(output=document.marks["texts"].output, facts=document.marks["texts"].facts)
        for document in documents
    ]
    assert (desk.kept.kept, desk.asked) == ({}, 0)
    assert {desk.stage.weight(document) for document in documents} == {0}


async def test_an_associations_gazette_leaves_a_text_for_each_town(desk: Desk) -> None:
    made = list(of_kind(ASSOCIATION))
    documents = [desk.document(one) for one in made]
    outcomes = await desk.stage.run(documents)
    assert desk.asked == 1
    for one, document, outcome in zip(made, documents, outcomes, strict=True):
        segments = desk.kept.kept[document.id].segments
        texts = {
            segment.fields["territory_id"]: desk.store.read(segment.fields["uri"]) for segment in segments
        }
        assert {town: " ".join(text.split()) for town, text in texts.items()} == one.segments
        assert isinstance(outcome, Done)
        towns = len(one.segments.keys() - {"2700000"})
        assert outcome.facts == {"segments": str(len(segments)), "towns": str(towns)}
        assert desk.stage.weight(document) > int(document.marks["texts"].facts["bytes"])


async def test_a_segment_tells_of_its_town_and_lies_under_its_name(desk: Desk) -> None:
    made = next(of_kind(ASSOCIATION))
    await desk.stage.run([desk.document(made)])
    (segment, *_) = (
        one for one in desk.kept.kept[str(made.id)].segments if one.fields["territory_id"] != "2700000"
    )
    text = desk.store.read(segment.fields["uri"])
    checksum = md5(text.encode(), usedforsecurity=False).hexdigest()
    assert segment.id == segment.fields["file_checksum"] == checksum
    assert segment.fields["text_path"] == f"{segment.fields['territory_id']}/{made.date}/{checksum}.txt"
    assert segment.fields["state_code"] == "AL"
    town = known_towns().get(segment.fields["territory_id"])
    assert town is not None
    assert segment.fields["territory_name"] == town.name


async def test_an_association_without_a_segmenter_is_parked_and_harms_no_other(desk: Desk) -> None:
    documents = [desk.document(next(of_kind(kind))) for kind in (UNSERVED, "pdf", ASSOCIATION)]
    parked, *others = await desk.stage.run(documents)
    assert isinstance(parked, Parked)
    assert (parked.cause, parked.kind) == ("no segmenter", "2900000")
    assert [type(outcome) for outcome in others] == [Done, Done]


async def test_a_text_that_is_gone_is_parked(desk: Desk) -> None:
    document = desk.document(next(of_kind(ASSOCIATION)))
    desk.objects.kept.clear()
    (outcome,) = await desk.stage.run([document])
    assert isinstance(outcome, Parked)
    assert outcome.cause == "text missing"


def test_a_segmenter_for_its_association_changes_the_fingerprint_of_no_other_gazette(desk: Desk) -> None:
    more = Segmenting(desk.store, desk.kept, desk.towns, registered(segmenters, invented))
    kinds = (UNSERVED, ASSOCIATION, "pdf")
    documents = [desk.document(next(of_kind(kind))) for kind in kinds]
    changed = [more.fingerprint(one) != desk.stage.fingerprint(one) for one in documents]
    assert dict(zip(kinds, changed, strict=True)) == {UNSERVED: True, ASSOCIATION: False, "pdf": False}


def test_corrected_towns_of_its_state_change_the_fingerprint_of_an_associations_gazette_alone(
    desk: Desk,
) -> None:
    kinds = (UNSERVED, ASSOCIATION, "pdf")
    documents = [desk.document(next(of_kind(kind))) for kind in kinds]
    corrected = [replace(one, fields={**one.fields, "towns": "others"}) for one in documents]
    pairs = zip(documents, corrected, strict=True)
    changed = [desk.stage.fingerprint(one) != desk.stage.fingerprint(other) for one, other in pairs]
    assert dict(zip(kinds, changed, strict=True)) == {UNSERVED: False, ASSOCIATION: True, "pdf": False}


def test_another_text_is_another_fingerprint(desk: Desk) -> None:
    for kind in (ASSOCIATION, "pdf"):
        document = desk.document(next(of_kind(kind)))
        text = document.marks["texts"]
        assert desk.stage.fingerprint(document) != desk.stage.fingerprint(
            replace(document, marks={"texts": Mark(fingerprint="t1", output="other", facts=text.facts)})
        )


async def test_cutting_again_gives_the_same_and_names_what_is_gone(desk: Desk) -> None:
    document = desk.document(next(of_kind(ASSOCIATION)))
    (first,) = await desk.stage.run([document])
    before = desk.kept.kept[document.id]
    assert await desk.stage.run([document]) == [first]
    assert desk.kept.kept[document.id] == before
    uri = document.marks["texts"].facts["uri"]
    changed = desk.store.read(uri).replace("PORTARIA", "DECISÃO")
    desk.store.write(uri.removeprefix(f"{desk.store.name}/"), changed)
    await desk.stage.run([document])
    after = desk.kept.kept[document.id]
    assert {one.id for one in before.segments} - {one.id for one in after.segments} == set(after.gone)
    assert after.gone


async def test_a_gazette_that_is_no_associations_any_more_loses_its_segments(desk: Desk) -> None:
    document = desk.document(next(of_kind(ASSOCIATION)))
    (first,) = await desk.stage.run([document])
    assert isinstance(first, Done)
    mark = Mark(fingerprint="f", output=first.output, facts=first.facts)
    moved = replace(
        document,
        fields={**document.fields, "territory_id": "2700102"},
        marks={**document.marks, STAGE: mark},
    )
    await desk.stage.run([moved])
    kept = desk.kept.kept[document.id]
    assert (kept.segments, len(kept.gone)) == ((), int(first.facts["segments"]))


async def test_names_of_no_town_are_told(desk: Desk) -> None:
    document = desk.document(next(of_kind(ASSOCIATION)))
    text = "cabeçalho\nESTADO DE ALAGOAS\nPREFEITURA MUNICIPAL DE ATLÂNTIDA\nato"
    stored = desk.store.write("2700000/x.txt", text)
    marks = {"texts": Mark(fingerprint="t", output=stored.sha256, facts={"uri": stored.uri, "bytes": "9"})}
    (outcome,) = await desk.stage.run([replace(document, marks=marks)])
    assert isinstance(outcome, Done)
    assert outcome.facts == {"segments": "1", "towns": "0", "unknown": "ATLANTIDA"}
