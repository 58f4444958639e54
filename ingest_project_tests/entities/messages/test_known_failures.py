"""The seven known failures of earlier tools (domain/messages.md), end to end: from dump file to target.

Each of these fails on the old behaviour. What reading alone got wrong has tests of its own in sources.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from contextlib import closing
from pathlib import Path

import pytest

from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing import fault_scripts as scripts
from ingest_project_tests.entities.messages.serving import load, serving, settings_for, stored
from ingest_project_tests.faults.launcher import Launcher
from ingest_project_tests.faults.world import DAY, World, record, wrapped

MB = 2**20


def items(count: int, start: int = 0) -> list[bytes]:
    return [b'{"id":"m%d","n":%d.50}' % (number, number) for number in range(start, start + count)]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    return tmp_path / "messages-dump.json"


@pytest.mark.dagster
@pytest.mark.slow
def test_failure_1_a_run_over_a_large_wrapped_array_never_holds_it_whole(
    world: World, launcher: Launcher
) -> None:
    """json.load of this file takes more than it has bytes; five chunks at once and Dagster take 60 MB."""
    good = [record(f"k{number}", "a", pad=2000) for number in range(80 * MB // 2200)]
    content = b'{"Count":1,"data":[' + b",".join(good) + b"]}"
    world.put(DAY, f"{world.table}-dump.json", content, good)
    for stage in ("planned", "validated"):
        run = launcher.run(world, [stage])
        assert "SUCCESS" == run.result
        assert run.grown < len(content)


@pytest.mark.parametrize(
    "wrapper",
    [
        b'{"Items":[%s]}',
        b'{"items":[%s]}',
        b'{"Records":[%s]}',
        b'{"records":[%s]}',
        b'{"data":[%s]}',
        b'{"Data":[%s]}',
        b'{"MessageGroup":[%s]}',
        b'{"messages":[%s]}',
        b'{"Messages":[%s]}',
        b'{"Rows":[%s]}',
        b'{"rows":[%s]}',
        b'{"Count":3,"ScannedCount":9,"Items":[%s],"LastEvaluatedKey":{"id":"z"}}',
        b"[%s]",
    ],
)
def test_failure_1_the_items_of_every_wrapper_arrive(dump: Path, home: Path, wrapper: bytes) -> None:
    dump.write_bytes(wrapper % b",".join(items(30)))
    with serving() as server:
        report = load(server, home, dump)
        assert (True, 30, 30, 0) == (report.ok, report.read, report.written, report.rejected)
        assert {f"m{number}": {"N": f"{number}.50"} for number in range(30)} == {
            key: item["n"] for key, item in stored(server).items()
        }


@pytest.mark.parametrize("lost", [1, 2, 15])
def test_failure_2_a_truncated_file_is_no_success_and_what_it_had_is_accounted_for(
    dump: Path, home: Path, lost: int
) -> None:
    whole = wrapped(items(100)).removesuffix(b',"Count":1}') + b"}"
    dump.write_bytes(whole[:-lost])
    good = 100 if lost < 3 else 99
    with serving() as server:
        report = load(server, home, dump)
        assert not report.ok
        assert f"byte {len(whole) - lost}" in report.files[0].error
        assert (good, good, 0) == (report.read, report.written, report.rejected)
        assert good == len(stored(server))
        with closing(SqlLedger(settings_for(server, home).ledger_url)) as ledger:
            assert {"failed"} == {row.state for row in ledger.status()}


def test_failure_3_of_1000_items_each_is_counted_once_whatever_the_target_answers(
    dump: Path, home: Path
) -> None:
    """Refused, cut off, throttled and sent again: 1000 are written and none has failed."""
    faults = [
        scripts.unprocessed(0, 7, 24),
        scripts.unprocessed(*range(25)),
        scripts.error("ProvisionedThroughputExceededException"),
        scripts.error("InternalServerError", status=500),
        scripts.reset(after=True),
        scripts.reset(after=False),
        scripts.cut(),
    ]
    dump.write_bytes(wrapped(items(1000)))
    with serving(scripts.at_random(3, faults, 0.4)) as server:
        report = load(server, home, dump)
        assert server.requests > 40
        assert (True, 1000, 1000, 0) == (report.ok, report.read, report.written, report.rejected)
        assert 1000 == len(stored(server))


def test_failure_4_a_key_that_comes_twice_among_25_costs_no_other_item(dump: Path, home: Path) -> None:
    rows = items(25)
    rows[20] = b'{"id":"m3","n":7}'
    dump.write_bytes(b"\n".join(rows))
    with serving() as server:
        report = load(server, home, dump)
        assert (True, 25, 24, 1) == (report.ok, report.read, report.written, report.superseded)
        assert {f"m{number}" for number in range(25)} - {"m20"} == set(stored(server))
        assert {"N": "7"} == stored(server)["m3"]["n"]


def test_failure_4_a_bad_item_among_25_costs_no_other_item(dump: Path, home: Path) -> None:
    rows = items(25)
    rows[4], rows[9], rows[14] = b'{"id":"","n":1}', b'{"id":9,"n":1}', b'{"id":"big","n":1e126}'
    dump.write_bytes(b"[" + b",".join(rows) + b"]")
    with serving() as server:
        report = load(server, home, dump)
        assert (25, 22, 3) == (report.read, report.written, report.rejected)
        assert {f"m{number}" for number in range(25)} - {"m4", "m9", "m14"} == set(stored(server))


def test_failure_5_json_lines_give_their_items(dump: Path, home: Path) -> None:
    dump.write_bytes(b"\n".join(items(60)) + b"\n")
    with serving() as server:
        report = load(server, home, dump)
        assert (True, 60, 60) == (report.ok, report.read, len(stored(server)))


def write_export(folder: Path) -> Path:
    """An export of two data files as AWS lays it out."""
    root = folder / "AWSDynamoDB" / "01700000000000-abcdef"
    (root / "data").mkdir(parents=True)
    listed = []
    for name, start in (("one", 0), ("two", 40)):
        rows = [
            b'{"Item":{"id":{"S":"m%d"},"n":{"N":"%d.50"}}}\n' % (number, number)
            for number in range(start, start + 40)
        ]
        content = gzip.compress(b"".join(rows))
        (root / "data" / f"{name}.json.gz").write_bytes(content)
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        key = f"AWSDynamoDB/{root.name}/data/{name}.json.gz"
        listed.append({"itemCount": 40, "md5Checksum": md5, "dataFileS3Key": key})
    (root / "manifest-files.json").write_text("".join(json.dumps(one) + "\n" for one in listed))
    files_key = f"AWSDynamoDB/{root.name}/manifest-files.json"
    summary = {"itemCount": 80, "manifestFilesS3Key": files_key, "outputFormat": "DYNAMODB_JSON"}
    (root / "manifest-summary.json").write_text(json.dumps(summary))
    return folder


def test_failure_5_an_export_gives_its_items(tmp_path: Path, home: Path) -> None:
    folder = write_export(tmp_path / "export")
    with serving() as server:
        report = load(server, home, folder)
        assert (True, 80, 80) == (report.ok, report.read, len(stored(server)))
        assert {"N": "79.50"} == stored(server)["m79"]["n"]


def test_failure_5_a_file_without_items_is_no_silent_success(dump: Path, home: Path) -> None:
    dump.write_bytes(b"\n \n")
    with serving() as server:
        report = load(server, home, dump)
        assert not report.ok
        assert "byte" in report.files[0].error


def test_failure_6_a_fault_in_the_middle_sends_no_item_twice_not_even_in_a_second_load(
    dump: Path, home: Path
) -> None:
    rows = items(500)
    content = b"[" + b",".join([*rows[:300], b'{"id":oops}', *rows[300:]]) + b"]"
    dump.write_bytes(content)
    with serving() as server:
        report = load(server, home, dump)
        assert f"byte {content.index(b'oops')}" in report.files[0].error
        assert (300, 300, 300) == (report.read, report.written, server.tables.puts)
        load(server, home, dump)
        assert 300 == server.tables.puts
        dump.write_bytes(content.replace(b'{"id":oops},', b""))
        assert load(server, home, dump).ok
        assert 500 == len(stored(server))


def test_failure_7_items_without_their_key_are_counted_and_kept(dump: Path, home: Path) -> None:
    rows = [*items(10), b'{"nokey":1}', b'{"id":null,"n":2}', *items(10, start=10), b"17"]
    dump.write_bytes(b"\n".join(rows))
    with serving() as server:
        report = load(server, home, dump)
        assert not report.ok
        assert (23, 20, 3) == (report.read, report.written, report.rejected)
        with closing(SqlLedger(settings_for(server, home).ledger_url)) as ledger:
            letters = list(ledger.dead_letters.each())
    assert [b'{"nokey":1}', b'{"id":null,"n":2}', b"17"] == [letter.raw for letter in letters]
    content = b"\n".join(rows)
    assert [content.index(letter.raw) for letter in letters[:2]] == [letter.offset for letter in letters[:2]]
    assert all("id" in letter.reason for letter in letters[:2])
