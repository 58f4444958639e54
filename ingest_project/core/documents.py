"""Documents that pass through stages one by one: their values, what a stage is, and what may become of one.

Decides only. Who remembers them is a DocumentLedger; who runs a stage over many of them is documents' runner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

PENDING, DOWNLOADING, EXTRACTING, UPLOADING, INDEXING, COMPLETED, FAILED = STATES = (
    "pending",
    "downloading",
    "extracting",
    "uploading",
    "indexing",
    "completed",
    "failed",
)
"""Where a document stands as a whole; what each of its stages did is told by its marks."""


COUNTED = "documents"
"""A fact that the ledger adds up: how many documents of an index stand for this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The unit of a partition: the documents of one month whose territories fall into one of N numbers.

    Attributes:
        month: ``YYYY-MM``.
        number: 0 to N - 1.
    """

    collection: str
    month: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a stage left behind for one document.

    Attributes:
        fingerprint: Of all that its result depends on, as ``fingerprint_of`` makes it.
        output: Names the result: another result has another word. Stages behind build on it.
        facts: What later stages and reports read without opening the result, small.
    """

    fingerprint: str
    output: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document as its stages see it.

    Attributes:
        id: Of its source, unique in the collection.
        bucket: Where it belongs.
        fields: What its source tells of it, as texts; a change of one makes the document new to the stages
            that read it.
        group: Whom it is of, to count by: the territory.
        marks: Stage -> its mark, of the stages that were asked for and have one.
    """

    id: str
    bucket: Bucket
    fields: Mapping[str, str]
    group: str = ""
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The stage is through with a document.

    Attributes:
        output, facts: Of its mark.
        seconds: What this one took, where the stage knows; otherwise the documents of a call share its time.
    """

    output: str
    facts: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """Nothing will help until what the stage's fingerprint is made of changes.

    Attributes:
        cause: A word or two to count by: ``unsupported type``, ``empty file``, ``no segmenter``.
        detail: What a person needs to mend it: the file, the place, the reason.
        kind: What sort of document it is, as far as that is known, to count by: ``html``, ``zip``.
    """

    cause: str
    detail: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """It did not work out this time; the next run tries again."""

    reason: str


Outcome = Done | Parked | Delayed


class Stage(Protocol):
    """One stage of a collection. Its effects are idempotent: keys are made of the documents alone."""

    @property
    def name(self) -> str:
        """Word in the ledger: ``texts``, ``excerpts/ambiental``."""
        ...

    @property
    def after(self) -> tuple[str, ...]:
        """Stages that must be through with a document first; their marks are in its ``marks``."""
        ...

    @property
    def state(self) -> str:
        """One of STATES: what a document is doing meanwhile; COMPLETED: a document is when it is through."""
        ...

    @property
    def batch(self) -> int:
        """Documents that one call of ``run`` takes at most."""
        ...

    def fingerprint(self, document: Document) -> str:
        """Of all that the result depends on: configuration, versions, marks of the stages before."""
        ...

    def weight(self, document: Document) -> int:
        """Bytes that the document takes while it is under way, about; bounds what runs at once."""
        ...

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        """Do it; one outcome a document, in their order. Many calls are under way at once.

        Raises:
            TransientFailure: None of them worked out; all may be tried again.
            IngestError: Any other stops the whole stage (credentials, missing index).
        """
        ...


def fingerprint_of(*words: str) -> str:
    """32 hexadecimal digits that change with any word and with their borders."""
    digest = hashlib.sha256()
    for word in words:
        encoded = word.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:32]


def bucket_number(territory: str, buckets: int) -> int:
    """The same in every process and on every machine."""
    return int.from_bytes(hashlib.sha256(territory.encode()).digest()[:8], "big") % buckets
