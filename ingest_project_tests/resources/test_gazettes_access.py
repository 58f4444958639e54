"""Settings of the gazettes: complete, checked, and without a secret in what is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest_project.core.errors import ConfigurationError, RemoteWriteRefused
from ingest_project.resources.deployments import Settings
from ingest_project.resources.gazettes_access import GazettesAccess, Place

URL = "postgresql://me:hunter-1@db.example:5433/gazettes"


def settings(home: Path, **given: str) -> Settings:
    allowed = {"ALLOW": "INGEST_ALLOW_REMOTE_WRITES"}
    return Settings.from_env(
        {allowed.get(name, f"INGEST_GAZETTES_{name}"): value for name, value in given.items()}, home
    )


def test_without_variables_there_are_no_gazettes_and_the_defaults_are_those_of_the_domain(
    tmp_path: Path,
) -> None:
    found = settings(tmp_path).gazettes
    assert found == GazettesAccess(
        files=Place(bucket="ingest"), store=Place(bucket="ingest", prefix="gazettes/")
    )
    assert (4, 10, 100, 1000, 20) == (found.workers, found.batch, found.bulk, found.fetch, found.pool_size)
    with pytest.raises(ConfigurationError, match="INGEST_GAZETTES_DATABASE_URL is not set"):
        found.require()


def test_a_complete_archive_is_read_and_its_password_is_not_shown(tmp_path: Path) -> None:
    tika = {"EXTRACTOR": "tika", "TIKA_URL": "http://localhost:9998", "OCR": "por"}
    found = settings(tmp_path, DATABASE_URL=URL, FILES="files/2026/", STORE="texts", THEMES="t.yaml", **tika)
    access = found.gazettes
    access.require()
    assert (Place(bucket="files", prefix="2026/"), Place(bucket="texts")) == (access.files, access.store)
    assert ("por", Path("t.yaml").absolute()) == (access.ocr, access.themes)
    assert {"pdf", "jpeg"} < access.kinds
    assert ("postgresql://db.example:5433", "gazettes") == (access.database[0].url, access.database[1])
    assert "hunter" not in repr(found)


def test_tika_needs_its_address(tmp_path: Path) -> None:
    found = settings(tmp_path, DATABASE_URL=URL, EXTRACTOR="tika").gazettes
    with pytest.raises(ConfigurationError, match="INGEST_GAZETTES_TIKA_URL is not set"):
        found.require()


def test_pictures_are_read_by_tika_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="INGEST_GAZETTES_OCR needs INGEST_GAZETTES_EXTRACTOR=tika"):
        settings(tmp_path, DATABASE_URL=URL, OCR="por").gazettes.require()


WRONG = [
    ({"TYPES": "pdf, exe"}, "INGEST_GAZETTES_TYPES must be some of doc, docx, html, odt, pdf, rtf, txt"),
    ({"OCR": "yes please"}, "INGEST_GAZETTES_OCR must be languages such as por"),
    ({"DATABASE_URL": "mysql://me:hunter@db/x"}, "INGEST_GAZETTES_DATABASE_URL must be postgresql://"),
    ({"DATABASE_URL": "postgresql://me:hunter@db"}, "INGEST_GAZETTES_DATABASE_URL must be postgresql://"),
    ({"DATABASE_URL": "postgresql://me:hunter@db:99999/x"}, "INGEST_GAZETTES_DATABASE_URL must be"),
    ({"FILES": "s3://hunter"}, "INGEST_GAZETTES_FILES must be BUCKET or BUCKET/PREFIX"),
    ({"STORE": "a/../b"}, "INGEST_GAZETTES_STORE must be BUCKET or BUCKET/PREFIX"),
    ({"EXTRACTOR": "word"}, "INGEST_GAZETTES_EXTRACTOR must be one of in-process, tika"),
    ({"TIKA_URL": "http://tika.example"}, "INGEST_GAZETTES_TIKA_URL must begin with https://"),
    ({"INDEX": "Gazettes"}, "INGEST_GAZETTES_INDEX must be the name of an index"),
    ({"WORKERS": "0"}, "INGEST_GAZETTES_WORKERS must be a number from 1 to 256"),
]


@pytest.mark.parametrize(
    ("given", "said"), WRONG, ids=[next(iter(given)) + said[-9:] for given, said in WRONG]
)
def test_a_wrong_variable_is_named_without_its_secret(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        settings(tmp_path, **given)
    assert "DATABASE_URL" not in given or "hunter" not in str(caught.value)


def test_a_database_elsewhere_is_written_to_only_when_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(RemoteWriteRefused, match=r"add postgresql:db\.example:5433/gazettes to"):
        settings(tmp_path, DATABASE_URL=URL).require_write("postgresql", "gazettes")
    allowed = settings(tmp_path, DATABASE_URL=URL, ALLOW="postgresql:db.example:5433/gazettes")
    allowed.require_write("postgresql", "gazettes")
    here = settings(tmp_path, DATABASE_URL="postgresql://localhost/gazettes")
    here.require_write("postgresql", "gazettes")


def test_the_usual_port_is_not_named(tmp_path: Path) -> None:
    found = settings(tmp_path, DATABASE_URL="postgres://db.example/a%20b").gazettes
    assert ("db.example", "a b") == (found.database[0].place, found.database[1])
