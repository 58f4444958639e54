"""Each fault as it is seen on the wire, by a client that is not ours; and what the write came to."""

from __future__ import annotations

import http.client
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.fault_quotas import RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import STATS, FaultServer
from ingest_project_tests.cli.processes import serving
from ingest_project_tests.testing.asking import (
    INDEX,
    TABLE,
    Heard,
    ask,
    boto,
    index_documents,
    over_memory,
    put_items,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEYS = ["a", "b", "c"]


def put_with(fault: Fault) -> tuple[Heard, int]:
    """What BatchWriteItem hears of three items, and how many are kept."""
    with serving(over_memory(fault)) as server:
        return put_items(server.url, KEYS), len(server.tables.items[TABLE])


def index_with(fault: Fault) -> tuple[Heard, int]:
    """What _bulk hears of three documents, and how many are kept."""
    with serving(over_memory(fault)) as server:
        return index_documents(server.url, KEYS), len(server.indices.documents[INDEX])


def statuses(heard: Heard) -> list[int]:
    return [item["index"]["status"] for item in heard.json["items"]]


def test_without_a_fault_all_is_taken_and_the_checksum_is_right() -> None:
    heard, kept = put_with(Fault(kind=faults.SLOW))
    assert (200, {"UnprocessedItems": {}}, 3) == (heard.status, heard.json, kept)
    assert str(zlib.crc32(heard.body)) == heard.headers["x-amz-crc32"]
    heard, kept = index_with(Fault(kind=faults.SLOW))
    assert (200, False, [201, 201, 201], 3) == (
        heard.status,
        heard.json["errors"],
        statuses(heard),
        kept,
    )


def test_items_of_a_table_in_memory_are_read_by_their_keys() -> None:
    with serving(over_memory()) as server:
        put_items(server.url, KEYS)
        wanted = {TABLE: {"Keys": [{"id": {"S": key}} for key in ("a", "x", "c")]}}
        heard = boto("dynamodb", server.url).batch_get_item(RequestItems=wanted)
    assert ["a", "c"] == [item["id"]["S"] for item in heard["Responses"][TABLE]]
    assert {} == heard["UnprocessedKeys"]


def test_unprocessed_items_come_back_and_are_not_kept() -> None:
    heard, kept = put_with(faults.unprocessed(0, 2, 9))
    left = [one["PutRequest"]["Item"]["id"]["S"] for one in heard.json["UnprocessedItems"][TABLE]]
    assert (["a", "c"], 1) == (left, kept)
    assert str(zlib.crc32(heard.body)) == heard.headers["x-amz-crc32"]


@pytest.mark.parametrize(
    "name",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"],
)
def test_boto3_hears_a_throttle_by_its_name(name: str) -> None:
    with serving(over_memory(faults.error(name))) as server:
        client = boto("dynamodb", server.url)
        with pytest.raises(client.exceptions.ClientError) as caught:
            client.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]})
        client.close()
        assert (name, 0) == (caught.value.response["Error"]["Code"], len(server.tables.items[TABLE]))


@pytest.mark.parametrize("status", [429, 503])
def test_a_refused_document_stands_in_its_place_and_is_not_kept(status: int) -> None:
    heard, kept = index_with(faults.refused_items(status, "es_rejected_execution_exception", 1))
    assert (True, [201, status, 201], 2) == (heard.json["errors"], statuses(heard), kept)
    error = {"type": "es_rejected_execution_exception", "reason": "scripted"}
    assert {"_index": INDEX, "_id": "b", "status": status, "error": error} == heard.json["items"][1]["index"]


@pytest.mark.parametrize("status", [413, 429, 500, 503])
def test_an_error_is_said_in_the_services_own_form_and_nothing_is_kept(status: int) -> None:
    heard, kept = put_with(faults.error("Name", status=status))
    said = {"__type": "com.amazonaws.dynamodb.v20120810#Name", "message": "scripted"}
    assert (status, said, 0) == (heard.status, heard.json, kept)
    heard, kept = index_with(faults.error("name", status=status))
    assert (status, {"type": "name", "reason": "scripted"}, 0) == (heard.status, heard.json["error"], kept)


@pytest.mark.parametrize("with_fault", [put_with, index_with])
def test_an_error_may_be_answered_although_the_write_took_effect(
    with_fault: Callable[[Fault], tuple[Heard, int]],
) -> None:
    heard, kept = with_fault(faults.error("InternalServerError", status=500, after=True))
    assert (500, 3) == (heard.status, kept)


