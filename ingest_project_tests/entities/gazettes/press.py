"""A few gazettes by hand, their texts in memory, their marks: what stages behind the texts need to run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from ingest_project.core.document_ledger import Segment
from ingest_project.core.documents import Bucket, Document, Done, Mark, Outcome, Stage, fingerprint_of
from ingest_project.core.errors import TargetMissing
from ingest_project.core.governing import RateGovernor
from ingest_project.core.indexing import IndexContract
from ingest_project.core.posting import Poster
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sinks.live_index import LiveIndex, LiveSettings
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project_tests.entities.gazettes.places import KeptSegments

BUCKET = Bucket(collection="gazettes", month="2026-11", number=0)


def poster(sink: OpenSearchSink) -> Poster:
    return Poster(
        sink,
        retry=RetryPolicy(base=0.01, cap=0.1, attempts=5),
        governor=RateGovernor(time.monotonic, most=4),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(7),
    )


def allowed(name: str) -> None:
    """Every index may be written to."""


def settings(*, fast: bool = False, holder: str = "test", dead: Sequence[str] = ()) -> LiveSettings:
    return LiveSettings(holder=holder, is_dead=dead.__contains__, require_write=allowed, fast=fast)


def live(api: OpenSearchApi, alias: str, contract: IndexContract, known: LiveSettings) -> LiveIndex:
    return LiveIndex(api, alias, contract, poster, known)


@dataclass(slots=True)
class Press:
    """Documents and what the ledger knows of them.

    Attributes:
        texts: Where a text lies -> the text.
    """

    texts: dict[str, str] = field(default_factory=dict)
    fields: dict[str, dict[str, str]] = field(default_factory=dict)
    marks: dict[str, dict[str, Mark]] = field(default_factory=dict)
    segments: KeptSegments = field(default_factory=KeptSegments)

    def print(self, id: str, text: str, **fields: str) -> None:
        """A gazette with this text, in place of the one there was."""
        checksum = fingerprint_of(text)
        told = {
            "territory_id": "2704302",
            "territory_name": "Maceió",
            "state_code": "AL",
            "date": "2026-11-20",
            "file_checksum": checksum,
            "scraped_at": "2026-11-21 10:11:12.131415",
            "is_extra_edition": "false",
        }
        self.fields[id] = told | fields
        uri = self._kept(text)
        facts = {"uri": uri, "bytes": str(len(text.encode()))}
        marks = self.marks.setdefault(id, {})
        for stage in ("texts", "segments"):
            marks[stage] = Mark(fingerprint=checksum, output=checksum, facts=facts)

    def cut(self, id: str, parts: Mapping[str, str]) -> None:
        """Territory -> its part's text."""
        found = []
        for territory, text in parts.items():
            uri, name = self._kept(text), fingerprint_of(text)
            found.append(Segment(id=name, fields={"territory_id": territory, "uri": uri, "sha256": "none"}))
        self.segments.replace("gazettes", {id: found})
        output = fingerprint_of(*(one.id for one in found))
        self.marks[id]["segments"] = Mark(fingerprint=output, output=output)

    def read(self, where: str) -> str:
        if where not in self.texts:
            raise TargetMissing(f"{where}: there is no such text")
        return self.texts[where]

    def wanted(self, stage: Stage) -> list[Document]:
        """What the stage would be given now."""
        found = []
        for id, fields in self.fields.items():
            marks = {
                name: self.marks[id][name] for name in (*stage.after, stage.name) if name in self.marks[id]
            }
            document = Document(id=id, bucket=BUCKET, fields=fields, marks=marks)
            if all(name in marks for name in stage.after):
                mark = marks.get(stage.name)
                if mark is None or mark.fingerprint != stage.fingerprint(document):
                    found.append(document)
        return found

    def through(self, stage: Stage) -> list[Document]:
        """Those that the stage is through with."""
        found = []
        for id, fields in self.fields.items():
            marks = self.marks[id]
            document = Document(id=id, bucket=BUCKET, fields=fields, marks=marks)
            if stage.name in marks and marks[stage.name].fingerprint == stage.fingerprint(document):
                found.append(document)
        return found

    async def run(self, stage: Stage) -> dict[str, Outcome]:
        """Run the stage over all that want it; what became of each."""
        documents = self.wanted(stage)
        ended: Sequence[Outcome] = await stage.run(documents) if documents else ()
        for document, outcome in zip(documents, ended, strict=True):
            if isinstance(outcome, Done):
                mark = Mark(
                    fingerprint=stage.fingerprint(document), output=outcome.output, facts=outcome.facts
                )
                self.marks[document.id][stage.name] = mark
        return {document.id: outcome for document, outcome in zip(documents, ended, strict=True)}

    def _kept(self, text: str) -> str:
        uri = f"memory://{fingerprint_of(text)}"
        self.texts[uri] = text
        return uri
