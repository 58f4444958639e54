"""The doors to what is remembered of documents: where each stands, who works on it, what its stages found.

Values and Protocols; no implementation lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest_project.core.documents import Bucket, Document, Outcome, Parked


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A document as one stage finds it.

    Attributes:
        document: With the marks of that stage and of those before it.
        state: One of documents.STATES.
        epoch: Of the stage's last claim on it; 0: none was ever made.
        parked: Fingerprint under which the stage parked it; empty: it did not.
        cause: Why.
        held: Somebody works on it under a live lease.
    """

    document: Document
    state: str
    epoch: int = 0
    parked: str = ""
    cause: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentClaim:
    """A lease on one stage of one document; every write of its owner is bound to the epoch."""

    document: Document
    stage: str
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How a claim ended.

    Attributes:
        fingerprint: What the stage wanted when it began.
        state: Of the document from now on; empty: as it is.
    """

    claim: DocumentClaim
    fingerprint: str
    outcome: Outcome
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What became of documents that their source listed."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: Enrolled) -> Enrolled:
        return Enrolled(
            new=self.new + other.new,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedDocument:
    """A parked document as users see it. ``at``: wall clock seconds."""

    id: str
    bucket: Bucket
    stage: str
    group: str
    parked: Parked
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedCount:
    """How many documents a stage parked for one cause."""

    stage: str
    cause: str
    kind: str
    group: str
    documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketCount:
    """How many documents of a bucket are in a state."""

    bucket: Bucket
    state: str
    documents: int


class DocumentLedger(Protocol):
    """The account of documents. Every method is one transaction.

    Raises:
        TransientFailure: Any of them, when the database does not answer; whether it took effect may be
            unknown, and each may be called again.
    """

    def enroll(self, listed: Sequence[Document]) -> Enrolled:
        """Take in what a source listed (some hundred at a time, each id once). One with other fields, group
        or bucket than before is pending again; its marks stay: their fingerprints decide what runs."""
        ...

    def reopen(self, collection: str, stage: str, ids: Sequence[str]) -> int:
        """Forget that the stage is through with these, but where somebody works on one; returns how many
        were. They are pending again."""
        ...

    def size(self, bucket: Bucket) -> int: ...

    def page(
        self, bucket: Bucket, stage: str, before: Sequence[str], *, after: str = "", limit: int = 1000
    ) -> Sequence[Standing]:
        """The bucket's documents in order of their ids, behind ``after``, as the stage finds them.

        Args:
            before: Stages whose marks are wanted beside its own.
        """
        ...

    def claim(
        self, stage: str, found: Sequence[Standing], *, owner: str, lease: float, state: str
    ) -> Sequence[DocumentClaim]:
        """Take these documents of one collection for ``lease`` seconds, as far as nobody holds or has claimed
        one since it was found so; they are in ``state`` meanwhile."""
        ...

    def renew(self, claims: Sequence[DocumentClaim], *, lease: float) -> None:
        """Hold what is still held for longer; who lost one learns so when it settles."""
        ...

    def settle(self, ended: Sequence[Settlement]) -> Sequence[str]:
        """Store the outcomes of claims on one stage: all of those still held, together.

        Done sets the mark, Parked takes it away, Delayed leaves it. Settling again what this very claim has
        settled changes nothing.

        Returns:
            Ids of those that were lost: taken by another owner, or the lease was over.
        """
        ...

    def restate(self, collection: str, ids: Sequence[str], state: str) -> None:
        """Put documents into a state."""
        ...

    def release(self, claims: Sequence[DocumentClaim]) -> None:
        """Give back without a verdict what is still held."""
        ...

    def release_dead(self, collection: str, is_dead: Callable[[str], bool]) -> int:
        """Free what owners that are no more held, without waiting for their leases; returns how many."""
        ...


class DocumentAccounts(Protocol):
    """What people and checks ask about a collection."""

    def states(self, collection: str) -> Sequence[BucketCount]:
        """Documents by bucket and state, in order."""
        ...

    def stage_counts(self, collection: str, month: str) -> Mapping[str, Mapping[str, int]]:
        """Stage -> ``done``, ``parked``, ``delayed``, ``held`` -> documents of the month."""
        ...

    def parked_counts(self, collection: str) -> Sequence[ParkedCount]:
        """By stage, cause, kind and group, the most frequent first."""
        ...

    def parked(
        self,
        collection: str,
        *,
        stage: str | None = None,
        causes: Collection[str] = (),
        after: tuple[str, str] = ("", ""),
        limit: int = 100,
    ) -> Sequence[ParkedDocument]:
        """In order of (stage, id), behind ``after``; of these causes alone where there are any."""
        ...

    def counted(self, collection: str, stage: str) -> int:
        """Sum of the fact documents.COUNTED over all marks of the stage."""
        ...

    def delayed(self, collection: str, *, limit: int = 100) -> Sequence[tuple[str, str, str]]:
        """(id, stage, reason) of what did not work out the last time."""
        ...

    def find(self, collection: str, id: str, stage_names: Sequence[str]) -> Standing | None:
        """One document with the marks of these stages; as the first of them finds it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """A text that an extractor made of some content.

    Attributes:
        content: Hash of the bytes it was made of.
        extractor: Name and version.
        output: Hash of the text.
        facts: Where it lies, its length.
    """

    content: str
    extractor: str
    output: str
    facts: Mapping[str, str] = field(default_factory=dict)


class Extractions(Protocol):
    """Texts that need not be extracted again."""

    def find(self, extractor: str, contents: Sequence[str]) -> Mapping[str, Extraction]:
        """Content -> its extraction by this extractor, of those that are known."""
        ...

    def keep(self, made: Sequence[Extraction]) -> None:
        """Remember them; one that is known is replaced."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a document that is a document of its own in an index.

    Attributes:
        id: Unique among the document's segments: the hash of its text.
        fields: What is told of it: territory, uri.
    """

    id: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """The segments of one document, in their order, and ids of those it once had and that somebody must still
    remove."""

    segments: tuple[Segment, ...] = ()
    gone: tuple[str, ...] = ()


class Segments(Protocol):
    """Documents that fall into parts."""

    def replace(self, collection: str, parts: Mapping[str, Sequence[Segment]]) -> None:
        """Document id -> its segments from now on; what it had before and is not among them is gone."""
        ...

    def find(self, collection: str, ids: Sequence[str]) -> Mapping[str, Segmentation]:
        """Document id -> its segments, of those that have or had any."""
        ...

    def forget(self, collection: str, gone: Mapping[str, Collection[str]]) -> None:
        """Document id -> ids of segments that are gone and were removed everywhere."""
        ...
