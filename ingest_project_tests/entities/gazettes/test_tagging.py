"""Tags: what is meant is tagged once, what only looks like it is not, and a second time changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest_project.entities.gazettes.tagging import Tagger, cnpj_digits, is_cnpj
from ingest_project.entities.gazettes.themes import Case, Query, Theme, load_themes

REAL = Path(__file__).parent / "data" / "themes_config.json"
QUERY = Query(title="q", term_sets=((("x",),),))


def tagger() -> Tagger:
    return Tagger(load_themes(REAL)[0])


def test_entities_are_tagged_with_their_category_and_listed_in_the_theme_s_order() -> None:
    text = (
        "O IBAMA e a Fundação Nacional do Índio (FUNAI) vistoriaram a ÁREA DE PRESERVAÇÃO PERMANENTE "
        "do parque ecológico."
    )
    tagged = tagger().tagged(text)
    t, e = "<entidadeambiental>", "</entidadeambiental>"
    assert (
        f"O {t}IBAMA{e} e a {t}Fundação Nacional do Índio{e} ({t}FUNAI{e}) vistoriaram a "
        f"{t}ÁREA DE PRESERVAÇÃO PERMANENTE{e} do {t}parque ecológico{e}."
    ) == tagged.text
    assert ("FUNAI", "IBAMA", "Parque Ecológico", "Área de Preservação Permanente") == tagged.entities


def test_a_part_of_a_word_is_no_entity() -> None:
    text = "Ibamara, sinimae, a funairama e o conamas; SNUC2"
    assert (text, ()) == (tagger().tagged(text).text, tagger().tagged(text).entities)


def test_of_two_spellings_at_one_place_the_longer_is_meant() -> None:
    cases = (
        Case(category="a", title="Fundo", values=("fundo",)),
        Case(category="b", title="Fundo do Clima", values=("fundo do clima",)),
    )
    tagged = Tagger(Theme(name="t", index="t", queries=(QUERY,), cases=cases)).tagged("Fundo do clima, fundo")
    assert "<b>Fundo do clima</b>, <a>fundo</a>" == tagged.text


@pytest.mark.parametrize(
    "number",
    ["11.222.333/0001-81", "11222333000181", "00.000.000/0001-91", "11222333/0001-81", "12.ABC.345/01DE-35"],
)
def test_a_company_number_with_right_check_digits_is_tagged(number: str) -> None:
    tagged = tagger().tagged(f"empresa X, CNPJ n° {number}, vencedora")
    assert f"empresa X, CNPJ n° <cnpj>{number}</cnpj>, vencedora" == tagged.text
    assert (cnpj_digits(number),) == tagged.companies


@pytest.mark.parametrize(
    "number",
    [
        "11.222.333/0001-82",
        "11.222.333/0001-18",
        "00.000.000/0000-00",
        "11111111111111",
        "111222333000181",
        "112223330001810",
        "11.222.333/0001-81-2",
        "12ABC34501DE35",
        "12.ABC.345/01DE-36",
        "R$11.222.333/0001-8",
        "１1.222.333/0001-81",
    ],
)
def test_what_only_looks_like_a_company_number_is_not_tagged(number: str) -> None:
    text = f"processo {number} de 2026"
    assert (text, ()) == (tagger().tagged(text).text, tagger().tagged(text).companies)


def test_check_digits_catch_each_wrong_digit_and_each_swap_of_neighbours() -> None:
    right = "11222333000181"
    assert is_cnpj(right)
    for place, digit in enumerate(right):
        others = [right[:place] + other + right[place + 1 :] for other in "0123456789" if other != digit]
        assert [] == [wrong for wrong in others if is_cnpj(wrong)]
    swaps = {right[:n] + right[n + 1] + right[n] + right[n + 2 :] for n in range(13)} - {right}
    assert [] == [wrong for wrong in swaps if is_cnpj(wrong)]


WORDS = st.sampled_from(
    [
        *("ibama", "IBAMA ", "parque  ecológico", "11.222.333/0001-81", "11222333000181", "ſnuc", "SİSNAMA"),
        *("<cnpj>", "</cnpj>", "<entidadeambiental>", "</entidadeambiental>"),
        *("<", ">", "/", " ", "x", "cnpj"),
    ]
)


@given(st.lists(WORDS | st.text(max_size=3), max_size=12).map("".join))
@example("<<cnpj>cnpj>11222333000181</</cnpj>cnpj>")
def test_tagging_twice_changes_nothing_and_tags_come_off_again(text: str) -> None:
    tags = tagger()
    once = tags.tagged(text)
    assert once == tags.tagged(once.text)
    assert tags.bare(text) == tags.bare(once.text)
