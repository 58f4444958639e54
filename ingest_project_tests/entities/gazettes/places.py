"""The towns that made gazettes are of, and segments as a ledger keeps them, for tests of stages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ingest_project.core.document_ledger import Segment, Segmentation
from ingest_project.core.documents import Bucket, Document, Mark
from ingest_project.entities.gazettes.towns import Town, Towns
from ingest_project.sinks.texts import StoredText
from ingest_project.testing.gazette_files import GazetteFile
from ingest_project.testing.gazette_words import territories


def known_towns() -> Towns:
    return Towns(
        Town(id=one.id, name=one.name, state_code=one.state_code, state=one.state) for one in territories()
    )


def listed(made: GazetteFile, text: StoredText) -> Document:
    """As the listing and the stages before leave it."""
    place = made.territory
    fields = {
        "territory_id": place.id,
        "territory_name": place.name,
        "state_code": place.state_code,
        "state": place.state,
        "date": str(made.date),
        "edition_number": str(made.number),
        "is_extra_edition": "false",
        "power": "executive",
        "file_url": made.url,
        "file_path": made.path,
        "file_checksum": made.checksum(),
    }
    return Document(
        id=str(made.id),
        bucket=Bucket(collection="gazettes", month=f"{made.date:%Y-%m}", number=0),
        fields=fields,
        group=place.id,
        marks={
            "texts": Mark(
                fingerprint="t1", output=text.sha256, facts={"uri": text.uri, "bytes": str(text.bytes)}
            )
        },
    )


class HeldObjects:
    """sinks.objects.Objects in memory."""

    name = "held://texts"

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data

    def create(self, key: str, data: bytes) -> bool:
        return self.kept.setdefault(key, data) is data

    def get(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def piece(self, key: str, start: int, end: int, version: str) -> tuple[bytes, str]:
        return self.kept[key][start:end], "1"

    def children(self, prefix: str) -> Iterator[str]:
        below = (key.removeprefix(prefix) for key in self.kept if key.startswith(prefix))
        yield from sorted({key.partition("/")[0] for key in below})

    def remove(self, prefix: str, first: str) -> None:
        self.kept = {key: data for key, data in self.kept.items() if not key.startswith(prefix)}


class KeptSegments:
    """core.document_ledger.Segments in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Segmentation] = {}

    def replace(self, collection: str, parts: Mapping[str, Sequence[Segment]]) -> None:
        for id, segments in parts.items():
            before = self.kept.get(id, Segmentation())
            known = {*(one.id for one in before.segments), *before.gone}
            gone = tuple(sorted(known - {one.id for one in segments}))
            self.kept[id] = Segmentation(segments=tuple(segments), gone=gone)

    def find(self, collection: str, ids: Sequence[str]) -> Mapping[str, Segmentation]:
        return {id: self.kept[id] for id in ids if id in self.kept}

    def forget(self, collection: str, gone: Mapping[str, Collection[str]]) -> None:
        for id, ids in gone.items():
            left = tuple(one for one in self.kept[id].gone if one not in ids)
            self.kept[id] = Segmentation(segments=self.kept[id].segments, gone=left)
