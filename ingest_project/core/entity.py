"""EntitySpec: everything the engine and the factory must know of one entity of dump files. A value, no
behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.fields import FieldBook
from ingest_project.core.indexing import BY_DEFAULT, IndexContract
from ingest_project.core.layouts import Layout, Sheet
from ingest_project.core.model import Chunk, KeySchema
from ingest_project.core.paging import Field
from ingest_project.core.ports import Admission

VERSIONED = "versioned"
ACROSS_DATES = ("newer_only", "overwrite", VERSIONED)
DEFAULT_KEYS = KeySchema(parts=(("id", "S"),))

REBUILDS = "index@"
"""Stages that begin so fill an index beside the one in use; they are no stages of the entity."""


def rebuild_stage(index: str) -> str:
    """The stage under which the ledger keeps what was loaded into an index beside the one in use."""
    return REBUILDS + index


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Limits that a date is held to. Of rejections those count that stand open.

    Attributes:
        min_records: Fewer fail.
        max_rejected_share: A larger part of the records warns; ``fail_rejected_share``: fails.
        max_rejected: More rejections warn; ``fail_rejected``: fail. None is no limit.
    """

    min_records: int = 0
    max_rejected_share: float = 0.01
    max_rejected: int | None = None
    fail_rejected_share: float | None = None
    fail_rejected: int | None = None

    def verdict(self, read: int, rejected: int) -> Verdict:
        """What these limits say to so many records and rejections."""
        share = rejected / read if read else 0.0
        fails = [f"{read:,} records, expected are {self.min_records:,}"] if read < self.min_records else []
        fails += _beyond(share, self.fail_rejected_share, rejected, self.fail_rejected)
        warns = _beyond(share, self.max_rejected_share, rejected, self.max_rejected)
        return Verdict(fails=tuple(fails), warns=tuple(warns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Limits that were passed, in sentences."""

    fails: tuple[str, ...]
    warns: tuple[str, ...]


def _beyond(share: float, most_share: float | None, count: int, most: int | None) -> list[str]:
    found = []
    if most_share is not None and share > most_share:
        found.append(f"{share:.2%} of the records are rejected, the limit is {most_share:.2%}")
    if most is not None and count > most:
        found.append(f"{count:,} records are rejected, the limit is {most:,}")
    return found


NO_EXPECTATION = Expectation()


def by_default(keys: KeySchema) -> IndexContract:
    """Documents of unknown shape, whatever their key."""
    return BY_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Of an entity whose source describes its fields: a contract that all runs share and that grows.

    Attributes:
        admission: Chunk and the book of fields -> the chunk's contract, in place of the spec's.
        review: Book, entity and what the source says of its fields -> what a person must know of it, in
            sentences; none where all is as it was. To be called before a sync's first page is read.
    """

    admission: Callable[[Chunk, FieldBook], Admission]
    review: Callable[[FieldBook, str, Sequence[Field]], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySpec:
    """One entity whose records go to DynamoDB tables and an OpenSearch index.

    Attributes:
        name: Of the entity in ledger, stores and command line; its words are the prefix of its asset keys and
            the first one their group: ``messages``, or ``wms.order_hdr`` for ``wms/order_hdr/...``.
        target_of: File URI -> table name.
        admission: Chunk -> its contract.
        start: First date of the daily partitions, ISO.
        slots: Slots a date; more data makes larger chunks, never more slots.
        across_dates: ``newer_only``: a record of an older date never replaces one of a newer date;
            ``overwrite``: what is loaded last wins; ``versioned``: each record says itself which it is, and
            the target keeps the highest version whatever comes when (docs/decisions/0017).
        version: Attribute of the admitted records, an integer number, that decides then.
        default_keys: Key of a table that may be created here and for which no key was configured.
        index: Key of a target -> how its documents are indexed.
        destinations: Stages behind ``validated``, a subset of ``table`` and ``index``; of a versioned entity
            of ``current``, ``history`` and ``index``.
        source: Entity of a paged API that the records come from; empty: they come from files.
        described: How its contract follows the source's own description; None: the contract is fixed.
        stage_names: Stage -> name of its asset, where that is another one: ``{"validated": "records"}``.
        layouts: Headers of the entity's CSV files. Without any, its files are JSON dumps.
        sheet: Where the rows stand when the files are XLSX workbooks and not CSV.
    """

    name: str
    target_of: Callable[[str], str]
    admission: Callable[[Chunk], Admission]
    start: str
    slots: int = 16
    across_dates: str = "newer_only"
    version: str = ""
    default_keys: KeySchema = DEFAULT_KEYS
    index: Callable[[KeySchema], IndexContract] = by_default
    destinations: tuple[str, ...] = ("table", "index")
    source: str = ""
    described: Described | None = None
    stage_names: Mapping[str, str] = field(default_factory=dict)
    layouts: tuple[Layout, ...] = ()
    sheet: Sheet | None = None
    expect: Expectation = NO_EXPECTATION

    def __post_init__(self) -> None:
        if self.across_dates not in ACROSS_DATES:
            raise ValueError(f"{self.name}: across_dates {self.across_dates!r} is none of {ACROSS_DATES}")
        if (self.across_dates == VERSIONED) != bool(self.version):
            raise ValueError(f"{self.name}: a versioned entity, and no other, names its version attribute")


def in_order_of_dates(spec: EntitySpec) -> EntitySpec:
    """The entity as one whose newest date wins, whatever it is in daily use: for what is made of all dates at
    once, beside the target in use.

    Raises:
        ConfigurationError: Its records have versions, and only a target that compares them finds the newest.
    """
    if spec.across_dates == VERSIONED:
        raise ConfigurationError(
            f"{spec.name} has versions of its own, which only its targets compare: delete the target and "
            "materialize its asset for all dates; any order gives the same"
        )
    return replace(spec, across_dates="newer_only")
