"""DynamoDBSink against a server that misbehaves: every class of error, and what becomes of each item."""

from __future__ import annotations

import time

import pytest

from ingest_project.core.errors import (
    BatchTooLarge,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)
from ingest_project.core.model import WriteReport
from ingest_project.sinks.signing import Keys, StaticCredentials
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.sinks.sending import (
    ACCESS,
    CREDENTIALS,
    SECRET,
    TABLE,
    batch_of,
    dynamodb_sink,
    line,
    lines,
)


def server_with(*script: Fault | None) -> FaultServer:
    return FaultServer(keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), script=faults.in_order(*script))


async def report_of(server: FaultServer, bodies: list[bytes]) -> WriteReport:
    async with server, dynamodb_sink(server.url) as sink:
        return await sink.write(batch_of(bodies))


async def failure_of(server: FaultServer, kind: type[Exception]) -> Exception:
    async with server, dynamodb_sink(server.url) as sink:
        with pytest.raises(kind) as caught:
            await sink.write(batch_of(lines(3)))
    return caught.value


async def test_all_items_of_a_batch_are_written_under_a_valid_signature() -> None:
    server = server_with()
    assert WriteReport(written=25) == await report_of(server, lines(25))
    assert len(server.tables.items[TABLE]) == 25


async def test_unprocessed_items_are_found_again_by_key_whatever_their_spelling() -> None:
    server = server_with(faults.unprocessed(1, 4))
    report = await report_of(server, lines(6))
    assert WriteReport(written=4, retry=[1, 4], throttled=True) == report
    assert server.tables.puts == 4


async def test_when_all_items_are_unprocessed_all_are_for_later() -> None:
    report = await report_of(server_with(faults.unprocessed(0, 1, 2)), lines(3))
    assert WriteReport(retry=[0, 1, 2], throttled=True) == report


@pytest.mark.parametrize(
    "name",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
    ],
)
async def test_throttling_asks_for_a_lower_rate(name: str) -> None:
    failure = await failure_of(server_with(faults.error(name, retry_after="7")), Throttled)
    assert isinstance(failure, Throttled)
    assert failure.retry_after == 7.0


@pytest.mark.parametrize(
    "fault",
    [
        faults.error("InternalServerError", status=500),
        faults.error("ServiceUnavailable", status=503),
        faults.error("InternalFailure"),
        faults.error("", status=504),
        faults.reset(after=False),
        faults.reset(after=True),
        faults.cut(),
        faults.damaged(),
    ],
    ids=lambda fault: f"{fault.kind} {fault.name or fault.status}",
)
async def test_what_may_pass_is_transient_and_sending_again_completes_it(fault: Fault) -> None:
    server = server_with(fault)
    async with server, dynamodb_sink(server.url) as sink:
        with pytest.raises(TransientFailure) as caught:
            await sink.write(batch_of(lines(3)))
        assert not isinstance(caught.value, Throttled)
        assert WriteReport(written=3) == await sink.write(batch_of(lines(3)))
    assert {'[{"S": "0"}]', '[{"S": "1"}]', '[{"S": "2"}]'} == server.tables.items[TABLE].keys()


async def test_an_answer_that_does_not_come_in_time_is_transient() -> None:
    server = server_with(faults.slow(5.0))
    async with server, dynamodb_sink(server.url, timeout=0.2) as sink:
        with pytest.raises(TransientFailure, match=r"no answer within 0\.2 s"):
            await sink.write(batch_of(lines(1)))


async def test_a_service_that_is_not_there_is_transient() -> None:
    async with dynamodb_sink("http://127.0.0.1:9") as sink:
        with pytest.raises(TransientFailure, match=r"127\.0\.0\.1:9"):
            await sink.write(batch_of(lines(1)))


async def test_one_bad_item_harms_none_of_the_other_24() -> None:
    bodies = lines(25)
    bodies[7] = line("")
    server = server_with()
    report = await report_of(server, bodies)
    assert report.written == 24
    assert [(one.index, one.reason) for one in report.refusals] == [
        (7, "ValidationException: a key attribute is missing or empty")
    ]
    assert len(server.tables.items[TABLE]) == 24


