"""Gazettes of associations fall into their towns' texts; another association is one more file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project import wire
from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes import segmenters
from ingest_project.entities.gazettes.segmenters import registered
from ingest_project.entities.gazettes.segmenters.al import SEGMENTER
from ingest_project.entities.gazettes.segmenting import Segmenter, Segments, segmented
from ingest_project.entities.gazettes.towns import Town, slug
from ingest_project.testing.gazette_files import ASSOCIATION, Gazettes
from ingest_project_tests.entities.gazettes import invented
from ingest_project_tests.entities.gazettes.places import known_towns

TOWNS = known_towns()
ALAGOAS = Town(id="2700000", name="Alagoas", state_code="AL", state="Alagoas")
HEADER = "Alagoas , 02 de Janeiro de 2026 • Diário Oficial dos Municípios • ANO X | Nº 1951"


def segments_of(*lines: str, segmenter: Segmenter = SEGMENTER) -> Segments:
    return segmented("\n".join(lines), segmenter, TOWNS, ALAGOAS)


def texts_of(*lines: str) -> dict[str, str]:
    """Town's name -> its text in one line, of a gazette with HEADER as its first."""
    found = segments_of(HEADER, *lines).texts
    return {town.name: " ".join(text.removeprefix(HEADER).split()) for town, text in found}


def heading(*names: str) -> tuple[str, ...]:
    return "ESTADO DE ALAGOAS", f"PREFEITURA MUNICIPAL DE {names[0]}", *names[1:]


ACT = ("ato um", "Código Identificador: 8CC4A1E5")


@pytest.mark.parametrize(
    ("names", "town"),
    [
        (("ARAPIRACA",), "Arapiraca"),
        (("ÁGUA BRANCA",), "Água Branca"),
        (("AGUA BRANCA/AL",), "Água Branca"),
        (("BELO MONTE - AL",), "Belo Monte"),
        (("BELO MONTE – AL",), "Belo Monte"),
        (("MAJOR IZIDORO",), "Major Isidoro"),
        (("MAJOR ISIDORO/AL",), "Major Isidoro"),
        (("OLHO D’ÁGUA DAS FLORES",), "Olho d'Água das Flores"),
        (("OLHO D AGUA DAS FLORES",), "Olho d'Água das Flores"),
        (("SÃO JOSÉ", "DA LAJE"), "São José da Laje"),
        (("SÃO JOSÉ", "", "DA LAJE"), "São José da Laje"),
        (("SANTANA DO IPANEMA", "GABINETE DO PREFEITO"), "Santana do Ipanema"),
        (("PENEDO", "BATALHA CONTRA O MOSQUITO"), "Penedo"),
        (("PENEDO SECRETARIA DE SAÚDE",), "Penedo"),
        (("PENEDO EXTRATO DE CONTRATO",), "Penedo"),
        (("PENEDO FUNDO MUNICIPAL DE SAÚDE",), "Penedo"),
        (("PENEDO ATA DE REGISTRO",), "Penedo"),
        (("PENEDO SÚMULA Nº 1",), "Penedo"),
        (("PENEDO RATIFICAÇÃO",), "Penedo"),
        (("PENEDO https://penedo.example",), "Penedo"),
        (("PENEDO", "VAMOS CUIDAR DA CIDADE"), "Penedo"),
    ],
)
def test_a_town_is_known_by_its_heading(names: tuple[str, ...], town: str) -> None:
    assert list(texts_of(*heading(*names), "", *ACT)) == [town]


@pytest.mark.parametrize("name", ["EDUCAÇÃO E CULTURA", "VAMOS CUIDAR"])
def test_some_town_halls_are_no_towns_but_text_of_the_one_they_stand_in(name: str) -> None:
    found = texts_of(*heading("PENEDO"), *ACT, *heading(name), *ACT)
    assert list(found) == ["Penedo"]
    assert found["Penedo"].count("ato um") == 2


def test_a_name_that_no_town_has_stays_with_the_association_and_is_told() -> None:
    found = segments_of(HEADER, *heading("PENEDO"), *ACT, *heading("ATLÂNTIDA"), *ACT)
    assert [town.name for town, _ in found.texts] == ["Penedo", "Alagoas"]
    assert found.unknown == ("ATLANTIDA",)


def test_the_page_header_goes_wherever_it_stands_and_heads_each_town() -> None:
    lines = (*heading("PENEDO"), "antes", HEADER, f"{HEADER} 2", "depois", *heading("BATALHA"), *ACT)
    found = segments_of(HEADER, *lines)
    assert [(town.name, text.split("\n")) for town, text in found.texts] == [
        ("Penedo", [HEADER, "ESTADO DE ALAGOAS", "PREFEITURA MUNICIPAL DE PENEDO", "antes", "depois"]),
        ("Batalha", [HEADER, "ESTADO DE ALAGOAS", "PREFEITURA MUNICIPAL DE BATALHA", *ACT]),
    ]


