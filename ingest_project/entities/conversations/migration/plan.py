"""What a migration will do, as a value with a hash: definitions, counts, settings, moment. Sends nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from ingest_project.core.codecs import Codec
from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.core.model import Chunk, FileRange
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.keys import KEEP, zone_of
from ingest_project.entities.conversations.migration.items import Rows
from ingest_project.entities.conversations.similarity import SearchSettings

ENTITY = "conversations"
MOST_SEGMENTS = 1_000
_MIGRATED = ("old", "history", "embeddings")
_DURATIONS = ("keep", "stability")


class MigrationRefused(PermanentFailure):
    """A step of the migration is not taken; the message says what must come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSettings:
    """What a user decides.

    Attributes:
        segments: Parts that the old table is scanned in; each is a chunk of the ledger.
        zone: Of timestamps without one: UTC, or an offset.
        keep: How long messages stay; those that are older already, from the plan's moment on.
        search: How vectors are stored and searched.
        stability: How long the old table stays behind the cut-over.
        fresh: How old a verdict may be at the cut-over.
    """

    segments: int = 8
    zone: str = "UTC"
    keep: timedelta = KEEP
    search: SearchSettings = field(default_factory=SearchSettings)
    stability: timedelta = timedelta(days=7)
    fresh: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        if not 1 <= self.segments <= MOST_SEGMENTS:
            raise ConfigurationError(f"a scan has 1 to {MOST_SEGMENTS} segments, not {self.segments}")
        if min(self.keep, self.fresh) <= timedelta(0) or self.stability < timedelta(0):
            raise ConfigurationError("messages are kept, and a verdict holds, for more than no time")
        zone_of(self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPlan:
    """One migration.

    Attributes:
        moment: In UTC. From it the time of old messages counts, in every run.
        tables: Word -> name.
        definitions: Word -> fingerprint of its definition.
        items: That stood in the old table, as the service told.
        model, dimensions: Of the encoder.
        codec: How vectors are stored.
    """

    moment: datetime
    tables: Mapping[str, str]
    definitions: Mapping[str, str]
    items: int
    segments: int
    zone: str
    keep: timedelta
    model: str
    dimensions: int
    codec: Codec
    stability: timedelta

    @property
    def hash(self) -> str:
        """24 hexadecimal digits over all of it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:24]

    def to_json(self) -> str:
        """The plan as text, the same for ever."""
        told: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self)}
        told["moment"] = self.moment.isoformat()
        told |= {name: told[name].total_seconds() for name in _DURATIONS}
        return json.dumps(told, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> MigrationPlan:
        """The plan of ``to_json``."""
        told = json.loads(text)
        told["moment"] = datetime.fromisoformat(told["moment"])
        told |= {name: timedelta(seconds=told[name]) for name in _DURATIONS}
        return cls(**told)

    @property
    def date(self) -> str:
        """Under which the ledger has the work."""
        return self.moment.date().isoformat()

    def same_but_counts(self, other: MigrationPlan) -> bool:
        """Whether the two would make the same items of the same row."""
        return replace(self, items=0, moment=other.moment) == replace(other, items=0)

    def rows(self) -> Rows:
        """How its rows become messages."""
        return Rows(moment=self.moment, naive=zone_of(self.zone), keep=self.keep)

    def chunk(self, definition: TableDefinition, segment: int, round_: int) -> Chunk:
        """A segment of the old table on its way into one of the new ones."""
        uri = f"dynamodb:///{self.tables['old']}?plan={self.hash}&round={round_:04d}"
        return Chunk(
            entity=ENTITY,
            date=self.date,
            slot=segment,
            target=definition.name,
            keys=definition.keys,
            range=FileRange(uri=uri, etag=self.hash, start=segment, end=segment + 1),
            shape=f"segments:{self.segments}",
            compression="",
            records=0,
        )

    def round_of(self, uri: str) -> int:
        """The round of a chunk of this plan; 0: it is none."""
        stem, _, number = uri.rpartition("&round=")
        return int(number) if stem.endswith(f"?plan={self.hash}") else 0


def plan_of(
    settings: MigrationSettings,
    tables: Mapping[str, TableDefinition],
    items: int,
    *,
    model: str,
    dimensions: int,
    moment: datetime,
) -> MigrationPlan:
    """The plan of these settings for an old table of so many items."""
    return MigrationPlan(
        moment=moment.replace(microsecond=0),
        tables={word: tables[word].name for word in _MIGRATED},
        definitions={word: tables[word].fingerprint for word in _MIGRATED},
        items=items,
        segments=settings.segments,
        zone=settings.zone,
        keep=settings.keep,
        model=model,
        dimensions=dimensions,
        codec=settings.search.codec,
        stability=settings.stability,
    )
