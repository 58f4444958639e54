"""docs/benchmarks.md: kept results as tables between the page's marks. The words around them are its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.claims import Claim

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_PLOT = re.compile(r"(<!-- plot: (?P<family>[\w-]+), (?P<words>[^>]*) -->\n)(?:!\[.*\n)?")
_MARKED = re.compile(r"(<!-- claim: (?P<name>[\w-]+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def filled(
    text: str, claims: Sequence[Claim], kept: Callable[[str], table.Result | None] = table.kept
) -> str:
    """The page with each claim's last kept result.

    Raises:
        KeyError: The page names a claim that there is not.
    """
    known = {claim.name: claim for claim in claims}

    def section(mark: re.Match[str]) -> str:
        claim = known[mark["name"]]
        result = kept(claim.name)
        return f"{mark[1]}{_shown(claim, result)}"

    return _PLOT.sub(_plot, _MARKED.sub(section, text))


def _plot(mark: re.Match[str]) -> str:
    """The picture, once it is there."""
    path = Path("images", f"bench-{mark['family']}.png")
    return f"{mark[1]}![{mark['words']}]({path})\n" if (PAGE.parent / path).exists() else mark[1]


def _shown(claim: Claim, result: table.Result | None) -> str:
    head = f"\n**{claim.title}** (`{claim.name}`)\n\n"
    if result is None:
        return f"{head}Not measured yet.\n\n"
    made = f"{result.made}, {table.rounds_of(result)}, {result.machine}"
    shown = "\n".join(table.lines(claim, result))
    return f"{head}{shown}\n\n{made}.\n\n"


def fill(claims: Sequence[Claim]) -> None:
    PAGE.write_text(filled(PAGE.read_text(), claims))
