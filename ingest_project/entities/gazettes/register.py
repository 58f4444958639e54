"""GazetteRegister: the domain's tables: which gazettes there are, which are processed, what was aggregated.

Pages are read by id, never by offset: rows leave the set of the unprocessed while it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ingest_project.core.documents import Bucket, Document, bucket_number, fingerprint_of
from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.towns import STATE_TOWNS, is_association
from ingest_project.resources.postgresql import Postgres, Row, keyset

DAILY, ALL, UNPROCESSED = MODES = ("DAILY", "ALL", "UNPROCESSED")

DAY = timedelta(days=1)
OVERLAP = timedelta(hours=2)
"""What DAILY looks back beyond a day, so that a run that begins late misses nothing; enrolling twice is
free."""

_WHERE = {
    DAILY: "gazettes.scraped_at > %(since)s",
    ALL: "true",
    UNPROCESSED: "gazettes.processed IS NOT true",
}

_LISTED = """
SELECT gazettes.id, gazettes.date, gazettes.edition_number, gazettes.is_extra_edition, gazettes.power,
       gazettes.file_checksum, gazettes.file_path, gazettes.file_url, gazettes.scraped_at,
       gazettes.created_at, gazettes.territory_id, gazettes.processed,
       territories.name AS territory_name, territories.state_code, territories.state
FROM gazettes LEFT JOIN territories ON territories.id = gazettes.territory_id
WHERE gazettes.id > %(after)s AND {where}
ORDER BY gazettes.id LIMIT %(page)s
"""

_PROCESSED = "UPDATE gazettes SET processed = true WHERE id = ANY(%(ids)s) AND processed IS NOT true"
_OPEN = "SELECT count(*) AS open FROM gazettes WHERE processed IS NOT true"
_TERRITORIES = "SELECT id, name, state_code, state FROM territories ORDER BY id"
_HASHES = "SELECT file_path, hash_info FROM aggregates WHERE year = %(year)s"

_AGGREGATE = """
INSERT INTO aggregates (territory_id, state_code, year, file_path, file_size_mb, hash_info, last_updated)
VALUES (%(territory_id)s, %(state_code)s, %(year)s, %(file_path)s, %(file_size_mb)s, %(hash_info)s,
    %(last_updated)s)
ON CONFLICT (file_path) DO UPDATE SET
    territory_id = excluded.territory_id, state_code = excluded.state_code, year = excluded.year,
    file_size_mb = excluded.file_size_mb, hash_info = excluded.hash_info,
    last_updated = excluded.last_updated
"""

_OURS = ("id", "processed")
"""Columns that are no news of the gazette: its name, and what we write ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """Where a gazette belongs: the month of its date, and a number made of its territory.

    Attributes:
        start: First month; what is older belongs to it. A date behind the day on which the gazette was found
            is a mistake of its source: such a gazette belongs to the month in which it was found.
        numbers: Buckets a month.
    """

    collection: str = "gazettes"
    start: str = "2010-01"
    numbers: int = 16

    def of(self, row: Row) -> Bucket:
        """The bucket of a listed row."""
        found, told = row["scraped_at"] or row["created_at"], row["date"]
        if found is not None and told > found.date():
            told = found.date()
        month = max(self.start, f"{told:%Y-%m}")
        number = bucket_number(row["territory_id"], self.numbers)
        return Bucket(collection=self.collection, month=month, number=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """Some gazettes of a listing.

    Attributes:
        unprocessed: Ids of those whose flag is not set.
    """

    documents: tuple[Document, ...]
    unprocessed: tuple[str, ...]


class GazetteRegister:
    """Reads and writes the tables ``gazettes``, ``territories`` and ``aggregates``; blocks its thread.

    Args:
        page: Rows that are read at a time.
    """

    def __init__(self, database: Postgres, *, buckets: Buckets | None = None, page: int = 1000) -> None:
        self._database, self._buckets, self._page = database, buckets or Buckets(), page

    def listed(self, mode: str, now: datetime) -> Iterator[ListedPage]:
        """All gazettes of a mode, in order of their ids.

        Args:
            now: With its time zone. DAILY lists what was found in the day before, and a little more.

        Raises:
            ConfigurationError: There is no such mode.
        """
        if mode not in MODES:
            raise ConfigurationError(f"no such mode of listing: {mode!r}; one of {', '.join(MODES)}")
        statement, since = _LISTED.format(where=_WHERE[mode]), now - DAY - OVERLAP
        states = states_of(self.territories())

        def fetch(after: int) -> Sequence[Row]:
            values = {"after": after, "page": self._page, "since": since}
            return self._database.rows(statement, values)

        for rows in keyset(fetch, after=-1):
            open_ones = tuple(str(row["id"]) for row in rows if not row["processed"])
            documents = tuple(self._document(row, states) for row in rows)
            yield ListedPage(documents=documents, unprocessed=open_ones)

    def mark_processed(self, ids: Sequence[str]) -> int:
        """Set the flag of these gazettes; how many had not had it."""
        with self._database.transaction() as connection:
            return connection.execute(_PROCESSED.encode(), {"ids": [int(id) for id in ids]}).rowcount

    def count_open(self) -> int:
        """Gazettes whose flag is not set."""
        return int(self._database.rows(_OPEN)[0]["open"])

    def territories(self) -> Sequence[Mapping[str, str]]:
        """id, name, state_code, state of all."""
        return [_texts(row) for row in self._database.rows(_TERRITORIES)]

    def aggregate_hashes(self, year: int) -> Mapping[str, str]:
        """file_path -> hash_info of a year's aggregates."""
        rows = self._database.rows(_HASHES, {"year": year})
        return {row["file_path"]: row["hash_info"] or "" for row in rows}

    def upsert_aggregates(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take in aggregates by their file_path: all columns but the id."""
        self._database.change(_AGGREGATE, rows)

    def _document(self, row: Row, states: Mapping[str, str]) -> Document:
        fields = _texts({name: value for name, value in row.items() if name not in _OURS})
        if is_association(fields["territory_id"]):
            fields[STATE_TOWNS] = states.get(fields["state_code"], "")
        return Document(
            id=str(row["id"]), bucket=self._buckets.of(row), fields=fields, group=fields["territory_id"]
        )


def states_of(territories: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """State code -> a word that changes with any of its territories."""
    told: dict[str, list[str]] = {}
    for one in territories:
        told.setdefault(one["state_code"], []).extend((one["id"], one["name"], one["state"]))
    return {state: fingerprint_of(*words) for state, words in told.items()}


def _texts(row: Row) -> dict[str, str]:
    return {name: _text(value) for name, value in row.items()}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)
