"""What goes into a year's aggregates, gathered from the ledger and read in order: on the disk, not in memory.

Decides what an entry is and what names its content; makes no file.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ingest_project.core.document_ledger import DocumentLedger, Segmentation, Segments
from ingest_project.core.documents import Bucket, Document
from ingest_project.entities.gazettes.aggregate_files import Entry, Place
from ingest_project.entities.gazettes.segments import SEGMENTS, STAGE, TEXTS

PAGE = 1000
_ABOUT = {
    "id": "id",
    "data": "date",
    "edicao": "edition_number",
    "edicao_extra": "is_extra_edition",
    "poder": "power",
    "url": "file_url",
    "publicado_em": "territory_name",
}
"""Attribute in the XML -> field of the gazette."""

_TABLE = """
CREATE TABLE entries (
    state TEXT, territory TEXT, name TEXT, date TEXT, document TEXT, uri TEXT, sha256 TEXT, about TEXT,
    PRIMARY KEY (state, territory, date, document, uri)
) WITHOUT ROWID
"""
_TOWNS = "SELECT territory, max(name) FROM entries WHERE state = ? GROUP BY territory ORDER BY territory"
_ENTRIES = """
SELECT uri, sha256, about FROM entries WHERE state = ? AND territory = ? ORDER BY date, document, uri
"""


class YearEntries:
    """The entries of one year in a file of its own.

    Memory: SQLite's cache, a page of documents. Disk: about 600 bytes a gazette.

    Args:
        path: Of a file that is not there yet.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(_TABLE)

    def close(self) -> None:
        self._database.close()

    def gather(self, ledger: DocumentLedger, segments: Segments, buckets: Iterable[Bucket]) -> int:
        """Take in what has a text by now; returns how many entries came of it."""
        before = self._database.total_changes
        for bucket in buckets:
            last = ""
            while page := ledger.page(bucket, STAGE, (TEXTS,), after=last, limit=PAGE):
                last = page[-1].document.id
                documents = [found.document for found in page if STAGE in found.document.marks]
                self._take(documents, segments)
        return self._database.total_changes - before

    def _take(self, documents: list[Document], segments: Segments) -> None:
        cut = [one.id for one in documents if SEGMENTS in one.marks[STAGE].facts]
        found = segments.find(documents[0].bucket.collection, cut) if cut else {}
        rows: list[tuple[str, ...]] = []
        for one in documents:
            mark = one.marks[STAGE]
            if SEGMENTS in mark.facts:
                rows += [_row(one, part.fields) for part in found.get(one.id, Segmentation()).segments]
            else:
                rows.append(_row(one, {**one.fields, **mark.facts, "sha256": mark.output}))
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def states(self) -> list[str]:
        """Codes of the states that have entries, in order."""
        return [row[0] for row in self._database.execute("SELECT DISTINCT state FROM entries ORDER BY state")]

    def towns(self, state: str) -> list[Place]:
        """Whoever has entries in a state, in order of their ids."""
        words = (
            "SELECT territory, max(name) FROM entries WHERE state = ? GROUP BY territory ORDER BY territory"
        )
        return [
            Place(id=id, name=name, state_code=state) for id, name in self._database.execute(words, (state,))
        ]

    def of(self, place: Place) -> Iterator[Entry]:
        """A town's entries by date; holds one."""
        for uri, sha256, about in self._database.execute(_ENTRIES, (place.state_code, place.id)):
            yield Entry(uri=uri, sha256=sha256, about=tuple(json.loads(about).items()))

    def content(self, place: Place, version: str) -> str:
        """Names what a town's file is made of, whatever the order in which it was gathered."""
        digest = hashlib.sha256(f"{version}\0{place.id}\0{place.name}\0{place.state_code}".encode())
        for entry in self.of(place):
            digest.update(f"\0{entry.sha256}\0{entry.about}".encode())
        return digest.hexdigest()


def _row(document: Document, owner: Mapping[str, str]) -> tuple[str, ...]:
    """``owner``: whose part it is, where its text lies, and its hash."""
    fields = {"id": document.id, **document.fields}
    about = {name: fields.get(field, "") for name, field in _ABOUT.items()}
    if owner["territory_id"] == document.fields["territory_id"]:
        del about["publicado_em"]
    place = owner.get("state_code", ""), owner["territory_id"], owner.get("territory_name", "")
    text = owner["uri"], owner["sha256"]
    return *place, document.fields["date"], document.id, *text, json.dumps(about, ensure_ascii=False)
