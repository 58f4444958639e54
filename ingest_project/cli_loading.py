"""What `ingest load` does once its options are read: the call, its bar, its log, its last words."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from ingest_project.api import DUMPS, entity_spec, follow_of, own_key
from ingest_project.cli_show import Bars, summary_table
from ingest_project.core.errors import ConfigurationError, TargetMissing
from ingest_project.resources.deployments import Settings, load_settings, parse_key_schema
from ingest_project.resources.importing import ImportOptions, ImportReport, find_files, import_files
from ingest_project.resources.process import spare_collector


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The options of `ingest load`, by their names there."""

    paths: tuple[str, ...]
    entity: str | None
    table: str | None
    index: str | None
    with_index: bool | None
    pattern: str
    workers: int | None
    at_once: int | None
    chunks: frozenset[str]
    dry_run: bool
    as_json: bool
    create_table: bool
    key: str | None
    endpoint: str | None
    region: str | None
    again: bool
    log_file: Path | None

    def settings(self) -> Settings:
        """The deployment, with what was given on the command line."""
        turned = {"AWS_ENDPOINT_URL_DYNAMODB": self.endpoint, "AWS_REGION": self.region}
        return load_settings(turned={name: value for name, value in turned.items() if value})

    def options(self) -> ImportOptions:
        return ImportOptions(
            table=self.table,
            index=self.index,
            with_index=self.with_index,
            key=parse_key_schema(self.key, "--key") if self.key else None,
            create_table=self.create_table,
            workers=self.workers,
            at_once=self.at_once,
            chunks=self.chunks,
            dry_run=self.dry_run,
            again=self.again,
        )


def run_load(call: Call) -> int:
    """Load; the exit status."""
    spare_collector()
    entity = call.entity or DUMPS
    settings, spec, follow = call.settings(), entity_spec(entity), follow_of(entity)
    options = own_key(spec, call.options())
    try:
        files = find_files(call.paths, settings, call.pattern)
    except TargetMissing as error:
        raise ConfigurationError(str(error)) from error
    if call.index and not call.table and len(files) > 1:
        raise ConfigurationError("--index for several files needs --table: one index holds one table")
    with ExitStack() as stack:
        log = stack.enter_context(_Log(call.log_file))
        bars = stack.enter_context(Bars(log))
        log(f"load {len(files)} files: {' '.join(call.paths)}")
        try:
            report = import_files(spec, files, options, settings=settings, watch=bars, log=log, follow=follow)
        except KeyboardInterrupt:
            bars.stop()
            log("interrupted")
            again = shlex.join(["ingest", *sys.argv[1:]])
            click.echo(f"Interrupted. What is loaded stays; this goes on from there:\n  {again}", err=True)
            return 130
        log(json.dumps(report.as_dict()))
    _tell(report, as_json=call.as_json)
    return 0 if report.ok else 1


def _tell(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_dict(), indent=2))
        return
    summary_table(report)


class _Log:
    """The log file, a line an event, flushed at once so that it can be followed; nothing without a file."""

    def __init__(self, path: Path | None, now: Callable[[], datetime] = datetime.now) -> None:
        self._path, self._now = path, now

    def __enter__(self) -> Callable[[str], None]:
        if self._path is None:
            return lambda text: None
        try:
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise ConfigurationError(f"--log-file {self._path}: {error.strerror}") from error
        return self._write

    def __exit__(self, *error: object) -> None:
        if self._path is not None:
            self._file.close()

    def _write(self, text: str) -> None:
        stamp = self._now().astimezone().isoformat(timespec="milliseconds")
        self._file.write(f"{stamp} {text}\n")