async def test_several_bad_items_are_each_refused_with_their_own_reason() -> None:
    bodies = lines(25)
    bodies[0], bodies[24] = line(""), line("big", text="x" * 410_000)
    bodies[12] = b'{"Item":{"id":{"S":"broken"}'
    report = await report_of(server_with(), bodies)
    assert sorted(one.index for one in report.refusals) == [0, 12, 24]
    assert report.written == 22


async def test_equal_keys_in_one_request_are_written_in_order() -> None:
    bodies = [line("same", text="first"), line("other"), line("same", text="last")]
    server = server_with()
    assert WriteReport(written=3, refusals=[], retry=[]) == await report_of(server, bodies)
    assert server.tables.items[TABLE]['[{"S": "same"}]']["text"] == {"S": "last"}


async def test_a_throttle_while_culprits_are_looked_for_leaves_its_half_for_later() -> None:
    bodies = [line(""), *lines(3)]
    server = server_with(None, None, None, None, faults.error("ThrottlingException", retry_after="3"))
    report = await report_of(server, bodies)
    assert (
        report.written + len(report.refusals),
        [one.index for one in report.refusals],
        sorted(report.retry),
    ) == (2, [0], [2, 3])
    assert (report.retry_after, report.throttled) == (3.0, True)


async def test_a_full_item_collection_refuses_its_item_only() -> None:
    fault = faults.error("ItemCollectionSizeLimitExceededException")
    report = await report_of(server_with(fault), lines(1))
    assert report.refusals[0].reason == "ItemCollectionSizeLimitExceededException: scripted"


async def test_a_request_that_is_too_large_is_to_be_split() -> None:
    await failure_of(server_with(faults.error("", status=413)), BatchTooLarge)


async def test_a_single_item_that_is_too_large_is_refused() -> None:
    report = await report_of(server_with(faults.error("", status=413)), lines(1))
    assert [one.index for one in report.refusals] == [0]


async def test_a_missing_table_is_said_by_writes_and_by_identity() -> None:
    async with server_with() as server, dynamodb_sink(server.url, "nope") as sink:
        with pytest.raises(TargetMissing, match="nope"):
            await sink.identity()
        with pytest.raises(TargetMissing, match="not found"):
            await sink.write(batch_of(lines(2)))


async def test_identity_is_the_table_id() -> None:
    async with server_with() as server, dynamodb_sink(server.url) as sink:
        assert (await sink.identity()).startswith("table-id-")


async def test_a_wrong_secret_is_permanent() -> None:
    wrong = StaticCredentials(access_key=ACCESS, secret_key="wrong")
    async with server_with() as server, dynamodb_sink(server.url, credentials=wrong) as sink:
        with pytest.raises(PermanentFailure, match="signature we calculated does not match"):
            await sink.write(batch_of(lines(1)))


@pytest.mark.parametrize(
    "name", ["AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"]
)
async def test_refused_credentials_are_permanent(name: str) -> None:
    failure = await failure_of(server_with(faults.error(name, message="go away")), PermanentFailure)
    assert f"{name}: go away" == str(failure)


class Rotated:
    """Credentials that were replaced after they were first asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def get_frozen_credentials(self) -> Keys:
        self.asked += 1
        old = StaticCredentials(access_key=ACCESS, secret_key=SECRET, token="old")
        return old if self.asked == 1 else CREDENTIALS


async def test_an_expired_token_is_transient_when_there_are_newer_keys() -> None:
    server = server_with(faults.error("ExpiredTokenException"))
    async with server, dynamodb_sink(server.url, credentials=Rotated()) as sink:
        with pytest.raises(TransientFailure, match="renewed"):
            await sink.write(batch_of(lines(1)))
        assert WriteReport(written=1) == await sink.write(batch_of(lines(1)))


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_a_wrong_clock_is_corrected_by_the_servers(ahead: float) -> None:
    server = FaultServer(
        keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), clock=lambda: time.time() + ahead
    )
    async with server, dynamodb_sink(server.url) as sink:
        with pytest.raises(TransientFailure, match="corrected"):
            await sink.write(batch_of(lines(1)))
        assert WriteReport(written=1) == await sink.write(batch_of(lines(1)))


async def test_an_unknown_error_is_permanent() -> None:
    failure = await failure_of(server_with(faults.error("NeverHeardOfIt")), PermanentFailure)
    assert str(failure) == "NeverHeardOfIt: scripted"
