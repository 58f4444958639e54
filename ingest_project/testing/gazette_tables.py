"""The domain's tables in PostgreSQL, for tests and for the demo: made, filled, read back. Values only."""

from __future__ import annotations

DDL = """
CREATE TABLE IF NOT EXISTS territories (
    id varchar PRIMARY KEY,
    name varchar NOT NULL,
    state_code varchar NOT NULL,
    state varchar NOT NULL
);
CREATE TABLE IF NOT EXISTS gazettes (
    id bigserial PRIMARY KEY,
    source_text text,
    date date NOT NULL,
    edition_number varchar,
    is_extra_edition boolean,
    power varchar,
    file_checksum varchar NOT NULL,
    file_path varchar NOT NULL,
    file_url varchar,
    scraped_at timestamp,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    territory_id varchar NOT NULL REFERENCES territories (id),
    processed boolean NOT NULL DEFAULT false,
    UNIQUE (territory_id, date, file_checksum)
);
CREATE INDEX IF NOT EXISTS gazettes_processed ON gazettes (processed, id);
CREATE INDEX IF NOT EXISTS gazettes_scraped_at ON gazettes (scraped_at);
CREATE TABLE IF NOT EXISTS aggregates (
    id bigserial PRIMARY KEY,
    territory_id varchar REFERENCES territories (id),
    state_code varchar NOT NULL,
    year integer NOT NULL,
    file_path varchar NOT NULL UNIQUE,
    file_size_mb double precision,
    hash_info varchar,
    last_updated timestamp
);
"""

PUT_TERRITORY = """
INSERT INTO territories (id, name, state_code, state)
VALUES (%(id)s, %(name)s, %(state_code)s, %(state)s)
ON CONFLICT (id) DO NOTHING
"""

PUT_GAZETTE = """
INSERT INTO gazettes (date, edition_number, is_extra_edition, power, file_checksum, file_path, file_url,
    scraped_at, territory_id, processed)
VALUES (%(date)s, %(edition_number)s, %(is_extra_edition)s, %(power)s, %(file_checksum)s, %(file_path)s,
    %(file_url)s, %(scraped_at)s, %(territory_id)s, %(processed)s)
ON CONFLICT (territory_id, date, file_checksum) DO NOTHING
"""
