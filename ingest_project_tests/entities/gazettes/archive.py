"""An archive of gazettes on a disk for tests: files, texts, a ledger, and extractors that count calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

from ingest_project.core.documents import Bucket, Document, Mark, Outcome, Stage
from ingest_project.core.errors import TransientFailure
from ingest_project.core.extracting import DOC, DOCX, ODT, PDF, TXT, Handlers
from ingest_project.core.staging import StageReport
from ingest_project.entities.gazettes.downloaded import Downloaded
from ingest_project.entities.gazettes.texts import Texts
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.documents.runner import StageRunner
from ingest_project.resources.documents.transfers import Transfers
from ingest_project.sinks.objects import FolderObjects
from ingest_project.sinks.texts import TextStore

BUCKET = Bucket(collection="gazettes", month="2026-01", number=0)


class Reader:
    """An Extractor of text files called whatever; ``acts`` is asked first."""

    def __init__(self, name: str = "reader", version: str = "1") -> None:
        self.name, self.version = name, version
        self.calls: list[str] = []
        self.acts: Callable[[bytes], None] = lambda data: None

    async def text(self, file: Path, kind: str) -> str:
        self.calls.append(kind)
        data = file.read_bytes()
        self.acts(data)
        return data.decode("utf-8", "replace").strip()


class FlakyFiles(FolderObjects):
    """Files of a store that does not answer ``failures`` times.

    Attributes:
        pieces: Reads so far.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.failures = self.pieces = 0

    def piece(self, key: str, start: int, end: int, version: str) -> tuple[bytes, str]:
        self.pieces += 1
        if self.failures:
            self.failures -= 1
            raise TransientFailure("the store does not answer")
        return super().piece(key, start, end, version)


class Archive:
    """Everything that the first two stages take, below one folder."""

    def __init__(self, folder: Path) -> None:
        (folder / "files").mkdir()
        self.files = FlakyFiles(folder / "files")
        self.texts = TextStore(FolderObjects(folder / "texts"))
        self.ledger = SqlDocumentLedger(folder / "ledger.db")
        self.reader = Reader()
        self.handlers: Handlers = dict.fromkeys((PDF, DOC, DOCX, ODT, TXT), self.reader)
        self.slept: list[float] = []
        self._folder, self._documents = folder, 0

    def add(self, data: bytes | None, *, path: str = "", checksum: str | None = None) -> Document:
        """A document and its file; None: there is no file."""
        self._documents += 1
        number = self._documents
        path = path or f"270{number:04d}/2026-01-05/{hashlib.sha1(b'%d' % number).hexdigest()}.pdf"
        if data is not None:
            self.files.put(path, data)
        told = hashlib.md5(data or b"").hexdigest() if checksum is None else checksum
        fields = {"file_path": path, "file_checksum": told}
        document = Document(id=f"{number:09d}", bucket=BUCKET, fields=fields)
        self.ledger.enroll([document])
        return document

    def transfers(self) -> Transfers:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        return Transfers(at_once=4, sleep=sleep, rng=Random(1))

    def downloaded(self, transfers: Transfers, **settings: int) -> Downloaded:
        return Downloaded(self.files, transfers, **settings)

    def read(self, transfers: Transfers, **settings: int) -> Texts:
        return Texts(
            self.files,
            self.texts,
            self.handlers,
            self.ledger.extractions,
            transfers,
            scratch=self._folder,
            **settings,
        )

    def looked_at(self, document: Document, **settings: int) -> Outcome:
        """What ``downloaded`` says of one document."""

        async def look() -> Outcome:
            async with self.transfers() as transfers:
                (outcome,) = await self.downloaded(transfers, **settings).run([document])
            return outcome

        return asyncio.run(look())

    async def run(self, **settings: int) -> StageReport:
        """Both stages over all documents; the report of the second. Settings are those of ``Texts``."""
        runner = StageRunner(self.ledger, owner="test")
        async with self.transfers() as transfers:
            stages: list[Stage] = [self.downloaded(transfers), self.read(transfers, **settings)]
            *_, last = [await runner.run(stage, BUCKET) for stage in stages]
        return last

    def mark(self, document: Document, stage: str = "texts") -> Mark:
        """What a stage left of a document."""
        found = self.ledger.find(BUCKET.collection, document.id, [stage])
        assert found is not None
        return found.document.marks[stage]

    def parked(self) -> Mapping[str, tuple[str, str, str]]:
        """Document -> stage, cause and kind."""
        return {
            one.id: (one.stage, one.parked.cause, one.parked.kind)
            for one in self.ledger.parked(BUCKET.collection)
        }

    def text_of(self, document: Document) -> str:
        return self.texts.read(self.mark(document).facts["uri"])
