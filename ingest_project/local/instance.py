"""Dagster's home below the state folder: its dagster.yaml comes from the project. Starts nothing."""

from __future__ import annotations

from pathlib import Path

from ingest_project.core.errors import ConfigurationError


def prepare_dagster_home(dagster_home: Path, project: Path) -> Path:
    """Make the folder, with the project's dagster.yaml when it has none. An existing file is never touched.

    Args:
        dagster_home: What DAGSTER_HOME is to be.
        project: Folder of the checkout.

    Raises:
        ConfigurationError: There is no dagster.yaml to take.
    """
    target = dagster_home / "dagster.yaml"
    if target.exists():
        return dagster_home
    source = project / "dagster.yaml"
    if not source.exists():
        raise ConfigurationError(f"{source} is missing; set DAGSTER_HOME to a folder with a dagster.yaml")
    dagster_home.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return dagster_home
