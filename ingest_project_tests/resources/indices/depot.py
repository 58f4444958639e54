"""Depot: a small deployment without Dagster: files planned and validated as a run does it, and the index
stage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest_project.core.entity import DEFAULT_KEYS, EntitySpec
from ingest_project.core.model import Chunk, KeySchema
from ingest_project.core.outcomes import SEALED, ChunkOutcome
from ingest_project.entities.messages.spec import SPEC
from ingest_project.resources.assembly import Assembly, plan_store
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.planner import Planner
from ingest_project.sources.dumps import DumpSource, list_files

DAY, NEXT_DAY = "2026-11-02", "2026-11-03"
Record = Mapping[str, object]


def default_keys(table: str, wanted: KeySchema | None) -> KeySchema:
    return DEFAULT_KEYS


@dataclass(slots=True, kw_only=True)
class Depot:
    """One table's files and index.

    Attributes:
        turned: Further variables of the deployment.
    """

    url: str
    home: Path
    table: str
    spec: EntitySpec = field(default_factory=lambda: replace(SPEC, destinations=("index",)))
    turned: dict[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        fixed = {
            "OPENSEARCH_URL": self.url,
            "INGEST_HOME": str(self.home),
            "INGEST_PART_STORE": "local",
            "INGEST_LEASE_SECONDS": "5",
        }
        return {**fixed, **self.turned}

    @property
    def settings(self) -> Settings:
        return Settings.from_env(self.variables)

    def assembly(self, owner: str = "owner", workers: int = 1, in_flight: int = 8) -> Assembly:
        knobs = replace(knobs_of(self.settings), workers=workers, in_flight=in_flight, base_seconds=0.01)
        return Assembly(settings=self.settings, spec=self.spec, owner=owner, knobs=knobs)

    def drop(self, records: Iterable[Record], *, day: str = DAY, name: str = "a", table: str = "") -> None:
        """A dump file of JSON lines."""
        folder = self.home / "dumps" / day / name
        folder.mkdir(parents=True)
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{table or self.table}-dump.jsonl").write_text(text)

    def validate(self, day: str = DAY) -> tuple[Chunk, ...]:
        """Plan and validate a day's files; its chunks."""
        plans, assembly = plan_store(self.settings), self.assembly()
        planner = Planner(
            spec=self.spec,
            source=DumpSource(s3=nothing),
            keys_of=default_keys,
            table_keys={},
            min_chunk_bytes=1 << 20,
        )
        files = list_files(str(self.home / "dumps" / day))
        plans.write(planner.plan(plans.read(self.spec.name, day), day, files, print_nothing).plan)
        plan = plans.read(self.spec.name, day)
        assert plan is not None
        with assembly.engine() as engine:
            assert {SEALED} == {outcome.state for outcome in engine.run("validated", plan.chunks)}
        return plan.chunks

    def load(self, day: str = DAY, **words: int) -> list[ChunkOutcome]:
        """The day's index stage."""
        plan = plan_store(self.settings).read(self.spec.name, day)
        assert plan is not None
        with Crew(self.assembly(**words)) as crew:
            return list(crew.run("index", plan.chunks))


def nothing() -> None:
    raise AssertionError("no S3 here")


def print_nothing(text: str) -> None:
    return


def records(count: int, first: int = 0, **more: object) -> list[Record]:
    return [{"id": f"r{number}", "n": number, **more} for number in range(first, first + count)]


class Recorder:
    """Sees every call that passes a fault server: method and path; also its ``counts``."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __call__(self, call: object) -> bool:
        path = "/".join(getattr(call, "path", ()))
        self.calls.append((str(getattr(call, "method", "")), path))
        return path.endswith("_bulk")

    def count(self, method: str, ending: str) -> int:
        return sum(one == method and path.endswith(ending) for one, path in self.calls)


def child() -> None:
    """The body of a process that is to be killed: ``url home table in_flight``."""
    url, home, table = sys.argv[1:4]
    depot = Depot(url=url, home=Path(home), table=table, turned={"INGEST_OPENSEARCH_BATCH_ITEMS": "10"})
    depot.load(in_flight=1)
