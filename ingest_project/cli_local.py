"""`ingest services`, `up`, `down`, `demo` and `doctor`: this machine's servers and Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ingest_project.local.ui import Ui
    from ingest_project.resources.deployments import Settings

SECONDS, SECONDS_WITH_OTHERS = 60.0, 180.0
"""For servers to come up."""


@click.group()
def services() -> None:
    """The servers of this machine: embedded S3, DynamoDB and OpenSearch, and others by name."""


@services.command(name="up")
@click.option("--with", "others", metavar="SERVER", multiple=True, help="Another server; can be repeated.")
@click.option("--all", "everything", is_flag=True, help="All servers that can be had here.")
@click.option(
    "--set", "turned", metavar="SERVER:KEY=VALUE", multiple=True, help="A word of a server's configuration."
)
def services_up(others: tuple[str, ...], everything: bool, turned: tuple[str, ...]) -> None:
    """Start what does not run; print the addresses.

    The embedded three are always started. A real server that serves the same as one of them takes its place
    in the addresses: `--with opensearch-node`, `--with dynalite`. See also docs/servers.md.
    """
    from ingest_project import local
    from ingest_project.local.catalogue import EMBEDDED, SERVERS
    from ingest_project.resources.deployments import load_settings

    settings = load_settings()
    names = {*EMBEDDED, *others}
    if everything:
        names |= set(SERVERS) - set(fetch_all(list(SERVERS), settings.cache))
    words = _turned(turned)
    if strangers := set(words) - names:
        raise click.BadParameter(f"{', '.join(strangers)} is not started", param_hint="--set")
    stack = local.up(settings.home, names=names, settings=words, cache=settings.cache, timeout=120.0)
    for name, value in stack.variables.items():
        click.echo(f"{name}={value}")


@services.command(name="fetch")
@click.argument("names", metavar="[SERVER]...", nargs=-1)
def services_fetch(names: tuple[str, ...]) -> None:
    """Fetch servers into the cache, all by default. Exit status 1 when one that should be cannot be had."""
    from ingest_project.local.catalogue import SERVERS
    from ingest_project.resources.deployments import load_settings

    missing = fetch_all(names or list(SERVERS), load_settings().cache)
    if any(not SERVERS[name].optional for name in missing):
        raise click.exceptions.Exit(1)


def fetch_all(names: Sequence[str], cache: Path | None) -> list[str]:
    """Fetch each and say what could not be had; returns the names of those."""
    from ingest_project import local
    from ingest_project.local.cache import ServerMissing

    missing = []
    for name in names:
        try:
            local.obtain((name,), cache)
        except ServerMissing as error:
            click.echo(f"{name} cannot be had: {error}", err=True)
            missing.append(name)
        else:
            click.echo(f"{name} is there", err=True)
    return missing


def _turned(words: Sequence[str]) -> dict[str, dict[str, str]]:
    """Server -> its settings, from ``SERVER:KEY=VALUE``."""
    settings: dict[str, dict[str, str]] = {}
    for word in words:
        server, colon, rest = word.partition(":")
        key, equals, value = rest.partition("=")
        if not (colon and equals and key):
            raise click.BadParameter(f"{word!r} must be SERVER:KEY=VALUE", param_hint="--set")
        settings.setdefault(server, {})[key] = value
    return settings


@services.command(name="down")
def services_down() -> None:
    """Stop what runs."""
    from ingest_project import local
    from ingest_project.resources.deployments import load_settings

    for name, word in local.down(load_settings().home).items():
        click.echo(f"{name}: {word}")


@services.command(name="status")
def services_status() -> None:
    """Show each server. Exit status 1 when one does not run."""
    from ingest_project import local
    from ingest_project.cli_show import table
    from ingest_project.resources.deployments import load_settings

    found = local.status(load_settings().home)
    rows = [
        [one.title, one.version, one.name, one.state, one.endpoint, str(one.pid or ""), one.note]
        for one in found
    ]
    columns = [(name, False) for name in ("server", "version", "name", "state", "address", "pid", "note")]
    table("", columns, rows)
    if any(one.state != "up" for one in found):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--with", "others", metavar="SERVER", multiple=True, help="Another server; can be repeated.")
def up(others: tuple[str, ...]) -> None:
    """Start the embedded services and Dagster, and keep them running."""
    settings, ui, _ = start_all({}, others)
    click.echo(f"Dagster:  {ui.url}")
    click.echo(f"Inbox:    {settings.inbox / 'messages'}")
    click.echo("          a dump file that is put there is loaded; its table is named after it")
    click.echo("Look:     ingest status, ingest rejections list")
    click.echo("Stop:     ingest down")


@click.command()
def down() -> None:
    """Stop Dagster and the embedded services."""
    from ingest_project.resources.deployments import load_settings

    stop_all(load_settings())


@click.command()
@click.option("--gazettes", is_flag=True, help="Thirty made gazettes instead; needs PostgreSQL and Java.")
@click.option("--keep", is_flag=True, help="Leave everything running.")
@click.option("--timeout", default=300.0, show_default=True, help="Seconds to wait for the files.")
def demo(gazettes: bool, keep: bool, timeout: float) -> int:
    """Load sample dumps through Dagster, from nothing, and print what became of them."""
    if gazettes:
        from ingest_project.cli_demo_gazettes import run_gazettes_demo

        return run_gazettes_demo(keep=keep, timeout=timeout)
    from ingest_project.cli_demo import run_demo

    return run_demo(keep=keep, timeout=timeout)


@click.command()
def doctor() -> None:
    """Check everything that is needed and say what to do. Exit status 1 when something fails."""
    from ingest_project.core.errors import ConfigurationError
    from ingest_project.resources.deployments import load_settings, project_folder
    from ingest_project.resources.doctor import FAIL, examine

    failed = False
    try:
        for finding in examine(load_settings(), project_folder()):
            failed = failed or finding.state == FAIL
            _say(finding.state, f"{finding.name}: {finding.text}", finding.advice)
    except ConfigurationError as error:
        failed = True
        _say(FAIL, f"configuration: {error}", "docs/configuration.md")
    if failed:
        raise click.exceptions.Exit(1)


def _say(state: str, text: str, advice: str) -> None:
    click.echo(f"{state:4}  {text}")
    if advice:
        click.echo(f"      -> {advice}")


def start_all(turned: dict[str, str], others: Sequence[str] = ()) -> tuple[Settings, Ui, bool]:
    """Services and Dagster up; whether Dagster ran before. What is configured elsewhere is not started.

    Args:
        others: Servers beside the embedded three.
    """
    from ingest_project import local
    from ingest_project.local import ui
    from ingest_project.local.catalogue import EMBEDDED
    from ingest_project.resources.deployments import load_settings

    settings = load_settings()
    if settings.embedded or not _configured(settings):
        click.echo("starting the embedded services ...", err=True)
        wait = SECONDS_WITH_OTHERS if others else SECONDS
        local.up(settings.home, names={*EMBEDDED, *others}, cache=settings.cache, timeout=wait)
        settings = load_settings()
    ran = ui.running(settings.home) is not None
    click.echo("Dagster runs already" if ran else "starting Dagster ...", err=True)
    return settings, start_ui(settings, turned), ran


def start_ui(settings: Settings, turned: dict[str, str]) -> Ui:
    """Dagster up.

    Args:
        turned: Variables that it is told in place of the environment's.
    """
    from ingest_project.local import ui
    from ingest_project.resources.deployments import child_environment, project_folder

    (settings.inbox / "messages").mkdir(parents=True, exist_ok=True)
    return ui.up(settings.home, project_folder(), child_environment(settings, turned))


def stop_all(settings: Settings, *, services_too: bool = True) -> None:
    """Dagster down, and the embedded services."""
    from ingest_project import local
    from ingest_project.local import ui

    click.echo(f"dagster: {ui.down(settings.home)}", err=True)
    for name, word in (local.down(settings.home) if services_too else {}).items():
        click.echo(f"{name}: {word}", err=True)


def _configured(settings: Settings) -> bool:
    return any((settings.s3_endpoint, settings.dynamodb_endpoint, settings.opensearch_endpoint))
