"""The code API: import_file, its report, its progress, and what it leaves out of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import ingest_project
from ingest_project.core.errors import ConfigurationError, TargetMissing
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing import ImportProgress
from ingest_project_tests.cli.conftest import RECORDS, items_of, write_lines

PROGRAM = """
import json, sys
import ingest_project
report = ingest_project.import_file(sys.argv[1], sys.argv[2], workers=1)
heavy = [name for name in ("dagster", "pandas", "opensearchpy") if name in sys.modules]
print(json.dumps({"written": report.written, "heavy": heavy, "peak": report.peak_rss_bytes}))
"""


def test_import_file_loads_and_tells_progress(
    variables: Mapping[str, str], tmp_path: Path, dynamodb: Any, table: str
) -> None:
    seen: list[ImportProgress] = []
    settings = Settings.from_env(variables)
    dump = write_lines(tmp_path / "any-name.json", RECORDS)
    report = ingest_project.import_file(str(dump), table, settings=settings, progress=seen.append)
    assert report.ok
    assert (60, 60, 60) == (report.read, report.written, report.indexed)
    assert 60 == len(items_of(dynamodb, table))
    stages = list(dict.fromkeys(news.stage for news in seen))
    assert ["planned", "validated", "table", "index"] == stages
    for stage in stages:
        shares = [news.share for news in seen if news.stage == stage]
        assert sorted(shares) == shares
        assert shares[-1] == 1.0


def test_import_file_needs_a_key_to_make_a_table(variables: Mapping[str, str], tmp_path: Path) -> None:
    dump = write_lines(tmp_path / "x.json", RECORDS)
    settings = Settings.from_env(variables)
    with pytest.raises(ConfigurationError, match="with a key"):
        ingest_project.import_file(str(dump), "t", create_table=True, settings=settings)
    with pytest.raises(TargetMissing):
        ingest_project.import_file(str(tmp_path / "none"), "t", settings=settings)


def test_the_package_has_no_other_lazy_name() -> None:
    with pytest.raises(AttributeError, match="import_files"):
        ingest_project.__getattr__("import_files")


def test_a_load_never_imports_dagster(variables: Mapping[str, str], tmp_path: Path, table: str) -> None:
    dump = write_lines(tmp_path / "x.json", RECORDS)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(dump), table],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (60, []) == (told["written"], told["heavy"])
