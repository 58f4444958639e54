"""Made gazettes with their truth: which file, which row, which words, which towns, or why it cannot be read.

Any one is made from the seed and its number alone, so ten thousand need no room. Putting them into stores is
gazette_world.py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from random import Random

from ingest_project.testing import document_files
from ingest_project.testing.gazette_pages import Composed, association_pages, town_pages
from ingest_project.testing.gazette_words import PASSAGES, Territory, territories, towns


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of file and its fate.

    Attributes:
        extension: Of its key, which need not be what it is.
        cause: Why it is parked; empty when it goes through.
        stage: Which stage parks it.
    """

    extension: str = "pdf"
    cause: str = ""
    stage: str = ""


PDF, ASSOCIATION, UNSERVED, COPY, HTML = "pdf", "association", "unserved", "copy", "html"
KINDS: Mapping[str, Kind] = {
    PDF: Kind(),
    "docx": Kind(extension="docx"),
    "odt": Kind(extension="odt"),
    "txt": Kind(extension="txt"),
    "txt-cp1252": Kind(extension="txt"),
    COPY: Kind(),
    ASSOCIATION: Kind(),
    UNSERVED: Kind(cause="no segmenter", stage="segments"),
    HTML: Kind(cause="unsupported type", stage="texts"),
    "zip": Kind(cause="unsupported type", stage="texts"),
    "image": Kind(extension="none", cause="unsupported type", stage="texts"),
    "broken": Kind(cause="broken file", stage="texts"),
    "scan": Kind(cause="no text", stage="texts"),
    "empty": Kind(cause="empty file", stage="downloaded"),
    "missing": Kind(cause="missing file", stage="downloaded"),
    "altered": Kind(cause="wrong checksum", stage="downloaded"),
}
"""``copy`` has the bytes of another gazette; ``unserved`` is of an association that has no segmenter;
``html`` and ``zip`` are named .pdf; ``altered`` is not the file that its row tells of."""

MIX: Mapping[str, int] = {
    PDF: 104,
    "docx": 20,
    "odt": 16,
    "txt": 16,
    "txt-cp1252": 2,
    COPY: 5,
    ASSOCIATION: 10,
    UNSERVED: 3,
    HTML: 8,
    "zip": 4,
    "image": 2,
    "broken": 3,
    "scan": 2,
    "empty": 3,
    "missing": 1,
    "altered": 1,
}
"""Of 200."""

