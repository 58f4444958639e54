"""A run as a pod has it: it begins with empty folders, all else is read-only, and nothing is left of it but
what stands in PostgreSQL, S3 and the targets. The instance is that of deploy/kubernetes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest
import yaml
from dagster._cli.api import ExecuteRunArgs
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository

from ingest_project.entities.messages.spec import SPEC
from ingest_project.local.postgresql import database
from ingest_project.orchestration.partitions import range_tags
from ingest_project.resources.deployments import project_folder
from ingest_project.testing.running import RunningServer
from ingest_project_tests import helm, readback
from ingest_project_tests.conftest import missing
from ingest_project_tests.faults.world import DAY, World, record, wrapped

pytestmark = [
    pytest.mark.dagster,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # Dagster calls what it calls deprecated.
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run:DeprecationWarning"),
]

POD = """
set -e
room=$1; project=$2; shift 2
mount --make-rprivate /
mount --bind "$project" "$project"
mount -o remount,bind,ro "$project"
mount -t tmpfs tmpfs "$room"
mount -o remount,bind,ro /
mkdir "$room/home" "$room/tmp" "$room/state" "$room/local"
cd "$room/home"
exec setpriv --bounding-set=-all --no-new-privs -- "$@"
"""
"""A root that nobody can write to, and four empty folders in memory; no capability is left."""


def lacking() -> str:
    """Why there can be no pod here."""
    if os.geteuid() != 0:
        return "a mount namespace needs root"
    absent = [name for name in ("unshare", "setpriv", "mount") if shutil.which(name) is None]
    return f"{', '.join(absent)} is not installed" if absent else ""


def run_in_a_pod(
    instance: dg.DagsterInstance, recon: ReconstructableJob, room: Path, environ: Mapping[str, str]
) -> dg.DagsterRunStatus:
    """What the pod of a run over the whole date executes, with the environment that it gets."""
    run = instance.create_run_for_job(
        recon.get_definition(),
        tags=range_tags(DAY, SPEC.slots),
        job_code_origin=recon.get_python_origin(),
    )
    assert run.job_code_origin is not None
    arguments = ExecuteRunArgs(
        job_origin=run.job_code_origin, run_id=run.run_id, instance_ref=instance.get_ref()
    ).get_command_args()
    program = str(Path(sys.executable).with_name("dagster"))
    room.mkdir(exist_ok=True)
    command = ["unshare", "--mount", "sh", "-c", POD, "sh", str(room), str(project_folder())]
    done = subprocess.run(
        [*command, program, *arguments[1:]], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert [] == list(room.iterdir())
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    return ended.status


def test_a_pod_needs_of_the_plan_s_run_only_what_stands_outside_of_it(
    make_world: Callable[[], World],
    postgresql: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if reason := lacking():
        missing(reason)
    world, room, home = make_world(), tmp_path / "pod", tmp_path / "instance"
    content = [record(f"k{number}", f"a{number}") for number in range(50)]
    world.put(DAY, f"{world.table}-dump.json", wrapped(content), content)
    with database(postgresql.url) as storage, database(postgresql.url) as ledger:
        address = urlsplit(storage)
        values = yaml.safe_load((project_folder() / "deploy" / "kubernetes" / "values.yaml").read_text())
        values["postgresql"] |= {
            "postgresqlHost": address.hostname,
            "postgresqlUsername": address.username,
            "postgresqlDatabase": address.path[1:],
            "service": {"port": address.port},
        }
        home.mkdir()
        (home / "dagster.yaml").write_text(yaml.safe_dump(helm.instance_file(values)))
        environ = {
            **world.variables,
            "PATH": os.environ["PATH"],
            "HOME": str(room / "home"),
            "TMPDIR": str(room / "tmp"),
            "INGEST_HOME": str(room / "state"),
            "INGEST_LEDGER_URL": ledger,
            "INGEST_CREATE_TABLES": "always",
            "DAGSTER_HOME": str(home),
            "DAGSTER_LOCAL_STORAGE": str(room / "local"),
            "DAGSTER_PG_PASSWORD": "none",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
        elsewhere = {"INGEST_HOME": str(tmp_path / "home"), "DAGSTER_LOCAL_STORAGE": str(tmp_path / "local")}
        for name, value in {**environ, **elsewhere}.items():
            if name.startswith(("AWS_", "INGEST_", "OPENSEARCH_", "DAGSTER_")):
                monkeypatch.setenv(name, value)
        jobs = ReconstructableRepository.for_module("ingest_project.definitions", "defs")
        plan, load = (jobs.get_reconstructable_job(f"messages_{name}") for name in ("plan", "load"))
        with dg.DagsterInstance.from_config(str(home)) as instance:
            assert plan.get_definition().execute_in_process(instance=instance, partition_key=DAY).success
            ended = run_in_a_pod(instance, load, room, environ)
        works = readback.works(ledger).values()
    assert ended == dg.DagsterRunStatus.SUCCESS
    assert {"sealed"} == {row["state"] for row in works}
    assert world.expected() == world.in_table()
    assert world.expected() == world.in_index()
    assert world.stored_below("compute-logs/")
