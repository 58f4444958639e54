"""The samples of the demo are what they say they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ingest_project.core.model import KeySchema
from ingest_project.core.planning import Binding, plan
from ingest_project.core.validating import Validator
from ingest_project.entities.messages.contract import admission, target_of
from ingest_project.local.samples import SAMPLES, TABLE_KEYS, write_samples
from ingest_project.resources.deployments import parse_key_schema
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project.testing.doubles import InMemoryLedger, NullPartStore
from ingest_project.testing.doubles_time import FakeClock

ID = KeySchema(parts=(("id", "S"),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def test_the_samples_are_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    for path in write_samples(tmp_path):
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert {sample.name for sample in SAMPLES} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_has_the_records_that_it_announces(folder: Path, sample: object) -> None:
    source = DumpSource()
    wanted = next(one for one in SAMPLES if one == sample)
    (file,) = list_files(str(folder / wanted.name))
    assert wanted.table == target_of(file.uri)
    keys = parse_key_schema(TABLE_KEYS[wanted.table], "test") if wanted.table in TABLE_KEYS else ID
    bound = Binding(index=source.index(file), target=wanted.table, keys=keys)
    made = plan(None, [bound], entity="messages", date="2026-01-01")
    clock = FakeClock()
    ledger = InMemoryLedger(clock)
    validator = Validator(
        source=source, admission=admission, parts=NullPartStore(), ledger=ledger, clock=clock
    )
    totals = Counter[str]()
    for chunk in made.chunks:
        counts = validator.validate(chunk, "test").counts
        totals.update(read=counts.sent, rejected=counts.rejected)
    assert (wanted.read, wanted.rejected) == (totals["read"], totals["rejected"])
    if wanted.name == "messages-dump.json":
        assert 2 <= len(made.chunks)