_STEP = 7919
_URL = "https://diario.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class GazetteFile:
    """One gazette.

    Attributes:
        number: From 0; the row's id is one more.
        pages: Lines of each page, of kinds that have text.
        segments: Town -> what is cut out for it, words with single spaces; of an association with a
            segmenter. Its own id stands for what belongs to no town.
        passages: Subthemes (keys of gazette_words.PASSAGES) -> territories whose text holds their passage.
        ballast: Bytes of a PDF that are not text.
    """

    seed: str
    number: int
    source: int
    kind: str
    territory: Territory
    date: date
    pages: document_files.Pages
    segments: Mapping[str, str] = field(default_factory=dict)
    passages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ballast: int = 0

    @property
    def id(self) -> int:
        return self.number + 1

    @property
    def cause(self) -> str:
        """Why it is parked; empty when it goes through."""
        return KINDS[self.kind].cause

    @property
    def stage(self) -> str:
        """The stage that parks it."""
        return KINDS[self.kind].stage

    @property
    def words(self) -> str:
        """Its text with single spaces, as any extractor should give it; of HTML too, once it is read."""
        return " ".join(word for page in self.pages for line in page for word in line.split())

    @property
    def url(self) -> str:
        return f"{_URL}/{self.territory.id}/{self.date}/{self.seed}/{self.number}"

    @property
    def path(self) -> str:
        """Key of its file."""
        name = hashlib.sha1(self.url.encode(), usedforsecurity=False).hexdigest()
        return f"{self.territory.id}/{self.date}/{name}.{KINDS[self.kind].extension}"

    def pieces(self) -> Iterator[bytes]:
        """Its file, made anew at each call; no piece is larger than a MiB or a file without ballast."""
        origin = f"{self.seed} {self.source}"
        if self.kind == "scan":
            return document_files.pdf([[]], ballast=self.ballast, seed=origin)
        if (make := _MAKERS.get(self.kind)) is not None:
            return iter((make([line for page in self.pages for line in page], origin),))
        return document_files.pdf(self.pages, ballast=self.ballast, seed=origin)

    def content(self) -> bytes:
        """The file as a whole."""
        return b"".join(self.pieces())

    def checksum(self) -> str:
        """MD5 of the file, as the row should tell it."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()

    def row(self, checksum: str) -> dict[str, object]:
        """The row of the table of gazettes, times in UTC; ``source_text`` is left to its default."""
        scraped = datetime.combine(self.date, time(6)) + timedelta(days=1, seconds=self.number % 3600)
        return {
            "id": self.id,
            "date": self.date,
            "edition_number": str(self.number),
            "is_extra_edition": self.number % 10 == 0,
            "power": "executive" if self.number % 3 else "executive_legislative",
            "file_checksum": "0" * 32 if self.kind == "altered" else checksum,
            "file_path": self.path,
            "file_url": self.url,
            "scraped_at": scraped,
            "created_at": scraped,
            "territory_id": self.territory.id,
            "processed": False,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Gazettes:
    """A collection that is never held.

    Attributes:
        mix: Kind -> its share.
        start, days: Dates run from here; more days are taken when there are more gazettes than towns
            and days.
        pages: Mean of a town's gazette.
        large: Number -> bytes: a PDF of at least this size takes its place.
    """

    count: int
    seed: str = "gazettes"
    mix: Mapping[str, int] = field(default_factory=lambda: MIX)
    start: date = date(2026, 1, 1)
    days: int = 90
    pages: float = 2.0
    large: Mapping[int, int] = field(default_factory=dict)
    _wheel: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wheel = [kind for kind, share in self.mix.items() for _ in range(share)]
        Random(f"{self.seed} kinds").shuffle(wheel)
        object.__setattr__(self, "_wheel", wheel)
        object.__setattr__(self, "days", max(self.days, -(-self.count // len(towns()))))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[GazetteFile]:
        return map(self.one, range(self.count))

    def one(self, number: int) -> GazetteFile:
        """The gazette with this number."""
        kind, source = self._kind(number), number
        while kind == COPY and (source == number or self._kind(source) != PDF):
            source -= 1
            if source < 0:
                kind, source = PDF, number
        made = GazetteFile(
            seed=self.seed,
            number=number,
            source=source,
            kind=kind,
            territory=self._territory(number, kind),
            date=self._date(number, kind),
            pages=(),
            ballast=self.large.get(source, 0),
        )
        if kind not in (COPY, *_TEXTLESS):
            return _filled(made, self._compose(made))
        if kind == COPY:
            origin = self.one(source)
            passages = dict.fromkeys(origin.passages, (made.territory.id,))
            return replace(made, pages=origin.pages, passages=passages)
        return made

    def territories(self) -> tuple[Territory, ...]:
        """Rows of the table of territories."""
        return territories()

    def _kind(self, number: int) -> str:
        return PDF if number in self.large else self._wheel[number % len(self._wheel)]

    def _territory(self, number: int, kind: str) -> Territory:
        if kind in (ASSOCIATION, UNSERVED):
            code = "AL" if kind == ASSOCIATION else "BA"
            return next(one for one in territories() if one.is_association and one.state_code == code)
        return towns()[self._place(number) % len(towns())]

    def _date(self, number: int, kind: str) -> date:
        day = number * 37 if kind in (ASSOCIATION, UNSERVED) else self._place(number) // len(towns())
        return self.start + timedelta(days=day % self.days)

    def _place(self, number: int) -> int:
        """Towns and days in an order that looks like none; no two gazettes share both."""
        return number * _STEP % (len(towns()) * self.days)

    def _compose(self, made: GazetteFile) -> Composed:
        rng = Random(f"{self.seed} {made.number}")
        token = f"gz{made.number:07d}"
        if made.kind in (ASSOCIATION, UNSERVED):
            return association_pages(rng, made.territory, made.date, token)
        title = _planted(made.number)
        return town_pages(rng, made.territory, made.date, token, self.pages, title)


def _planted(number: int) -> str:
    """Every seventh gazette holds a passage, in turn."""
    return list(PASSAGES)[number // 7 % len(PASSAGES)] if number % 7 == 0 else ""


def _filled(made: GazetteFile, composed: Composed) -> GazetteFile:
    if made.kind == UNSERVED:
        return replace(made, pages=composed.pages)
    return replace(made, pages=composed.pages, segments=composed.segments, passages=composed.passages)


_TEXTLESS = frozenset({"zip", "image", "broken", "scan", "empty"})
_MAKERS: Mapping[str, Callable[[list[str], str], bytes]] = {
    "docx": lambda lines, origin: document_files.docx(lines),
    "odt": lambda lines, origin: document_files.odt(lines),
    "txt": lambda lines, origin: "\n".join(lines).encode(),
    "txt-cp1252": lambda lines, origin: "\n".join(lines).encode("cp1252"),
    HTML: lambda lines, origin: document_files.html(lines),
    "zip": lambda lines, origin: document_files.archive({"leia-me.txt": origin}),
    "image": lambda lines, origin: document_files.png(origin),
    "broken": lambda lines, origin: b"%PDF-1.4\n" + b"".join(document_files.noise(2000, origin)),
    "empty": lambda lines, origin: b"",
}
