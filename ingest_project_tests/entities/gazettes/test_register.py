"""The domain's tables on a real PostgreSQL: three modes of listing, the flag, aggregates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.gazettes.register import ALL, DAILY, UNPROCESSED, Buckets, GazetteRegister
from ingest_project.local.postgresql import database
from ingest_project.resources.postgresql import Postgres
from ingest_project.testing.gazette_tables import DDL, PUT_GAZETTE, PUT_TERRITORY
from ingest_project.testing.running import RunningServer

pytestmark = pytest.mark.servers

NOW = datetime(2026, 3, 10, 6, tzinfo=UTC)
MACEIO = {"id": "2704302", "name": "Maceió", "state_code": "AL", "state": "Alagoas"}


def gazette(number: int, *, hours: float = 1, processed: bool = False, **told: object) -> dict[str, object]:
    """A row, found so many hours before NOW."""
    return {
        "date": date(2026, 3, 9),
        "edition_number": str(number),
        "is_extra_edition": number % 2 == 0,
        "power": None,
        "file_checksum": f"checksum-{number}",
        "file_path": f"2704302/2026-03-09/{number}.pdf",
        "file_url": f"https://example.test/{number}",
        "scraped_at": (NOW - timedelta(hours=hours)).replace(tzinfo=None),
        "territory_id": MACEIO["id"],
        "processed": processed,
        **told,
    }


@pytest.fixture
def tables(postgresql: RunningServer) -> Iterator[Postgres]:
    with database(postgresql.url) as url:
        found = Postgres(url)
        with found.transaction() as connection:
            connection.execute(DDL.encode())
        found.change(PUT_TERRITORY, [MACEIO])
        yield found
        found.close()


def ids(register: GazetteRegister, mode: str) -> list[list[str]]:
    return [[one.id for one in page.documents] for page in register.listed(mode, NOW)]


def test_each_mode_lists_its_rows_in_pages(tables: Postgres) -> None:
    tables.change(PUT_GAZETTE, [gazette(n, hours=20 * n, processed=n % 2 == 0) for n in range(1, 6)])
    register = GazetteRegister(tables, page=2)
    assert [["1", "2"], ["3", "4"], ["5"]] == ids(register, ALL)
    assert [["1", "3"], ["5"]] == ids(register, UNPROCESSED)
    assert [["1"]] == ids(register, DAILY)
    with pytest.raises(ConfigurationError, match="DAILY, ALL, UNPROCESSED"):
        next(register.listed("SOME", NOW))


def test_a_corrected_town_is_news_of_its_associations_gazettes_alone(tables: Postgres) -> None:
    others = [
        {**MACEIO, "id": "2700000", "name": "Alagoas (AMA)"},
        {"id": "2900000", "name": "Bahia (UPB)", "state_code": "BA", "state": "Bahia"},
    ]
    tables.change(PUT_TERRITORY, others)
    owners = (MACEIO["id"], "2700000", "2900000")
    tables.change(PUT_GAZETTE, [gazette(n, territory_id=owner) for n, owner in enumerate(owners)])
    register = GazetteRegister(tables)

    def fields() -> list[dict[str, str]]:
        return [dict(one.fields) for page in register.listed(ALL, NOW) for one in page.documents]

    before = fields()
    assert ["towns" in one for one in before] == [False, True, True]
    tables.change(PUT_TERRITORY, [{**MACEIO, "id": "2704303", "name": "Maceió d'Oeste"}])
    after = fields()
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert after[1]["towns"] != before[1]["towns"]


def test_unprocessed_lists_every_row_while_rows_leave_the_set(tables: Postgres) -> None:
    tables.change(PUT_GAZETTE, [gazette(n) for n in range(25)])
    register = GazetteRegister(tables, page=4)
    found = []
    for page in register.listed(UNPROCESSED, NOW):
        found += [one.id for one in page.documents]
        assert len(page.documents) == register.mark_processed([one.id for one in page.documents])
    assert [str(number) for number in range(1, 26)] == found
    assert 0 == register.count_open() == register.mark_processed(found)


def test_unprocessed_misses_no_row_while_others_flag_some_and_add_some(tables: Postgres) -> None:
    tables.change(PUT_GAZETTE, [gazette(n) for n in range(200)])
    register, others = GazetteRegister(tables, page=7), GazetteRegister(tables)
    rng, found, flagged = Random(7), list[str](), set[str]()
    for page in register.listed(UNPROCESSED, NOW):
        found += [one.id for one in page.documents]
        some = {str(number) for number in rng.sample(range(1, 201), 9)}
        others.mark_processed(sorted(some | set(found[::2])))
        flagged |= some
        if len(found) < 21:
            tables.change(PUT_GAZETTE, [gazette(1000 + len(found))])
    assert len(found) == len(set(found))
    assert {str(number) for number in range(1, 203)} == {*found, *flagged}
    assert flagged - set(found)


def test_a_document_has_the_columns_as_texts_and_not_what_we_write(tables: Postgres) -> None:
    tables.change(PUT_GAZETTE, [gazette(7, is_extra_edition=True)])
    tables.rows("UPDATE gazettes SET created_at = '2026-03-10 05:30' RETURNING id")
    register = GazetteRegister(tables, buckets=Buckets(numbers=1))
    (page,) = register.listed(ALL, NOW)
    (document,) = page.documents
    expected = {
        "date": "2026-03-09",
        "edition_number": "7",
        "is_extra_edition": "true",
        "power": "",
        "file_checksum": "checksum-7",
        "file_path": "2704302/2026-03-09/7.pdf",
        "file_url": "https://example.test/7",
        "scraped_at": "2026-03-10T05:00:00",
        "created_at": "2026-03-10T05:30:00",
        "territory_id": "2704302",
        "territory_name": "Maceió",
        "state_code": "AL",
        "state": "Alagoas",
    }
    assert expected == document.fields
    assert ("1", "2704302", "2026-03", 0) == (
        document.id,
        document.group,
        document.bucket.month,
        document.bucket.number,
    )
    assert ("1",) == page.unprocessed
    register.mark_processed(["1"])
    (again,) = register.listed(ALL, NOW)
    assert ((document,), ()) == (again.documents, again.unprocessed)


def test_a_gazette_of_no_month_belongs_to_one_all_the_same() -> None:
    buckets, found = Buckets(start="2010-01", numbers=16), NOW
    cases = {date(1899, 1, 1): "2010-01", date(2924, 1, 1): "2026-03", date(2025, 12, 31): "2025-12"}
    row = {"territory_id": "2704302", "created_at": None, "scraped_at": found}
    assert cases == {day: buckets.of({**row, "date": day}).month for day in cases}
    assert buckets.of({**row, "date": date(2027, 1, 1), "scraped_at": None}).month == "2027-01"


def test_a_gazette_of_an_unknown_territory_is_listed_too(tables: Postgres) -> None:
    with tables.transaction() as connection:
        connection.execute("ALTER TABLE gazettes DROP CONSTRAINT gazettes_territory_id_fkey")
    tables.change(PUT_GAZETTE, [gazette(1, territory_id="9999999")])
    (page,) = GazetteRegister(tables).listed(UNPROCESSED, NOW)
    fields = page.documents[0].fields
    assert ("9999999", "", "") == (fields["territory_id"], fields["territory_name"], fields["state_code"])


def test_territories_are_told(tables: Postgres) -> None:
    assert [MACEIO] == GazetteRegister(tables).territories()


def test_an_aggregate_is_replaced_by_its_path(tables: Postgres) -> None:
    register = GazetteRegister(tables)
    row = {
        "territory_id": None,
        "state_code": "AL",
        "year": 2026,
        "file_path": "aggregates/AL/AL_2026.zip",
        "file_size_mb": 1.5,
        "hash_info": "h1",
        "last_updated": NOW,
    }
    for hash_info in ("h1", "h2"):
        register.upsert_aggregates([{**row, "hash_info": hash_info}])
        assert {"aggregates/AL/AL_2026.zip": hash_info} == register.aggregate_hashes(2026)
    assert {} == register.aggregate_hashes(2025)
