"""`ingest worker`: this host takes runs of a cluster's queues."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

QUEUES = "small,large"


@click.command()
@click.option("--queues", default=QUEUES, show_default=True, help="Queues to take runs from, by commas.")
@click.option("--at-once", type=click.IntRange(1, 256), default=1, show_default=True, help="Runs at once.")
@click.option("--name", default="", help="Tells workers of one host apart.  [default: a random one]")
@click.option("--log-level", default="INFO", show_default=True, help="Of the worker's own log.")
def worker(queues: str, at_once: int, name: str, log_level: str) -> None:
    """Take runs from a cluster's queues until it is stopped (docs/operations.md).

    SIGTERM lets the runs under way end. DAGSTER_HOME must be an instance like deploy/cluster.
    """
    import os
    import platform
    import uuid

    from ingest_project.core.errors import ConfigurationError
    from ingest_project.orchestration.pool import QUEUES as KNOWN
    from ingest_project.resources.deployments import child_environment, load_settings

    wanted = [word.strip() for word in queues.split(",") if word.strip()]
    if not wanted or not set(wanted) <= set(KNOWN):
        raise click.BadParameter(f"{queues!r} must be some of {', '.join(KNOWN)}", param_hint="--queues")
    settings = load_settings()
    if not (settings.dagster_home / "dagster.yaml").exists():
        raise ConfigurationError(f"DAGSTER_HOME: there is no dagster.yaml in {settings.dagster_home}")
    if not settings.broker_url:
        raise ConfigurationError("INGEST_BROKER_URL is not set: runs come through that Redis")
    # Containers may share a host name and count their processes alike.
    node = f"{name or uuid.uuid4().hex[:8]}@{platform.node()}"
    command = [sys.executable, "-m", "ingest_project.cli_worker", "--queues", ",".join(wanted)]
    command += ["--concurrency", str(at_once), "--hostname", node, "--loglevel", log_level]
    os.execve(command[0], command, child_environment(settings))


def serve(arguments: Sequence[str]) -> None:
    """The worker itself, in the environment of its deployment. What a run needs is imported once, here, and
    not by the process of each run."""
    from ingest_project import definitions
    from ingest_project.orchestration import celery_worker

    assert definitions.defs
    celery_worker.serve([*arguments, "--pool", "prefork", "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    serve(sys.argv[1:])
