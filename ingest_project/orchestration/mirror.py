"""The local inbox: a folder whose complete files are copied into the S3 inbox by runs of their own.

A run does the copying, not the sensor: a file of many gigabytes takes longer than a sensor may.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote, urlparse

import dagster as dg
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError

from ingest_project.core.entity import EntitySpec
from ingest_project.formats.manifests import is_manifest
from ingest_project.ledgers.files import FileEntry, FileRegister
from ingest_project.orchestration.retried import is_over
from ingest_project.resources.clients import IngestResource
from ingest_project.sources.inbox import DATE, DONE, is_dump

FILES_A_RUN = 50
MAX_ATTEMPTS = 5
REQUEST_TAG = "ingest/mirror"


class MirrorConfig(dg.Config):
    """Files to copy, as the sensor saw them; the two lists are of one length."""

    uris: list[str]
    etags: list[str]


def object_name(folder: Path, file: Path, today: str) -> str:
    """Key of a local file below the entity's inbox: its relative path, in the folder of its date.

    A path that names no date is put under ``today``, the day on which it arrived.
    """
    relative = file.relative_to(folder).as_posix()
    return relative if DATE.search(relative) else f"{today}/{relative}"


def path_of(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))


def build_mirror(spec: EntitySpec) -> tuple[dg.JobDefinition, dg.SensorDefinition]:
    """The job that copies files and the sensor that asks for it."""
    copy = _copy_op(spec)

    @dg.job(
        name=f"{spec.name}_mirror",
        executor_def=dg.in_process_executor,
        description="Copies complete files of the local inbox into the S3 inbox.",
    )
    def mirror() -> None:
        copy()

    return mirror, _mirror_sensor(spec, mirror)


def _copy_op(spec: EntitySpec) -> dg.OpDefinition:
    @dg.op(name=f"{spec.name}_copy_to_inbox")
    def copy(context: dg.OpExecutionContext, config: MirrorConfig, ingest: IngestResource) -> None:
        folder, ledger = ingest.local_inbox(spec.name), ingest.ledger()
        today = datetime.now(UTC).date().isoformat()
        failed: list[str] = []
        for uri, etag in zip(config.uris, config.etags, strict=True):
            path = path_of(uri)
            try:
                ingest.upload(spec.name, path, object_name(folder, path, today))
            except (OSError, BotoCoreError, ClientError, S3UploadFailedError) as error:
                failed.append(f"{path.name}: {error}")
                continue
            ledger.files.mark_consumed(uri, etag)
            context.log.info(f"copied {path.name}")
        if failed:
            raise dg.Failure(f"{len(failed)} files were not copied: {failed[:5]}", allow_retries=False)

    return copy


def _mirror_sensor(spec: EntitySpec, job: dg.JobDefinition) -> dg.SensorDefinition:
    register = f"{spec.name}:local"

    @dg.sensor(
        name=f"{spec.name}_local_inbox",
        job=job,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Has complete files of the local inbox folder copied into the S3 inbox.",
    )
    def local_inbox(context: dg.SensorEvaluationContext, ingest: IngestResource) -> dg.SensorResult:
        files = ingest.list_local(spec.name)
        done = {file.uri.removesuffix(DONE) for file in files if file.uri.endswith(DONE)}
        data = [file for file in files if is_copied(file.uri)]
        ledger = ingest.ledger()
        ledger.files.observe(data, entity=register, settle=ingest.settle_seconds, complete=done)
        return dg.SensorResult(run_requests=list(_asks(ledger.files, register, context.instance)))

    return local_inbox


def is_copied(uri: str) -> bool:
    """Dumps, and the manifests of exports; no hidden or half-written files."""
    return is_dump(uri) or is_manifest(uri)


def _asks(files: FileRegister, register: str, instance: dg.DagsterInstance) -> Iterator[dg.RunRequest]:
    """Runs for complete files that were not copied yet; those whose run died are asked for anew."""
    asked = sorted(files.list(register, state="requested"), key=lambda entry: entry.run)
    for request, group in groupby(asked, key=lambda entry: entry.run):
        entries = list(group)
        runs = instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: request.rpartition(":")[2]}), limit=1)
        if not runs:
            yield _request(request, entries)
        elif is_over(instance, runs[0]):
            _give_back(files, entries)
    fresh = files.pending(register, limit=FILES_A_RUN)
    if fresh:
        names = " ".join(sorted(entry.next_run for entry in fresh))
        request = f"{register}:{hashlib.sha256(names.encode()).hexdigest()[:16]}"
        for entry in fresh:
            files.mark_requested(entry.file.uri, entry.file.etag, run=request, date="", target="")
        yield _request(request, fresh)


def _give_back(files: FileRegister, entries: list[FileEntry]) -> None:
    """A finished run that left files uncopied: they become pending again, five times at most."""
    for entry in entries:
        files.mark_failed(entry.file.uri, entry.file.etag, "the run that copied it failed")
        if entry.attempts < MAX_ATTEMPTS:
            files.retry(entry.file.uri, entry.file.etag)


def _request(request: str, entries: Sequence[FileEntry]) -> dg.RunRequest:
    config = MirrorConfig(
        uris=[entry.file.uri for entry in entries], etags=[entry.file.etag for entry in entries]
    )
    op = f"{request.split(':')[0]}_copy_to_inbox"
    return dg.RunRequest(
        run_key=request,
        run_config=dg.RunConfig(ops={op: config}),
        tags={REQUEST_TAG: request.rpartition(":")[2]},
    )
