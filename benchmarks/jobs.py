"""Claims about whole jobs: memory over the size of a file, one worker and two, Dagster and `ingest load`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.claims import PEAK, Against, Claim, Column, Scale, Stage, times, usual_columns
from benchmarks.dynamodb_peers import batches, boto3_session
from benchmarks.frame import ALL_CORES, CLIENT_CORES, Done, Row, Work, service
from benchmarks.our_way import ingest_load
from benchmarks.samples import write_dump
from ingest_project import local
from ingest_project.local.ui import instance_file
from ingest_project.resources.deployments import DAGSTER_BATCH, Settings, project_folder
from ingest_project.resources.importing.importer import LEAST_PART, MOST_PART

DAY, NAME = "2026-11-02", "null-dump.json"
MB = 1 << 20

RECORDS = Column(title="records", of=lambda one: one.units, form=",.0f")
SECONDS = Column(title="seconds", of=lambda one: one.wall, form=",.1f", spread=True)


def load(name: str, url: str, file: Path, cores: frozenset[int], workers: int = 1) -> Row:
    home = file.with_name(f"home-{file.stem}-{workers}")
    given = {"url": url, "files": [str(file)], "home": home, "workers": workers}
    return Row(name=name, make=ingest_load, given=given, warm=False, cores=cores, ours=True)


@contextmanager
def memory(scale: Scale, folder: Path) -> Iterator[Stage]:
    sizes = scale.of((10, 40), (10, 100, 400), (10, 100, 400, 2560))
    with service("benchmarks.null_service") as server:
        files = {size: write_dump(folder / f"{size}.json", size * MB) for size in sizes}
        rows = [load(f"{size:,} MB", server.url, file, CLIENT_CORES) for size, file in files.items()]
        yield Stage(rows=rows, services=(server.pid,), note=MEMORY_NOTE)


DEFAULTS = Settings.from_env({}).limits
MEMORY_NOTE = (
    '`ingest load` of one `{"Items":[...]}` file into the null service, one worker, which is the only '
    "process of the call. Peak memory is the kernel's own account of it (VmHWM). Declared buffers: at most "
    f"{DEFAULTS.memory_bytes // MB} MiB of requests in flight (INGEST_MEMORY_MB) and two parts of "
    f"{LEAST_PART // MB} to {MOST_PART // MB} MiB; the peak lies below 128 MB and these. The last column is "
    "the smallest file's peak over this one's."
)


@contextmanager
def scaling(scale: Scale, folder: Path) -> Iterator[Stage]:
    file = write_dump(folder / NAME, scale.of(64, 256) * MB)
    with service("benchmarks.null_service", cores=ALL_CORES) as server:
        rows = [
            load("1 worker", server.url, file, ALL_CORES),
            load("2 workers", server.url, file, ALL_CORES, workers=2),
        ]
        yield Stage(rows=rows, services=(server.pid,), note=SCALING_NOTE)


SCALING_NOTE = (
    "`ingest load` of a file of 16 chunks, nothing pinned: workers, the process that watches them and the "
    "service share all cores. Planning is one process's work with any number of workers."
)


@contextmanager
def object_store(folder: Path) -> Iterator[Mapping[str, str]]:
    """An S3 server of our own; yields the variables with which it is reached."""
    home = folder / "services"
    try:
        yield local.up(home, names=("s3",), usual_ports=False, tied=True).variables
    finally:
        local.down(home, grace=1.0)


def s3_of(variables: Mapping[str, str]) -> Any:
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )


@contextmanager
def dagster(scale: Scale, folder: Path) -> Iterator[Stage]:
    path = write_dump(folder / NAME, scale.of(16, 512) * MB)
    with object_store(folder) as found, service("ingest_project.testing.fault_server") as server:
        bucket, key = found["INGEST_BUCKET"], f"inbox/messages/{DAY}/{NAME}"
        s3_of(found).upload_file(str(path), bucket, key)
        services = {"AWS_ENDPOINT_URL_DYNAMODB": server.url, "OPENSEARCH_URL": server.url}
        # Installed packages are compiled; an environment that forbids it has each start compile.
        compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        variables = {**found, **services, **compiled, "INGEST_PART_STORE": "local", "INGEST_WORKERS": "1"}
        cli = {"url": server.url, "files": [f"s3://{bucket}/{key}"], "variables": variables}
        job = {"variables": variables, "home": folder / "home"}
        script = {"variables": variables, "bucket": bucket, "key": key, "items": scale.of(1_000, 3_000)}
        rows = [
            Row(name=LOAD, make=ingest_load, given={**cli, "home": folder / "load"}, warm=False, ours=True),
            Row(name=JOB, make=dagster_job, given=job, warm=False, ours=True),
            Row(name=SCRIPT, make=plain_script, given=script, needs=("ijson",)),
        ]
        yield Stage(rows=rows, services=(server.pid,), note=DAGSTER_NOTE)


LOAD, JOB, SCRIPT = "ingest load", "Dagster, 16 partitions", "plain script"
DAGSTER_NOTE = (
    "One file in an S3 inbox into a table and an index, parts on disk in both cases, one worker. "
    f"`{JOB}` is one process that plans the date and loads its 16 slots in one run, on SQLite, with all "
    f"checks but those that read back; imports are part of it, as they are of `{LOAD}`. `{SCRIPT}` is ijson, "
    "batch_writer and helpers.bulk over the first records of the file, without its imports."
)


def dagster_job(variables: Mapping[str, str], home: Path) -> Work:
    """The deployment's own jobs, each time with an empty ledger and an instance that knows no run."""
    empty = home.with_name("empty-instance")
    places = {"INGEST_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    environ = {**os.environ, "DAGSTER_EVENT_BATCH_SIZE": DAGSTER_BATCH, **variables, **places}
    command = [sys.executable, "-m", "benchmarks.dagster_job"]

    def call(*words: str, at: Path) -> str:
        done = subprocess.run(
            [*command, *words], env={**environ, "DAGSTER_HOME": str(at)}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"benchmarks.dagster_job: {done.stderr[-4000:]}")
        return done.stdout

    empty.mkdir(parents=True)
    (empty / "dagster.yaml").write_text(instance_file(project_folder()))
    call(at=empty)

    def work() -> Done:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(empty, home / "dagster")
        found = json.loads(call(DAY, at=home / "dagster"))
        figures = {"events": found["events"], "chunks": found["chunks"], "imports": found["imports"]}
        return Done(units=found["written"], peak=found["peak"], figures=figures)

    return work


def plain_script(variables: Mapping[str, str], bucket: str, key: str, items: int) -> Work:
    """What one writes first: stream the file, put each record into the table and the index."""
    import itertools

    import ijson
    from opensearchpy import OpenSearch, helpers

    s3 = s3_of(variables)
    table = (
        boto3_session()
        .resource("dynamodb", endpoint_url=variables["AWS_ENDPOINT_URL_DYNAMODB"])
        .Table("null")
    )
    client = OpenSearch(hosts=[variables["OPENSEARCH_URL"]])

    def work() -> Done:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        records = itertools.islice(ijson.items(body, "Items.item"), items)
        with table.batch_writer() as writer:
            for batch in batches(records):
                for record in batch:
                    writer.put_item(Item=record)
                helpers.bulk(client, ({"_index": "null", "_id": one["id"], "_source": one} for one in batch))
        return Done(units=items)

    return work


CLAIMS = (
    Claim(
        name="memory",
        family="memory",
        title="Peak memory over the size of the file",
        unit="item",
        columns=(
            RECORDS,
            SECONDS,
            *usual_columns("item")[:2],
            Column(title="peak MB", of=PEAK.of, form=".1f", spread=True),
        ),
        against=(Against(peer="10 MB", title="x 10 MB, memory", cost=lambda one: one.peak, gated=True),),
        prepare=memory,
        rounds={"short": 1, "usual": 3, "full": 3},
    ),
    Claim(
        name="scaling",
        family="scaling",
        title="One worker and two",
        unit="item",
        columns=(SECONDS, *usual_columns("item")),
        against=times("1 worker", "1 worker", clock=True),
        prepare=scaling,
    ),
    Claim(
        name="dagster",
        family="dagster",
        title="The whole job through Dagster and by the command line",
        unit="item",
        columns=(SECONDS, *usual_columns("item")),
        against=times(LOAD, LOAD, clock=True, gated=True),
        prepare=dagster,
        rounds={"short": 1, "usual": 3},
    ),
)
