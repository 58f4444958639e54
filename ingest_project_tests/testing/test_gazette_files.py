"""Made gazettes are what their truth says; whether extractors agree is tried where the extractors are."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections import Counter
from random import Random
from xml.etree import ElementTree

import pytest

from ingest_project.testing import document_files
from ingest_project.testing.gazette_files import ASSOCIATION, COPY, KINDS, MIX, Gazettes
from ingest_project.testing.gazette_words import PASSAGES, cnpj, territories, towns

MADE = Gazettes(count=400)


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def words_of_xml(content: bytes) -> str:
    return " ".join(word for text in ElementTree.fromstring(content).itertext() for word in text.split())


def words_of_pdf(content: bytes) -> str:
    """What its streams show, by the operators that document_files writes."""
    shown = [
        match
        for packed in re.findall(rb"FlateDecode>>stream\n(.*?)\nendstream", content, re.S)
        for match in re.findall(rb"\(((?:[^\\)]|\\.)*)\)Tj", zlib.decompress(packed))
    ]
    text = b" ".join(re.sub(rb"\\(.)", rb"\1", line) for line in shown)
    return " ".join(text.decode("cp1252").split())


def test_the_same_number_and_seed_make_the_same_file() -> None:
    for number in range(40):
        first, again = MADE.one(number), Gazettes(count=9999, days=90).one(number)
        assert first == again
        assert first.content() == again.content()


def test_another_seed_makes_other_files() -> None:
    other = Gazettes(count=400, seed="other")
    texts = {MADE.one(number).words for number in range(40)} - {""}
    assert texts.isdisjoint(other.one(number).words for number in range(40))


def test_kinds_occur_as_often_as_the_mix_says() -> None:
    assert Counter(made.kind for made in MADE) == {kind: 2 * share for kind, share in MIX.items()}


def test_no_two_gazettes_share_territory_date_and_checksum() -> None:
    keys = Counter((made.territory.id, made.date, made.checksum()) for made in MADE)
    assert keys.most_common(1)[0][1] == 1


@pytest.mark.parametrize("kind", ["pdf", ASSOCIATION, COPY])
def test_a_pdf_shows_its_words(kind: str) -> None:
    made = next(made for made in MADE if made.kind == kind)
    assert words_of_pdf(made.content()) == made.words


def test_office_files_show_their_words() -> None:
    for kind, member in (("docx", "word/document.xml"), ("odt", "content.xml")):
        made = next(made for made in MADE if made.kind == kind)
        assert words_of_xml(members(made.content())[member]) == made.words


def test_text_files_are_of_either_encoding() -> None:
    for kind, encoding in (("txt", "utf-8"), ("txt-cp1252", "cp1252")):
        made = next(made for made in MADE if made.kind == kind)
        assert " ".join(made.content().decode(encoding).split()) == made.words


def test_a_copy_has_the_bytes_of_another_gazette() -> None:
    copy = next(made for made in MADE if made.kind == COPY)
    assert copy.content() == MADE.one(copy.source).content()
    assert copy.path != MADE.one(copy.source).path


def test_cross_references_of_a_pdf_point_at_its_objects() -> None:
    content = b"".join(document_files.pdf([["um (dois) \\ três"], ["ação"]], ballast=5000))
    table = content[int(content.rsplit(b"startxref\n", 1)[1].split()[0]) :]
    offsets = [int(row) for row in re.findall(rb"(\d{10}) 00000 n", table)]
    assert [content[at:].split(b" ", 1)[0] for at in offsets] == [
        b"%d" % number for number in range(1, len(offsets) + 1)
    ]


def test_a_large_pdf_comes_in_pieces_that_are_small() -> None:
    made = Gazettes(count=3, large={1: 12_345_678}).one(1)
    sizes = [len(piece) for piece in made.pieces()]
    assert 12_345_678 < sum(sizes) < 12_500_000
    assert max(sizes) <= document_files.PIECE


def test_every_town_of_an_association_has_its_header_and_its_acts() -> None:
    for made in (made for made in MADE if made.kind == ASSOCIATION):
        header = " ".join(made.pages[0][0].split())
        assert all(text.startswith(f"{header} ") for text in made.segments.values())
        codes = re.findall(r"Código Identificador: (\w+)", made.words)
        held = [code for text in made.segments.values() for code in re.findall(r"Identificador: (\w+)", text)]
        assert Counter(held) == Counter(codes)


def test_a_passage_stands_where_the_truth_says() -> None:
    found = Counter[str]()
    for made in MADE:
        for title, places in made.passages.items():
            for place in places:
                assert PASSAGES[title] in made.segments.get(place, made.words)
                found[title] += 1
    assert found.keys() == PASSAGES.keys()


def test_whoever_is_parked_has_cause_and_stage() -> None:
    assert all(bool(kind.cause) == bool(kind.stage) for kind in KINDS.values())


def test_territories_have_numbers_of_their_own() -> None:
    assert len({one.id for one in territories()}) == len(territories())
    assert {len(one.id) for one in territories()} == {7}
    assert [one.id for one in towns("AL")[:3]] == ["2700102", "2700201", "2700300"]


def test_a_row_tells_of_its_file() -> None:
    made = next(made for made in MADE if made.kind == "docx")
    row = made.row(hashlib.md5(made.content(), usedforsecurity=False).hexdigest())
    assert row["file_checksum"] == made.checksum()
    assert str(row["file_path"]).startswith(f"{row['territory_id']}/{row['date']}/")
    assert str(row["file_path"]).endswith(".docx")


def test_check_digits_of_a_company_are_right_or_wrong_as_asked() -> None:

    right, wrong = cnpj(Random(1)), cnpj(Random(1), valid=False)
    assert right[:-1] == wrong[:-1]
    assert right != wrong