@pytest.mark.parametrize(("body", "kind"), [(faults.HTML, "text/html"), (b"", "application/json")])
def test_an_error_may_be_a_page_of_someone_else_or_empty(body: bytes, kind: str) -> None:
    heard, kept = put_with(faults.page(502, body))
    assert (502, body, 0) == (heard.status, heard.body, kept)
    assert kind == heard.headers.get_content_type()


def test_retry_after_is_said_in_seconds_or_as_a_date_of_the_servers_clock() -> None:
    script = (
        faults.error("", status=429, retry_after="7"),
        Fault(kind=faults.ERROR, status=503, retry_date=90.0),
    )
    with serving(over_memory(*script, clock=NOON.timestamp)) as server:
        seconds, date = index_documents(server.url, KEYS), index_documents(server.url, KEYS)
    assert "7" == seconds.headers["Retry-After"]
    assert "Sun, 22 Nov 2026 12:01:30 GMT" == date.headers["Retry-After"]
    assert "Sun, 22 Nov 2026 12:00:00 GMT" == date.headers["Date"]


@pytest.mark.parametrize("after", [False, True])
def test_a_reset_breaks_the_connection_before_or_after_the_write(after: bool) -> None:
    with serving(over_memory(faults.reset(after=after))) as server:
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            put_items(server.url, KEYS)
        assert (3 if after else 0) == len(server.tables.items[TABLE])


def test_a_cut_answer_ends_before_its_declared_length_and_the_write_stands() -> None:
    with serving(over_memory(faults.cut())) as server:
        with pytest.raises(http.client.IncompleteRead) as caught:
            index_documents(server.url, KEYS)
        assert (True, 3) == (len(caught.value.partial) > 0, len(server.indices.documents[INDEX]))


def test_a_stalled_answer_never_ends_and_the_write_stands() -> None:
    with serving(over_memory(faults.stalled())) as server:
        with pytest.raises(TimeoutError):
            put_items(server.url, KEYS, patience=0.05)
        assert 3 == len(server.tables.items[TABLE])
        assert 200 == put_items(server.url, KEYS).status


def test_a_damaged_answer_has_a_checksum_that_does_not_fit_and_the_write_stands() -> None:
    heard, kept = put_with(faults.damaged())
    assert (200, 3) == (heard.status, kept)
    assert str(zlib.crc32(heard.body)) != heard.headers["x-amz-crc32"]
    heard, kept = index_with(faults.damaged())
    with pytest.raises(json.JSONDecodeError):
        json.loads(heard.body.decode())
    assert 3 == kept


def test_a_damaged_answer_may_hide_what_was_not_taken() -> None:
    heard, kept = put_with(faults.damaged(0, 1))
    assert ({"UnprocessedItems": {}}, 1) == (heard.json, kept)
    assert str(zlib.crc32(heard.body)) != heard.headers["x-amz-crc32"]


def test_a_wrong_answer_is_well_formed_and_does_not_fit() -> None:
    heard, kept = put_with(faults.wrong())
    assert (["another-table"], 3) == (list(heard.json["UnprocessedItems"]), kept)
    assert str(zlib.crc32(heard.body)) == heard.headers["x-amz-crc32"]
    heard, kept = index_with(faults.wrong())
    assert ([201, 201], 3) == (statuses(heard), kept)


def test_a_wrong_answer_may_hide_what_was_not_taken() -> None:
    heard, kept = put_with(faults.wrong(0, 2))
    assert (["another-table"], 1) == (list(heard.json["UnprocessedItems"]), kept)


def test_a_skewed_answer_brings_the_date_that_explains_it() -> None:
    with serving(over_memory(faults.skewed(-3600.0), clock=NOON.timestamp)) as server:
        heard = put_items(server.url, KEYS)
        assert 0 == len(server.tables.items[TABLE])
    assert heard.json["__type"].endswith("#InvalidSignatureException")
    assert -3600.0 == (parsedate_to_datetime(heard.headers["Date"]) - NOON).total_seconds()


def test_expired_keys_stay_expired_and_newer_ones_are_let_in() -> None:
    with serving(over_memory(None, faults.expired())) as server:
        batch = {TABLE: [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]}
        old, new = (boto("dynamodb", server.url, token=token) for token in ("old", "new"))
        old.batch_write_item(RequestItems=batch)
        for _ in range(2):
            with pytest.raises(old.exceptions.ClientError, match="ExpiredTokenException"):
                old.batch_write_item(RequestItems=batch)
        with pytest.raises(old.exceptions.ClientError, match="ExpiredTokenException"):
            old.describe_table(TableName=TABLE)
        assert {} == new.batch_write_item(RequestItems=batch)["UnprocessedItems"]
        old.close()
        new.close()


