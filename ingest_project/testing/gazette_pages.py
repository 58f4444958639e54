"""Pages of made gazettes: a town's own, and an association's, in which many towns publish one after another.

Beside the pages stands what is to be found in them. Which files they become is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from ingest_project.testing import gazette_words as words
from ingest_project.testing.gazette_words import Territory

LINES = 68
"""Of a page of A4."""

_YEAR = "Janeiro Fevereiro Março Abril Maio Junho Julho Agosto Setembro Outubro Novembro Dezembro"
_MONTHS = _YEAR.split()
_HEADINGS = (
    "PODER EXECUTIVO",
    "GABINETE DO PREFEITO",
    "SECRETARIA MUNICIPAL DE FINANÇAS",
    "SETOR DE COMPRAS",
)
_ACTS = ("PORTARIA", "EXTRATO", "ERRATA", "ATA DE REGISTRO", "SÚMULA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """Pages and their truth; see gazette_files.GazetteFile."""

    pages: Sequence[Sequence[str]]
    segments: Mapping[str, str]
    passages: Mapping[str, tuple[str, ...]]


def town_pages(rng: Random, town: Territory, day: date, token: str, pages: float, passage: str) -> Composed:
    """A town's own gazette.

    Args:
        token: A word that no other gazette has.
        pages: About how many, in the mean.
        passage: Subtheme whose passage stands in it, or none.
    """
    wanted = max(1, round(rng.expovariate(1 / pages))) * LINES
    title = f"DIÁRIO OFICIAL DO MUNICÍPIO DE {town.name.upper()}"
    body = [title, f"{_day(day)} Protocolo {token}", ""]
    place = rng.randrange(1 + wanted // 3)
    while len(body) < wanted - 8:
        if passage and len(body) >= place:
            body += [*words.wrapped(words.PASSAGES[passage]), ""]
            place = wanted
        body += _act(rng, token)
    if passage and place < wanted:
        body += [*words.wrapped(words.PASSAGES[passage]), ""]
    return Composed(
        pages=[body[start : start + LINES] for start in range(0, len(body), LINES)],
        segments={},
        passages={passage: (town.id,)} if passage else {},
    )


def association_pages(rng: Random, association: Territory, day: date, token: str) -> Composed:
    """An association's gazette: parts of five to fourteen towns, some with two of them.

    The page header stands on every page, the text of the association itself in front of the towns in one of
    four, and its impressum behind the last mark.
    """
    state = association.state.upper()
    header = (
        f"{association.state} , {_day(day)} • Diário Oficial dos Municípios do Estado • ANO XII | Nº {token}"
    )
    chosen = rng.sample(words.towns(association.state_code), k=rng.randint(5, 14))
    body: list[str] = []
    found: dict[str, list[str]] = {}
    passages: dict[str, tuple[str, ...]] = {}
    if rng.random() < 0.25:
        body = found[association.id] = ["ASSOCIAÇÃO DOS MUNICÍPIOS", *_act(rng, token)]
    for at, town in enumerate([*chosen, *chosen[:2]]):
        part = [f"ESTADO DE {state}", *_heading(rng, town.name.upper()), "", *_act(rng, token)]
        if at == 1:
            # An office that calls itself a town hall: no town, but text of the one it stands in.
            part += [f"ESTADO DE {state}", "PREFEITURA MUNICIPAL DE EDUCAÇÃO E CULTURA", *_act(rng, token)]
        if at % 5 == 3:
            title = rng.choice(list(words.PASSAGES))
            part[-4:-4] = words.wrapped(words.PASSAGES[title])
            passages[title] = (*passages.get(title, ()), town.id)
        found.setdefault(town.id, []).extend(part)
        body = [*body, *part]
    body += [
        "Expediente:",
        f"Associação dos Municípios de {association.state}",
        "Diretoria e conselho fiscal",
    ]
    room = LINES - 2
    pages = [[header, "", *body[start : start + room]] for start in range(0, len(body), room)]
    segments = {id: " ".join(" ".join([header, *lines]).split()) for id, lines in found.items()}
    return Composed(pages=pages, segments=segments, passages=passages)


def _day(day: date) -> str:
    return f"{day.day:02d} de {_MONTHS[day.month - 1]} de {day.year}"


def _heading(rng: Random, name: str) -> list[str]:
    """The line that names the town, in the ways of those who publish."""
    if name == "MAJOR ISIDORO":
        name = "MAJOR IZIDORO"
    way = rng.randrange(6)
    if way == 0:
        name += "/AL"
    elif way == 1:
        name += " - AL"
    first, space, rest = name.rpartition(" ")
    if way == 2 and space and len(name) > 14:
        return [f"PREFEITURA MUNICIPAL DE {first}", rest]
    return [f"PREFEITURA MUNICIPAL DE {name}"]


def _act(rng: Random, token: str) -> list[str]:
    """One publication, up to the mark that closes it."""
    title = f"{rng.choice(_ACTS)} Nº {rng.randint(1, 999)}/{token}"
    body = [line for lines in words.paragraphs(rng, rng.randint(2, 5)) for line in lines]
    miss = [rng.choice(words.NEAR_MISSES)] if rng.random() < 0.1 else []
    company = [f"Empresa inscrita no CNPJ {words.cnpj(rng, valid=rng.random() < 0.7)}"][: rng.random() < 0.3]
    signed = ["Publicado por:", "Maria Aparecida dos Santos", f"Código Identificador: {words.code(rng)}"]
    return [rng.choice(_HEADINGS), title, *body, *miss, *company, *signed, ""]
