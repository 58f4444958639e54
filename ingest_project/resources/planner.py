"""Planner: complete files of one date -> the date's plan, with each file's record borders and its table's
key.

Adds to the plan that is there; one file that cannot be planned keeps no other from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Protocol

import msgspec

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import BadInput, IngestError, SourceChanged, TransientFailure
from ingest_project.core.model import ChunkPlan, FileIndex, KeySchema, Position, SourceFile
from ingest_project.core.planning import Binding, plan
from ingest_project.core.ports import Source
from ingest_project.formats.csv_layout import described
from ingest_project.formats.manifests import SUMMARY, ExpectedFile
from ingest_project.sources.exports import ExportReader, expand, export_root, split_exports, verify

Log = Callable[[str], None]
KeysOf = Callable[[str, KeySchema | None], KeySchema]
"""(table, key for a new table) -> the table's key. Raises TargetMissing when there is none and none may be
made."""


class PlanSource(Source, ExportReader, Protocol):
    """Reads dump files and the manifests beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOutcome:
    """A date's plan and what this planning did.

    Attributes:
        added: Files that are new in the plan.
        refused: URI -> why the file is not in the plan; it is tried again with the next planning.
    """

    plan: ChunkPlan
    added: tuple[FileIndex, ...]
    refused: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Plans one entity's files.

    Attributes:
        table_keys: Configured keys of tables that may be made.
        target: Table of every file, in place of what the entity derives from the name.
    """

    spec: EntitySpec
    source: PlanSource
    keys_of: KeysOf
    table_keys: Mapping[str, KeySchema]
    min_chunk_bytes: int
    target: str = ""

    def plan(
        self, previous: ChunkPlan | None, date: str, files: Sequence[SourceFile], log: Log
    ) -> PlanOutcome:
        """Index what is new and add it to the plan.

        Raises:
            TransientFailure: A store or the database did not answer.
        """
        known = {(index.file.uri, index.file.etag) for index in previous.files} if previous else set()
        bindings: list[Binding] = []
        refused: dict[str, str] = {}
        found = self._expanded(files, refused)
        for file, expected in found:
            if (file.uri, file.etag) in known:
                continue
            try:
                bindings.append(self._bind(file, expected))
            except TransientFailure:
                raise
            except (IngestError, OSError) as error:
                refused[file.uri] = str(error)
                log(f"{file.uri}: not planned: {error}")
                continue
            log(_told(bindings[-1].index))
        made = plan(
            previous,
            bindings,
            entity=self.spec.name,
            date=date,
            slots=self.spec.slots,
            min_chunk_bytes=self.min_chunk_bytes,
        )
        return PlanOutcome(plan=made, added=tuple(b.index for b in bindings), refused=refused)

    def _expanded(
        self, files: Sequence[SourceFile], refused: dict[str, str]
    ) -> list[tuple[SourceFile, ExpectedFile | None]]:
        """Dump files as they stand, and the data files of exports as their manifests list them."""
        plain, summaries = split_exports(list(files))
        roots = {uri.removesuffix(f"/{SUMMARY}") for uri in summaries}
        roots |= {root for file in plain if (root := export_root(file.uri))}
        found: list[tuple[SourceFile, ExpectedFile | None]] = [
            (file, None) for file in plain if not export_root(file.uri)
        ]
        for root in sorted(roots):
            try:
                export = expand(self.source, root)
            except TransientFailure:
                raise
            except IngestError as error:
                refused.update({file.uri: str(error) for file in files if file.uri.startswith(f"{root}/")})
                continue
            found += [(file, export.expected[file.uri]) for file in export.files]
        return found

    def _bind(self, file: SourceFile, expected: ExpectedFile | None) -> Binding:
        target = self.target or self.spec.target_of(file.uri)
        index = self.source.index(file)
        if expected is not None:
            verify(self.source, index, expected)
        wanted = self.table_keys.get(target) or self._likely_key(index)
        return Binding(index=index, target=target, keys=self.keys_of(target, wanted))

    def _likely_key(self, index: FileIndex) -> KeySchema | None:
        """The entity's default key with the type that the file's first record has; None when it has no such
        key. Items that are made of rows have the entity's key in any case."""
        if self.spec.layouts:
            return self.spec.default_keys
        (name, _), *more = self.spec.default_keys.parts
        if more or not index.records:
            return None
        kind = key_type(self._first_record(index), name)
        return KeySchema(parts=((name, kind),)) if kind else None

    def _first_record(self, index: FileIndex) -> bytes:
        alone = plan(
            None,
            [Binding(index=index, target="-", keys=self.spec.default_keys)],
            entity="-",
            date="-",
            slots=1,
        )
        first = alone.chunks[0]
        try:
            batch = next(iter(self.source.read(replace(first, fault=None), Position())))
        except (BadInput, SourceChanged, StopIteration):
            return b""
        return bytes(batch.raws[0])


def key_type(record: bytes, name: str) -> str:
    """``S`` or ``N`` as the record's attribute has it, plain or typed; empty when it has no such
    attribute."""
    try:
        found = msgspec.json.decode(record)
    except msgspec.DecodeError:
        return ""
    if isinstance(found, dict) and isinstance(found.get("Item"), dict) and len(found) == 1:
        found = found["Item"]
    value = found.get(name) if isinstance(found, dict) else None
    if isinstance(value, dict) and len(value) == 1:
        kind = next(iter(value))
        return str(kind) if kind in ("S", "N") else ""
    if isinstance(value, str):
        return "S"
    return "N" if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _told(index: FileIndex) -> str:
    name = PurePosixPath(index.file.uri).name
    text = f"{name}: {index.records:,} records, {index.file.size:,} bytes, {described(index.shape)}"
    fault = index.fault
    return text if fault is None else f"{text}; broken at byte {fault.offset}: expected {fault.expected}"
