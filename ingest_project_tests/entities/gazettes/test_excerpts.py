"""Excerpts on a real node with the real themes: what is meant is found, what only looks like it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest_project.core.documents import Delayed, Done
from ingest_project.core.encoding import Vector
from ingest_project.entities.gazettes import indices
from ingest_project.entities.gazettes.excerpts import Excerpts, excerpt_id
from ingest_project.entities.gazettes.indexed import Indexed
from ingest_project.entities.gazettes.ranked import Ranked
from ingest_project.entities.gazettes.themes import Query, Theme, load_themes
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.resources.encoders.models import UseEncoder
from ingest_project.sinks.live_index import LiveIndex
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.entities.gazettes.press import Press, live, settings

REAL = Path(__file__).parent / "data" / "themes_config.json"
SOME = (
    "O prefeito do município, no uso das atribuições que lhe são conferidas, torna público o que se segue. "
)
MORE = (
    "Ficam convocados os senhores vereadores para a sessão ordinária desta quinzena no plenário da câmara. "
)
FILL = (SOME + MORE) * 20


class Newsroom:
    """Gazettes and one theme in indices of their own."""

    def __init__(self, api: OpenSearchApi, name: str, theme: Theme) -> None:
        self.api, self.name = api, name
        self.theme = replace(theme, index=f"{name}-{theme.index}")
        self.press = Press()

    def index(self, theme: bool) -> LiveIndex:
        """A new one each time, as each run has it."""
        alias = self.theme.index if theme else f"{self.name}-gazettes"
        contract = indices.excerpts() if theme else indices.gazettes()
        return live(self.api, alias, contract, settings())

    async def work(self) -> dict[str, Any]:
        """Index what is new and look for excerpts; what became of each gazette in the second."""
        gazettes, excerpts = self.index(False), self.index(True)
        await self.press.run(Indexed(gazettes, self.press, self.press.segments, "gazettes"))
        ended = await self.press.run(Excerpts(self.theme, gazettes, excerpts))
        await gazettes.close()
        await excerpts.close()
        return ended

    async def rank(self, encoder: Any) -> dict[str, Any]:
        index = self.index(True)
        ended = await self.press.run(Ranked(self.theme, index, encoder))
        await index.close()
        return ended

    async def found(self) -> dict[str, dict[str, Any]]:
        body = {"size": 1000}
        hits = (await self.api.call("POST", f"/{self.theme.index}/_search", body))["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    async def subthemes(self) -> dict[str, set[str]]:
        """Gazette -> all subthemes of its excerpts."""
        subthemes: dict[str, set[str]] = {}
        for one in (await self.found()).values():
            subthemes.setdefault(one["document_id"], set()).update(one["excerpt_subthemes"])
        return subthemes


ENVIRONMENT: Mapping[str, tuple[str, set[str]]] = {
    "law, its number and its day": (
        "Considerando a Lei Federal nº 12.651, de 25 de maio de 2012, fica criada a reserva.",
        {"Biodiversidade"},
    ),
    "year in another order": (
        "No ano de 2012 foi sancionada, sob o número 12651, a lei.",
        {"Biodiversidade"},
    ),
    "number without the year": ("Considerando a Lei nº 12.651, fica criada a reserva legal.", set()),
    "year too far away": (
        "Considerando a Lei nº 12.651, "
        + "e tudo o mais que consta dos autos do processo, " * 3
        + "em 2012.",
        set(),
    ),
    "another number": ("Considerando a Lei Federal nº 12.652, de 25 de maio de 2012.", set()),
    "no law at all": ("Nota de empenho 12.651 de 25 de maio de 2012, papelaria.", set()),
    "words without stop words": ("Nos termos do código de águas, outorga-se o uso.", {"Políticas de Águas"}),
    "another stop word": ("Nos termos do código das águas, outorga-se o uso.", set()),
    "phrase that is torn": ("O código que trata de águas será consultado.", set()),
    "stems and capitals": ("Institui o PLANO MUNICIPAL sobre as mudanças CLIMÁTICAS.", {"Crise Climática"}),
    "acronym": ("Adesão do município à PNMC e outras providências.", {"Crise Climática"}),
    "acronym in a word": ("Protocolo PNMC2 e outras providências.", set()),
    "hyphen": (
        "Decreto-Lei 1985/1940: transcreve-se o decreto-lei nº 1.985, de 29 de março de 1940.",
        {"Mineração"},
    ),
    "two subthemes": (
        "A Política Nacional do Meio Ambiente e a política nacional de educação ambiental são seguidas.",
        {"Política Nacional do Meio Ambiente", "Educação Ambiental"},
    ),
}

SCHOOL: Mapping[str, tuple[str, set[str]]] = {
    "three sets": ("Aquisição de computador para a escola da vila.", {"Infraestrutura e Dispositivos"}),
    "two sets of three": ("Aquisição de carteiras para a escola da vila.", set()),
    "letters and digits": ("Licitação de link de internet 5G para o ensino médio.", {"Conectividade"}),
    "what was bought is far from the school": (
        "Pregão de computador. " + "Outras providências serão tomadas a seu tempo. " * 4 + "Escola da vila.",
        set(),
    ),
    "several sets of one subtheme": (
        "Contrato de wi-fi e de equipamentos intelbras para a educação.",
        {"Conectividade"},
    ),
}


@pytest.mark.parametrize(("number", "cases"), [(0, ENVIRONMENT), (1, SCHOOL)], ids=["ambiental", "educacao"])
async def test_the_real_themes_find_what_is_meant_and_nothing_else(
    api: OpenSearchApi, index_name: str, number: int, cases: Mapping[str, tuple[str, set[str]]]
) -> None:
    room = Newsroom(api, index_name, load_themes(REAL)[number])
    for name, (planted, _) in cases.items():
        room.press.print(name, FILL + planted + " " + FILL)
    await room.work()
    assert {name: wanted for name, (_, wanted) in cases.items() if wanted} == await room.subthemes()
    for one in (await room.found()).values():
        planted = cases[one["document_id"]][0]
        assert planted[:40] in room_text(one)


def room_text(excerpt: Mapping[str, Any]) -> str:
    """Without tags."""
    text: str = excerpt["excerpt"]
    return text.replace("<entidadeambiental>", "").replace("</entidadeambiental>", "")


LAW = (
    "A Lei Federal nº 12.651, de 25 de maio de 2012, e a Política Nacional do Meio Ambiente obrigam a FUNAI "
)
COMPANY = "e o IBAMA a contratar a empresa de CNPJ 11.222.333/0001-81 e não a de CNPJ 11.222.333/0001-82 "


async def test_an_excerpt_keeps_its_subthemes_its_tags_and_its_gazette_s_fields(
    api: OpenSearchApi, index_name: str
) -> None:
    room = Newsroom(api, index_name, load_themes(REAL)[0])
    text = LAW + "\n\n  " + COMPANY + "\tnos autos do processo.  " + SOME
    room.press.print("7", text)
    room.press.print("8", text, territory_id="2700102", file_checksum="other")
    room.press.print("short", "Lei de agrotóxicos." + "\n " * 300)
    ended = await room.work()
    assert {"7": "1", "8": "1", "short": "0"} == {id: one.facts["documents"] for id, one in ended.items()}
    found = await room.found()
    bare = " ".join(text.split())
    checksum = room.press.fields["7"]["file_checksum"]
    seven = f"2704302_2026-11-20_{checksum}"
    assert {excerpt_id(seven, bare), excerpt_id("2700102_2026-11-20_other", bare)} == set(found)
    one = found[excerpt_id(seven, bare)]
    assert bare == room_text(one).replace("<cnpj>", "").replace("</cnpj>", "")
    assert (
        "CNPJ <cnpj>11.222.333/0001-81</cnpj> e não a de CNPJ 11.222.333/0001-82 nos autos" in one["excerpt"]
    )
    assert {
        "document_id": "7",
        "excerpt_id": excerpt_id(checksum, bare),
        "excerpt_subthemes": ["Biodiversidade", "Política Nacional do Meio Ambiente"],
        "excerpt_entities": ["FUNAI", "IBAMA"],
        "excerpt_cnpjs": ["11222333000181"],
        "source_territory_name": "Maceió",
        "source_date": "2026-11-20",
        "source_power": None,
    }.items() <= one.items()
    assert "excerpt_embedding_score" not in one
    for word, count in (("entidadeambiental", 0), ("ibama", 2)):
        body = {"query": {"match": {"excerpt.exact": word}}}
        assert count == (await api.call("POST", f"/{room.theme.index}/_count", body))["count"]


async def test_two_rows_of_one_file_have_an_excerpt_each(api: OpenSearchApi, index_name: str) -> None:
    room = Newsroom(api, index_name, load_themes(REAL)[0])
    room.press.print("1", LAW + SOME * 3)
    room.press.print("2", LAW + SOME * 3, date="2026-11-21")
    for id in "34":
        room.press.print(id, "inteiro", territory_id="2700000", file_checksum=f"edition {id}")
        room.press.cut(id, {"2700102": LAW + SOME * 3})
    await room.work()
    ended = await room.rank(HashingEncoder())
    assert {"1": Done, "2": Done, "3": Done, "4": Done} == {id: type(one) for id, one in ended.items()}
    found = list((await room.found()).values())
    assert ["1", "2", "3", "4"] == sorted(one["document_id"] for one in found)
    assert 1 == len({one["excerpt_id"] for one in found})


async def test_a_text_of_a_million_characters_is_searched_to_its_end(
    api: OpenSearchApi, index_name: str
) -> None:
    room = Newsroom(api, index_name, load_themes(REAL)[0])
    room.press.print("long", SOME * 11_000 + LAW + SOME * 5)
    await room.work()
    assert len(room.press.read(room.press.marks["long"]["texts"].facts["uri"])) > 1_100_000
    assert {"long": {"Biodiversidade", "Política Nacional do Meio Ambiente"}} == await room.subthemes()


async def test_what_a_theme_no_longer_looks_for_leaves_and_nothing_is_done_twice(
    api: OpenSearchApi, index_name: str
) -> None:
    theme = load_themes(REAL)[0]
    room = Newsroom(api, index_name, theme)
    room.press.print("1", LAW + SOME * 3)
    room.press.print("2", "Nos termos do código de águas. " + SOME * 3)
    room.press.print("3", SOME * 3)
    await room.work()
    assert {"1", "2"} == set(await room.subthemes())
    assert {} == await room.work()
    queries = tuple(query for query in theme.queries if query.title in ("Biodiversidade", "Mineração"))
    room.theme = replace(room.theme, queries=queries)
    assert {"1": "1", "2": "0", "3": "0"} == {
        id: one.facts["documents"] for id, one in (await room.work()).items()
    }
    assert {"1": {"Biodiversidade"}} == await room.subthemes()
    room.press.print("1", SOME * 4)
    assert ["1"] == list(await room.work())
    assert {} == await room.found()


class Counting(HashingEncoder):
    """Remembers how many texts it was asked for."""

    asked = 0

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        type(self).asked += len(texts)
        return super().encode(texts)


async def test_only_excerpts_without_a_score_are_scored(api: OpenSearchApi, index_name: str) -> None:
    query = Query(title="plano do clima", term_sets=((("clima",),),))
    room = Newsroom(api, index_name, Theme(name="Clima", index="clima", queries=(query,)))
    near, far = "O plano do clima, o plano do clima. " * 8, "Fala-se de clima e de outras coisas raras. " * 8
    room.press.print("near", near)
    room.press.print("far", far)
    await room.work()
    encoder = Counting(dimensions=4096)
    assert {"near", "far"} == set(await room.rank(encoder))
    found = {one["document_id"]: one["excerpt_embedding_score"] for one in (await room.found()).values()}
    assert found["near"] > found["far"] > 0
    assert 2 + 1 == Counting.asked
    assert {} == await room.rank(encoder)
    # A third one comes, and the first is looked through again: its score stays.
    room.press.print("third", "Nada sobre o clima. " * 20)
    room.press.print("near", near, edition_number="2")
    await room.work()
    await room.rank(encoder)
    assert 3 + 1 + 1 == Counting.asked
    scores = {one["document_id"]: one["excerpt_embedding_score"] for one in (await room.found()).values()}
    assert found == {id: scores[id] for id in found}
    assert {"near", "far", "third"} == set(await room.rank(HashingEncoder(dimensions=64)))
    hits = await api.call(
        "POST",
        f"/{room.theme.index}/_search",
        {"query": {"rank_feature": {"field": "excerpt_embedding_score"}}},
    )
    assert "near" == hits["hits"]["hits"][0]["_source"]["document_id"]


async def test_a_score_that_is_not_above_nothing_is_the_least_there_is(
    api: OpenSearchApi, index_name: str
) -> None:
    query = Query(title="clima", term_sets=((("clima",),),))
    room = Newsroom(api, index_name, Theme(name="Clima", index="clima", queries=(query,)))
    room.press.print("1", "O clima é outro. " * 20)

    class Opposite(HashingEncoder):
        def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
            sign = -1.0 if len(texts[0]) > 50 else 1.0
            return [Vector("f", [sign] + [0.0] * 63) for _ in texts]

    await room.work()
    await room.rank(Opposite(dimensions=64))
    assert [0.0001] == [one["excerpt_embedding_score"] for one in (await room.found()).values()]


async def test_an_index_that_was_lost_is_no_gazette_without_a_finding(
    api: OpenSearchApi, index_name: str
) -> None:
    room = Newsroom(api, index_name, load_themes(REAL)[0])
    room.press.print("1", LAW + SOME * 3)
    await room.work()
    await api.call("DELETE", f"/{index_name}-gazettes-first")
    room.theme = replace(room.theme, stopwords=("x",))
    ended = await room.work()
    assert isinstance(ended["1"], Delayed)
    assert "holds 0 of 1 documents of 1: it has to be made anew" in ended["1"].reason
    assert 1 == len(await room.found())
    await api.call("DELETE", f"/{room.theme.index}-first")
    late = (await room.rank(HashingEncoder()))["1"]
    assert isinstance(late, Delayed)


async def test_the_real_model_puts_what_is_on_the_theme_above_what_only_has_its_words(
    api: OpenSearchApi, index_name: str
) -> None:
    room = Newsroom(api, index_name, load_themes(REAL)[0])
    room.press.print(
        "fauna",
        "Nos termos da Lei Federal nº 12.651, de 25 de maio de 2012, o município cria a reserva de proteção "
        "da biodiversidade e da fauna nativa, com trilhas para a educação ambiental e o estudo das espécies "
        "ameaçadas.",
    )
    room.press.print(
        "office",
        "Fica aprovado o plano de cargos e salários dos servidores da secretaria da fazenda, ouvida a "
        "pesquisa sobre o clima nos setores; as gratificações e as férias vencidas serão pagas em três "
        "parcelas mensais.",
    )
    await room.work()
    await room.rank(UseEncoder())
    scores = {one["document_id"]: one["excerpt_embedding_score"] for one in (await room.found()).values()}
    assert scores["fauna"] > 1.2 * scores["office"] > 0