def test_a_page_may_end_within_a_heading() -> None:
    state, hall = heading("SÃO JOSÉ")
    end = ["", "", "", HEADER, "", "", ""]
    found = texts_of(*heading("PENEDO"), *ACT, state, *end, hall, *end, "DA LAJE", *ACT)
    assert ["Penedo", "São José da Laje"] == list(found)


def test_a_gazette_without_a_page_header_loses_no_line() -> None:
    found = segments_of(*heading("PENEDO"), *ACT)
    assert [text for _, text in found.texts] == ["\n".join([*heading("PENEDO"), *ACT])]


def test_what_stands_behind_the_last_mark_is_dropped() -> None:
    assert texts_of(*heading("PENEDO"), *ACT, "Expediente", "Diretoria") == {
        "Penedo": f"ESTADO DE ALAGOAS PREFEITURA MUNICIPAL DE PENEDO {' '.join(ACT)}"
    }


def test_the_code_of_the_last_mark_may_stand_on_the_next_line() -> None:
    found = texts_of(*heading("PENEDO"), "ato", "Codigo Identificador:", "8CC4A1E5", "Expediente")
    assert found["Penedo"].endswith("Codigo Identificador: 8CC4A1E5")


def test_without_a_mark_nothing_is_dropped() -> None:
    assert texts_of(*heading("PENEDO"), "ato", "fim")["Penedo"].endswith("ato fim")


def test_parts_of_one_town_are_joined() -> None:
    found = texts_of(*heading("PENEDO"), "um", *heading("BATALHA"), "dois", *heading("PENEDO/AL"), "três")
    assert list(found) == ["Penedo", "Batalha"]
    assert [word for word in found["Penedo"].split() if word in ("um", "dois", "três")] == ["um", "três"]


def test_what_stands_before_the_first_town_is_the_associations_own() -> None:
    found = texts_of("ASSOCIAÇÃO DOS MUNICÍPIOS", "edital", *heading("PENEDO"), *ACT)
    assert found["Alagoas"] == "ASSOCIAÇÃO DOS MUNICÍPIOS edital"


def test_a_text_without_towns_is_the_associations_own() -> None:
    assert texts_of("edital", "fim") == {"Alagoas": "edital fim"}


def test_a_text_of_nothing_but_a_header_has_no_segments() -> None:
    assert texts_of() == {}
    assert segments_of("").texts == []


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\r\n", "\n \n"])
def test_made_gazettes_fall_into_what_their_truth_says(gap: str) -> None:
    for made in (made for made in Gazettes(count=300) if made.kind == ASSOCIATION):
        text = gap.join(line for page in made.pages for line in page if line)
        found = segmented(text, SEGMENTER, TOWNS, ALAGOAS)
        assert {town.id: " ".join(text.split()) for town, text in found.texts} == made.segments
        assert found.unknown == ()


_NAMES = ("PENEDO", "BATALHA", "SÃO JOSÉ", "ATLÂNTIDA", "EDUCAÇÃO", "MAJOR IZIDORO/AL")
_LINES = st.sampled_from(
    ["ESTADO DE ALAGOAS", *(f"PREFEITURA MUNICIPAL DE {name}" for name in _NAMES), "DA LAJE", "", HEADER]
)


@given(st.lists(st.one_of(_LINES, st.uuids().map(str)), max_size=30))
def test_every_line_is_in_exactly_one_segment(lines: list[str]) -> None:
    found = segments_of(HEADER, *lines)
    held = sorted(line for _, text in found.texts for line in text.split("\n")[1:] if line)
    assert held == sorted(line for line in lines if line not in ("", HEADER))


def test_another_association_is_one_more_file() -> None:
    found = registered(segmenters, invented)
    assert sorted(found) == ["2700000", "2900000"]
    bahia = Town(id="2900000", name="Bahia", state_code="BA", state="Bahia")
    cut = segmented(
        "edital\n== FEIRA DE SANTANA ==\nato\n== ILHEUS ==\nato dois", found["2900000"], TOWNS, bahia
    )
    assert [(town.name, text) for town, text in cut.texts] == [
        ("Bahia", "edital"),
        ("Feira de Santana", "ato"),
        ("Ilhéus", "ato dois"),
    ]


def test_two_segmenters_of_one_association_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="2900000 has a segmenter already"):
        registered(invented, invented)


def test_a_module_without_a_segmenter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"ingest_project.wire.* names no SEGMENTER"):
        registered(wire)


def test_slugs_know_no_accents_particles_or_apostrophes() -> None:
    names = ["Olho d'Água das Flores", "OLHO D’AGUA DAS FLORES", "olho d agua flores", "São João-del Rei"]
    assert [slug(name) for name in names] == [*["olho-dagua-flores"] * 3, "sao-joao-del-rei"]


def test_names_of_towns_are_told_apart_by_their_states() -> None:
    assert [town.id for code in ("AL", "MG") if (town := TOWNS.find(code, "VICOSA"))] == [
        "2708303",
        "3102001",
    ]