def test_a_table_that_goes_away_is_missing_for_every_call_until_it_is_back() -> None:
    with serving(over_memory(None, faults.gone(TABLE), None, faults.back(TABLE))) as server:
        answers = [put_items(server.url, [key]) for key in "abcd"]
        assert [200, 400, 400, 200] == [heard.status for heard in answers]
        assert answers[1].json["__type"].endswith("#ResourceNotFoundException")
        assert ['[{"S": "a"}]', '[{"S": "d"}]'] == list(server.tables.items[TABLE])


def test_a_read_only_index_refuses_its_own_documents_only() -> None:
    body = b"".join(
        b'{"index":{"_index":"%b","_id":"%d"}}\n{}\n' % (index, number)
        for number, index in enumerate([b"i", b"other", b"i", b"other"])
    )
    with serving(over_memory(faults.read_only(INDEX), None, faults.writable(INDEX))) as server:
        answers = [ask(server.url, target="/_bulk", body=body) for _ in range(3)]
        assert [[403, 201, 403, 201], [403, 201, 403, 201], [201] * 4] == [statuses(one) for one in answers]
        assert "cluster_block_exception" == answers[0].json["items"][0]["index"]["error"]["type"]


def test_an_index_that_goes_away_refuses_its_documents_and_is_not_made_anew() -> None:
    with serving(over_memory(faults.gone(INDEX))) as server:
        heard = index_documents(server.url, KEYS)
        assert ([404] * 3, {}) == (statuses(heard), server.indices.documents[INDEX])
        assert 404 == ask(server.url, "GET", f"/{INDEX}").status


def test_a_quota_takes_what_fits_and_says_so_when_nothing_does() -> None:
    clock = FakeClock()
    server = FaultServer(
        keys={TABLE: ("id",)},
        null=True,
        quota=WriteQuota(10, burst_seconds=1, clock=clock),
        timer=clock,
    )
    with serving(server):
        assert {} == put_items(server.url, map(str, range(6))).json["UnprocessedItems"]
        assert 2 == len(put_items(server.url, map(str, range(6))).json["UnprocessedItems"][TABLE])
        assert put_items(server.url, "ab").json["__type"].endswith("#ProvisionedThroughputExceededException")
        clock.advance(1.0)
        assert {} == put_items(server.url, map(str, range(10))).json["UnprocessedItems"]
        found = ask(server.url, "GET", STATS).json
    assert 4 == found["requests"]
    assert [
        {"second": 0, "accepted": 10, "refused": 4, "requests": 3, "refusals": 1, "in_flight": 1},
        {"second": 1, "accepted": 10, "refused": 0, "requests": 1, "refusals": 0, "in_flight": 1},
    ] == found["seconds"]


def test_a_request_that_the_service_refuses_costs_no_units() -> None:
    quota = WriteQuota(3, burst_seconds=1, clock=FakeClock())
    with serving(over_memory(quota=quota)) as server:
        assert "ValidationException" in put_items(server.url, ["a", "a"]).json["__type"]
        assert {} == put_items(server.url, KEYS).json["UnprocessedItems"]
        assert 3 == server.meter.record()[0]["accepted"]


def test_a_quota_in_documents_refuses_single_documents() -> None:
    quota = WriteQuota(4, burst_seconds=1, unit=0, clock=FakeClock())
    with serving(over_memory(quota=quota)) as server:
        assert [201, 201, 201] == statuses(index_documents(server.url, KEYS))
        assert [201, 429, 429] == statuses(index_documents(server.url, KEYS))
        assert [429, 429, 429] == statuses(index_documents(server.url, KEYS))


def test_beyond_the_quota_of_requests_comes_429_with_the_time_to_wait() -> None:
    clock = FakeClock()
    with serving(over_memory(request_quota=RequestQuota(0.5, burst=2, clock=clock))) as server:
        answers = [index_documents(server.url, KEYS) for _ in range(3)]
        clock.advance(2.0)
        answers.append(index_documents(server.url, KEYS))
    assert [200, 200, 429, 200] == [heard.status for heard in answers]
    assert "2" == answers[2].headers["Retry-After"]


def test_one_seed_gives_one_sequence_and_another_seed_another() -> None:
    chosen = list(faults.NAMED.values())

    def sequence(seed: int) -> list[Fault | None]:
        script = faults.at_random(seed, chosen, 0.5)
        return [script(number) for number in range(200)]

    assert sequence(1) == sequence(1)
    assert sequence(1) != sequence(2)
    assert 60 < sum(fault is not None for fault in sequence(1)) < 140


def test_scripts_are_laid_over_each_other_and_over_stretches() -> None:
    first, second = faults.cut(), faults.damaged()
    script = faults.layered(faults.between(1, 3, first), faults.between(2, None, second))
    assert [None, first, first, second, second] == [script(number) for number in range(5)]
