"""IngestResource: configuration in, ready engines out, for Dagster. Assets, sensors and IO managers know only
this one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import ChunkPlan, SourceFile
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.assembly import Assembly, part_store, plan_store
from ingest_project.resources.audit import Audit
from ingest_project.resources.connect import s3_client
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings, load_settings
from ingest_project.resources.engine import Engine
from ingest_project.resources.index_keeper import IndexKeeper
from ingest_project.resources.knobs import Knobs, knobs_of
from ingest_project.resources.planner import Log, PlanOutcome
from ingest_project.resources.policies import BatchingPolicy, MemoryPolicy, RetryingPolicy
from ingest_project.resources.replaying.report import ReplayReport
from ingest_project.resources.replaying.work import ReplayOptions, replay
from ingest_project.resources.replaying.worlds import Worlds
from ingest_project.resources.verdicts import DateView
from ingest_project.resources.visits import Visit
from ingest_project.sinks.plans import PlanStore
from ingest_project.sources.dumps import list_files
from ingest_project.sources.inbox import Inbox


class IngestResource(dg.ConfigurableResource[Any]):
    """One deployment as Dagster sees it: services and places from the environment, limits from the three
    policies."""

    batching: dg.ResourceDependency[BatchingPolicy]
    retrying: dg.ResourceDependency[RetryingPolicy]
    memory: dg.ResourceDependency[MemoryPolicy]
    settle_seconds: float = Field(
        default=4.0, ge=0, description="A file is complete when it stayed the same for so long."
    )
    home: str | None = Field(default=None, description="State folder; INGEST_HOME when it is not set.")

    def settings(self) -> Settings:
        return load_settings(Path(self.home) if self.home else None)

    def knobs(self) -> Knobs:
        """The deployment's limits with the policies' on top of them."""
        turned = {**self.batching.knobs(), **self.retrying.knobs(), **self.memory.knobs()}
        return replace(knobs_of(self.settings()), **turned)

    def assembly(self, spec: EntitySpec, owner: str) -> Assembly:
        settings = self.settings()
        return Assembly(
            settings=settings,
            spec=spec,
            owner=owner,
            knobs=self.knobs(),
            create_tables=settings.may_create_table(),
        )

    def engine(self, spec: EntitySpec, owner: str) -> Engine:
        """A new engine; use it as a context manager."""
        return self.assembly(spec, owner).engine()

    def plan(self, spec: EntitySpec, owner: str, day: str, log: Log) -> PlanOutcome:
        """Add what is new in the inbox to the date's plan; files that cannot be planned are marked failed."""
        assembly = self.assembly(spec, owner)
        files = self.files_of(spec, day)
        with assembly.engine() as engine:
            made = assembly.planner(engine).plan(self.plans().read(spec.name, day), day, files, log)
            etags = {file.uri: file.etag for file in files}
            for uri, reason in made.refused.items():
                engine.ledger.files.mark_failed(uri, etags[uri], reason)
        return made

    def crew(self, spec: EntitySpec, owner: str) -> Crew:
        """A new crew of as many processes as the knobs say; use it as a context manager."""
        return Crew(self.assembly(spec, owner))

    def visit(self, spec: EntitySpec, owner: str) -> Visit:
        """Begins and reads syncs of the entity; use it as a context manager."""
        return Visit(spec, self.settings(), owner)

    def view(self, spec: EntitySpec, day: str) -> DateView:
        """One date's plan and what the ledger has of it."""
        plan = self.plans().read(spec.name, day) or ChunkPlan(entity=spec.name, date=day, slots=spec.slots)
        rows = self.ledger().status(spec.name, day)
        return DateView(plan=plan, rows=rows, stages=("validated", *spec.destinations))

    def audit(self, spec: EntitySpec) -> Audit:
        """What the checks look at; use it as a context manager."""
        settings = self.settings()
        return Audit(self.engine(spec, "check"), plan_store(settings), part_store(settings))

    def replay(self, spec: EntitySpec, owner: str, options: ReplayOptions, log: Log) -> ReplayReport:
        """Send rejections of the entity once more; see resources.replaying."""
        worlds = Worlds(
            settings=self.settings(),
            spec=lambda name: spec,
            owner=owner,
            assemble=lambda spec: self.assembly(spec, owner),
        )
        return replay(worlds, options, log)

    def restore_indices(self) -> list[str]:
        """Give indices that a killed load left in load mode their settings back; their names."""
        settings = self.settings()
        if settings.opensearch_endpoint is None:
            return []
        with IndexKeeper(settings) as keeper:
            return keeper.restore()

    def ledger(self) -> SqlLedger:
        return SqlLedger(self.settings().ledger_url)

    def plans(self) -> PlanStore:
        return plan_store(self.settings())

    def inbox(self, entity: str) -> Inbox:
        settings = self.settings()
        return Inbox(s3_client(settings), bucket=settings.bucket, prefix=f"{settings.inbox_prefix}{entity}")

    def local_inbox(self, entity: str) -> Path:
        """The local folder of the entity's inbox; made when it is missing."""
        folder = self.settings().inbox / entity
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def list_local(self, entity: str) -> Sequence[SourceFile]:
        return list_files(self.local_inbox(entity).as_uri(), recursive=True)

    def upload(self, entity: str, path: Path, name: str) -> None:
        """Copy a local file into the S3 inbox, streaming, in parts when it is large."""
        settings = self.settings()
        s3_client(settings).upload_file(str(path), settings.bucket, f"{settings.inbox_prefix}{entity}/{name}")

    def files_of(self, spec: EntitySpec, day: str) -> list[SourceFile]:
        """Complete files of a date: those the sensor knows and those in the inbox that nobody asked for
        yet."""
        known = [
            entry.file
            for entry in self.ledger().files.list(spec.name, date=day, limit=100_000)
            if entry.state in ("requested", "consumed", "failed")
        ]
        files = {file.uri: file for file in known}
        files.update((file.uri, file) for file in self.inbox(spec.name).of_date(day))
        return [files[uri] for uri in sorted(files)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReader:
    """What downstream assets get of ``planned`` and ``validated``: the way to the plan, never data."""

    ingest: IngestResource
    entity: str

    def of(self, day: str) -> ChunkPlan:
        """The date's plan; an empty one when nothing was planned."""
        return self.ingest.plans().read(self.entity, day) or ChunkPlan(entity=self.entity, date=day, slots=0)
