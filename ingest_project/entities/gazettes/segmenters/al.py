"""Alagoas: the gazette of the association of its towns (AMA)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from ingest_project.entities.gazettes.segmenting import Cut, Part
from ingest_project.entities.gazettes.towns import plain

_STATE = "ESTADO DE ALAGOAS"
_HALL = "PREFEITURA MUNICIPAL DE "
_NO_TOWN = ("EDUCACAO", "VAMOS")
_BEHIND_NAME = re.compile(
    r"/\s*AL\b|-\s*AL\b|\b(GABINETE|PODER|SECRETARIA|PORTARIA|EXTRATO|ERRATA|SETOR|FUNDO|ATA DE|SUMULA"
    r"|RATIFICACAO)\b|HTTP"
)
_MARK = re.compile(r"CODIGO IDENTIFICADOR\s*:?\s*([0-9A-Z]*)")
_SPELLED = {"MAJOR IZIDORO": "MAJOR ISIDORO"}
_PAGE = re.compile(r"[\s\d|•-]*")
"""What may stand behind the header: the number of the page."""


class Alagoas:
    """A town's part begins with the names of state and town hall; each act ends with an identifying code."""

    association = "2700000"
    state_code = "AL"
    version = "1"

    def cut(self, text: str) -> Cut:
        lines = [line.strip() for line in text.strip().splitlines()]
        header = lines[0] if lines else ""
        if plain(header).startswith(_STATE):
            header = ""
        kept = [line for line in lines if not (header and _is_header(line, header))]
        bare = [plain(line) for line in kept]
        end = _end(bare)
        starts = [*_starts(bare[:end]), (end, ())]
        parts = [Part(names=(), text=_joined(kept[: starts[0][0]]))]
        for (start, names), (stop, _) in pairwise(starts):
            parts.append(Part(names=names, text=_joined(kept[start:stop])))
        return Cut(header=header, parts=[part for part in parts if part.text])


SEGMENTER = Alagoas()


def _is_header(line: str, header: str) -> bool:
    return line.startswith(header) and _PAGE.fullmatch(line, len(header)) is not None


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip()


def _end(bare: Sequence[str]) -> int:
    """Behind the last mark, and behind its code where that stands on the next line."""
    for at in range(len(bare) - 1, -1, -1):
        if (mark := _MARK.search(bare[at])) is not None:
            return at + 1 if mark[1] else min(at + 2, len(bare))
    return len(bare)


def _starts(bare: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Lines with which a town's part begins, and how the town may be called."""
    for at, line in enumerate(bare):
        if not line.startswith(_STATE):
            continue
        rest = line.removeprefix(_STATE).strip(" /-")
        # However many empty lines the end of a page left between them.
        below = list(islice(filter(None, islice(bare, at + 1, None)), 2))
        lines = [rest, *below] if rest else below
        if (
            lines
            and lines[0].startswith(_HALL)
            and (names := _names(lines[0].removeprefix(_HALL), lines[1:2]))
        ):
            yield at, names


def _names(first: str, second: Sequence[str]) -> tuple[str, ...]:
    """The name with its second line, and without; empty when it is no town's.

    A second line that is none of the name's is told by that no town is called so.
    """
    short = _name(first)
    if not short or any(word in short for word in _NO_TOWN):
        return ()
    if short != first.strip() or not second:
        return (short,)
    long = _name(f"{short} {second[0]}")
    return (short,) if long == short or any(word in long for word in _NO_TOWN) else (long, short)


def _name(text: str) -> str:
    """What stands in front of the words that belong to no name."""
    end = _BEHIND_NAME.search(text)
    name = " ".join(text[: end.start() if end else None].split()).strip(" -/.,")
    return _SPELLED.get(name, name)
