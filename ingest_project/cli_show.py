"""What the command line shows: bars while it works, tables at the end. rich is imported when it is needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from ingest_project.core.pressure import MemoryPolicy, Pressure
from ingest_project.core.progress import duration
from ingest_project.resources.importing import FileReport, ImportProgress, ImportReport

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

LINE_SECONDS = 2.0
TITLES = {"planned": "reading", "validated": "validating", "table": "table", "index": "index"}
REASONS_SHOWN = 5


def console(*, err: bool = False) -> Console:
    """The terminal, or plain text of a fixed width where there is none."""
    from rich.console import Console

    terminal = (sys.stderr if err else sys.stdout).isatty()
    return Console(stderr=err, highlight=False, width=None if terminal else 160)


class Bars:
    """A bar a stage on a terminal, else a line every two seconds; both on standard error, and in the log."""

    def __init__(self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._live = sys.stderr.isatty()
        self._bars: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._told: dict[str, float] = {}
        self._memory = ""

    def __enter__(self) -> Bars:
        if self._live:
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def __call__(self, news: ImportProgress) -> None:
        if self._bars is not None:
            self._draw(self._bars, news)
        if news.memory and news.memory != self._memory:
            self._memory = news.memory
            self._say(news.memory)
        last = self._told.get(news.stage)
        ended = news.done >= news.total
        if last is None or ended or self._clock() - last >= LINE_SECONDS:
            if last == float("inf") or not news.total:
                return
            self._told[news.stage] = float("inf") if ended else self._clock()
            text = line(news)
            self._log(text)
            if not self._live:
                click.echo(text, err=True)

    def _say(self, text: str) -> None:
        """A sentence above the bars, or a line among the others."""
        if self._bars is not None:
            self._bars.console.print(text)
        else:
            click.echo(text, err=True)

    def _draw(self, bars: Progress, news: ImportProgress) -> None:
        if news.stage not in self._tasks:
            title = TITLES.get(news.stage, news.stage)
            self._tasks[news.stage] = bars.add_task(title, total=news.total, rate="", left="")
        bars.update(
            self._tasks[news.stage], completed=news.done, total=news.total, rate=_rate(news), left=_left(news)
        )


def line(news: ImportProgress) -> str:
    """``table: 45 %, 1,130,000 of 2,500,000, 41,234/s, 0:00:33 left``"""
    done, total = (_amount(news, number) for number in (news.done, news.total))
    words = [
        f"{TITLES.get(news.stage, news.stage)}: {news.share:.0%}".replace("%", " %"),
        f"{done} of {total}",
    ]
    return ", ".join([*words, *filter(None, (_rate(news), _left(news)))])


def _amount(news: ImportProgress, number: float) -> str:
    return f"{number / 1e6:,.1f} MB" if news.stage == "planned" else f"{number:,.0f}"


def _rate(news: ImportProgress) -> str:
    return f"{_amount(news, news.rate)}/s" if news.rate else ""


def _left(news: ImportProgress) -> str:
    """Of the stage, and of everything where there is more to come."""
    words = [f"{duration(news.seconds_left)} left"] if news.seconds_left else []
    if news.all_left and news.all_left > (news.seconds_left or 0.0):
        words.append(f"{duration(news.all_left)} in all")
    return ", ".join(words)


def _bars() -> Progress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[left]}"),
        TimeElapsedColumn(),
        console=console(err=True),
    )


def table(title: str, columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; columns are (heading, whether it holds numbers)."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    made.padding = (0, 1, 0, 0)
    for heading, numbers in columns:
        made.add_column(heading, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    console().print(made)


FIRST_PRESSURE = MemoryPolicy().steps[0][0]


def pressure_line(seen: Pressure) -> str:
    """``memory up to 62 % of its budget: batches down to 500 rows, paused for 3.5 s``"""
    text = f"memory up to {seen.peak:.0%} of its budget".replace("%", " %")
    text += f": batches down to {seen.rows:,} rows"
    return f"{text}, paused for {seen.paused:,.1f} s" if seen.paused else text


NUMBERS = ("read", "written", "indexed", "superseded", "unchanged", "rejected")
RARE = ("superseded", "unchanged")


def summary_table(report: ImportReport) -> None:
    """The end of `ingest load`."""
    _files(report.files)
    for file in report.files:
        for reason, count in list(file.reasons.items())[:REASONS_SHOWN]:
            click.echo(f"{name_of(file.uri)}: {count:,} rejected: {reason}")
        if len(file.reasons) > REASONS_SHOWN:
            click.echo(f"{name_of(file.uri)}: and {len(file.reasons) - REASONS_SHOWN} other reasons")
        if file.error:
            click.echo(f"{name_of(file.uri)}: failed: {file.error}")
    for note in report.notes:
        click.echo(note)
    if report.undone:
        click.echo(f"Records are loaded, but not all that is made of them: {report.undone}")
    click.echo(
        f"{report.read:,} records in {report.seconds:,.1f} s, {report.items_per_second:,.0f} items/s, "
        f"peak memory {report.peak_rss_bytes / 2**20:,.0f} MB"
    )
    if report.read:
        click.echo(
            f"{report.success_rate:.2%} of the records went through, {report.failure_rate:.2%} were "
            f"rejected, {report.failed_files:,} files failed; {report.cpu_seconds:,.1f} s of processor, "
            f"{report.target_seconds:,.1f} s of requests"
        )
    if report.pressure.peak >= FIRST_PRESSURE:
        click.echo(pressure_line(report.pressure))
    if report.rejected and not report.dry_run:
        click.echo("Rejected records are kept: `ingest rejections list`")


def _files(files: Sequence[FileReport]) -> None:
    """One line a file; columns that are empty everywhere are left out."""
    names = [name for name in NUMBERS if name not in RARE or any(getattr(file, name) for file in files)]
    verdicts = [_verdict(file) for file in files]
    columns = [("file", False), ("table", False), *((name, True) for name in names)]
    rows = [
        [name_of(file.uri), file.table, *(f"{getattr(file, name):,}" for name in names)] for file in files
    ]
    if any(verdicts):
        columns.append(("", False))
        rows = [[*row, verdict] for row, verdict in zip(rows, verdicts, strict=True)]
    table("", columns, rows)


def name_of(uri: str) -> str:
    """The last step of an address, readable."""
    return PurePosixPath(unquote(uri)).name


def _verdict(file: FileReport) -> str:
    if file.error:
        return "failed"
    return "loaded before" if file.loaded_before else ""
