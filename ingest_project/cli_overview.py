"""`ingest status`, its part about imports: how far each file and all of it is, and the time left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ingest_project.core.overview import Advance, ImportAdvance

FILES_SHOWN = 50
"""Of an import that is under way so many files are listed, those at work first."""


def imports_of(imports: Sequence[ImportAdvance]) -> dict[str, Any]:
    """The imports in words that JSON knows."""
    return {"imports": [_import(one) for one in imports]}


def _import(one: ImportAdvance) -> dict[str, Any]:
    files = [{"uri": file.uri, "state": file.state, **_advance(file.advance)} for file in one.files]
    pace = {"seconds": round(one.seconds, 3), "rows_per_second": round(_rate(one), 1)}
    return {"entity": one.entity, "date": one.date, **_advance(one.advance), **pace, "files": files}


def _rate(one: ImportAdvance) -> float:
    """Rows a second of what has ended."""
    return one.rows / one.seconds if one.seconds > 0 else 0.0


def _advance(advance: Advance) -> dict[str, Any]:
    return {**asdict(advance), "share": round(advance.share, 4)}


def show_imports(imports: Sequence[ImportAdvance]) -> None:
    """A line an import, and the files of those that have not ended."""
    from ingest_project.cli_show import name_of, table
    from ingest_project.core.overview import FAILED, LOADED, QUEUED, WORKING

    for one in imports:
        counts = [f"{one.count(state):,} {state}" for state in (LOADED, WORKING, QUEUED, FAILED)]
        counts = [text for text in counts if not text.startswith("0 ")]
        name = f"{one.entity} {one.date}"
        click.echo(f"import {name}: {len(one.files):,} files: {', '.join(counts)}; {_text(one)}")
        open_files = [file for file in one.files if file.state in (WORKING, QUEUED)]
        open_files.sort(key=lambda file: file.state != WORKING)
        if open_files:
            columns = [("file", False), ("state", False), ("done", True), ("rows/s", True), ("left", True)]
            rows = [
                [name_of(file.uri), file.state, f"{file.advance.share:.0%}", *_pace(file.advance)]
                for file in open_files[:FILES_SHOWN]
            ]
            table("", columns, rows)
        if len(open_files) > FILES_SHOWN:
            click.echo(f"and {len(open_files) - FILES_SHOWN:,} more files")


def _text(one: ImportAdvance) -> str:
    rate, left = _pace(one.advance)
    words = [f"{one.advance.share:.0%} done".replace("%", " %")]
    words += [f"{rate}/s"] * bool(rate) + [f"{left} left"] * bool(left)
    if _rate(one):
        words.append(f"{one.rows:,} rows in {one.seconds:,.1f} s of work, {_rate(one):,.0f} rows/s")
    return ", ".join(words)


def _pace(advance: Advance) -> tuple[str, str]:
    from ingest_project.core.progress import duration

    rate = f"{advance.rate:,.0f}" if advance.rate else ""
    return rate, duration(advance.seconds_left) if advance.seconds_left else ""
