"""The project's doors: Makefile, CI, pins, Dagster's instance files and workspace are what they must be."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingest_project.local.postgresql import database
from ingest_project.testing.running import RunningServer

PROJECT = Path(__file__).resolve().parents[1]
SQLITE = PROJECT / "dagster.yaml"
POSTGRES = PROJECT / "deploy" / "postgres" / "dagster.yaml"
CLUSTER = PROJECT / "deploy" / "cluster" / "dagster.yaml"
STORAGE = ("storage", "event_log_storage", "local_artifact_storage", "compute_logs")


def read_yaml(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_instance_files_differ_in_storage_launcher_and_what_counts_as_not_started() -> None:
    documents = [read_yaml(SQLITE), read_yaml(POSTGRES), read_yaml(CLUSTER)]
    starts = [each["run_monitoring"].pop("start_timeout_seconds") for each in documents]
    assert [180, 180, documents[2]["run_monitoring"]["max_runtime_seconds"]] == starts
    apart = (*STORAGE, "run_launcher")
    one, other, cluster = [{n: value for n, value in each.items() if n not in apart} for each in documents]
    assert one == other == cluster


def check_instance(instance: Any) -> None:
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled
    assert instance.run_coordinator.dequeue_interval_seconds == 1
    assert instance.run_monitoring_enabled
    assert instance.get_settings("run_monitoring")["free_slots_after_run_end_seconds"] == 30
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries == 2
    assert not instance.get_settings("run_retries")["retry_on_asset_or_op_failure"]
    assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 6


@pytest.mark.dagster
def test_the_instance_file_loads_on_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster import DagsterInstance

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(SQLITE, tmp_path)
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        check_instance(instance)
        assert instance.get_runs() == []
        assert "Sqlite" in type(instance.event_log_storage).__name__


def test_the_instance_file_needs_no_environment() -> None:
    assert "env:" not in SQLITE.read_text()


@pytest.fixture
def postgres_database(postgresql: RunningServer) -> Iterator[str]:
    with database(postgresql.url) as url:
        yield url


@pytest.mark.dagster
def test_the_instance_file_loads_on_postgresql(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster import DagsterInstance

    driver = postgres_database.replace("postgresql://", "postgresql+psycopg2://")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", driver)
    monkeypatch.setenv("DAGSTER_LOCAL_STORAGE", str(tmp_path))
    with DagsterInstance.from_config(str(POSTGRES.parent)) as instance:
        check_instance(instance)
        assert instance.get_runs() == []
        assert "Postgres" in type(instance.event_log_storage).__name__
        assert "Postgres" in type(instance.schedule_storage).__name__


@pytest.mark.dagster
def test_the_instance_file_of_a_cluster_loads(
    tmp_path: Path, postgres_database: str, redis: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster import DagsterInstance

    driver = postgres_database.replace("postgresql://", "postgresql+psycopg2://")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", driver)
    monkeypatch.setenv("DAGSTER_LOCAL_STORAGE", str(tmp_path))
    monkeypatch.setenv("INGEST_BROKER_URL", redis.url)
    monkeypatch.setenv("INGEST_BUCKET", "some-bucket")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with DagsterInstance.from_config(str(CLUSTER.parent)) as instance:
        check_instance(instance)
        launcher = instance.run_launcher
        assert "WatchedCeleryRunLauncher" == type(launcher).__name__
        assert (True, False) == (launcher.supports_check_run_worker_health, launcher.supports_resume_run)
        assert "S3ComputeLogManager" == type(instance.compute_log_manager).__name__
        assert instance.run_monitoring_max_resume_run_attempts == 0


def test_the_workspace_names_the_definitions() -> None:
    module = read_yaml(PROJECT / "workspace.yaml")["load_from"][0]["python_module"]["module_name"]
    assert module == "ingest_project.definitions"
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "dagster" not in project["tool"], (
        "pyproject's [tool.dagster] would win over workspace.yaml silently"
    )


def pins() -> dict[str, str]:
    found = {}
    for line in (PROJECT / "constraints.txt").read_text().splitlines():
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+]+)", line)
        assert match, f"constraints.txt: {line!r} is no exact pin"
        found[canonical(match[1])] = match[2]
    return found


def test_every_dependency_is_pinned_exactly_and_without_an_address() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(entry for extra in project["optional-dependencies"].values() for entry in extra),
    ]
    names = {canonical(match[0]) for entry in wanted if (match := re.match(r"[A-Za-z0-9._-]+", entry))}
    assert names - {canonical(project["name"])} - set(pins()) == set()


def test_the_dagster_packages_are_pinned_as_one_set() -> None:
    found = {name: version for name, version in pins().items() if name.startswith("dagster")}
    core = {found[name] for name in ("dagster", "dagster-webserver", "dagster-graphql", "dagster-shared")}
    libraries = {found[name] for name in ("dagster-aws", "dagster-celery", "dagster-postgres")}
    assert (len(core), len(libraries)) == (1, 1)
    assert metadata.version("dagster") in core


def test_make_help_names_every_target_of_the_readme() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(PROJECT)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    listed = set(re.findall(r"^  make ([a-z]+)", done.stdout, re.MULTILINE))
    assert {"help", "demo", "up", "down", "test", "check", "bench"} <= listed


def test_make_refuses_an_old_python_in_words(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "-C", str(PROJECT), f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", "install"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stdout
    assert not (tmp_path / "venv").exists()


def test_every_marked_part_of_the_suite_is_run_once_by_make_test() -> None:
    text = (PROJECT / "Makefile").read_text()
    (fast,) = re.findall(r"^FAST := (.*)$", text, re.MULTILINE)
    recipe = text[text.index("\ntest:") :].partition("\n\n")[0]
    parts = [part.replace("$(FAST)", fast) for part in re.findall(r"-m '(.*)'", recipe)]
    words = ("servers", "dagster", "slow", "browser")
    for number in range(2 ** len(words)):
        marks = {word: bool(number >> place & 1) for place, word in enumerate(words)}
        assert sum(bool(eval(part, {}, marks)) for part in parts) == 1, marks


def test_the_ci_script_is_sound_shell() -> None:
    script = PROJECT / ".ci" / "run"
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=10)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert "INGEST_REQUIRE_SERVERS=1" in text
