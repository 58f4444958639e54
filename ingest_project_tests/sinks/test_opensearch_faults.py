"""OpenSearchSink against a server that misbehaves: every class of error, every document's outcome."""

from __future__ import annotations

import pytest

from ingest_project.core.errors import (
    BatchTooLarge,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)
from ingest_project.core.model import Refusal, WriteReport
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.sinks.sending import INDEX, batch_of, document, documents, opensearch_sink


def server_with(*script: Fault | None) -> FaultServer:
    return FaultServer(indices=(INDEX,), script=faults.in_order(*script))


async def report_of(server: FaultServer, bodies: list[bytes]) -> WriteReport:
    async with server, opensearch_sink(server.url) as sink:
        return await sink.write(batch_of(bodies))


async def failure_of(fault: Fault, kind: type[Exception], items: int = 3) -> Exception:
    async with server_with(fault) as server, opensearch_sink(server.url) as sink:
        with pytest.raises(kind) as caught:
            await sink.write(batch_of(documents(items)))
    return caught.value


async def test_all_documents_of_a_batch_are_written_byte_for_byte() -> None:
    server = server_with()
    source = b'{"n": 1.0, "big":12345678901234567890123456789012345678,"s":"\\u00e9"}'
    bodies = [*documents(999), document("exact", source)]
    assert WriteReport(written=1000) == await report_of(server, bodies)
    assert source == server.indices.documents[INDEX]["exact"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_documents_that_the_server_could_not_take_now_are_for_later(status: int) -> None:
    fault = faults.refused_items(status, "es_rejected_execution_exception", 1, 3)
    report = await report_of(server_with(fault), documents(5))
    assert WriteReport(written=3, refusals=[], retry=[1, 3], throttled=status == 429) == report


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_documents_that_the_server_does_not_want_are_refused_with_its_reason(status: int) -> None:
    fault = faults.refused_items(status, "mapper_parsing_exception", 0)
    report = await report_of(server_with(fault), documents(3))
    refusal = Refusal(index=0, reason="mapper_parsing_exception: scripted")
    assert WriteReport(written=2, refusals=[refusal], retry=[]) == report


async def test_an_older_external_version_counts_as_superseded() -> None:
    bodies = [document("a", version=number, version_type="external") for number in (5, 4, 6)]
    report = await report_of(server_with(), bodies)
    assert WriteReport(written=2, superseded=1, refusals=[], retry=[]) == report


async def test_a_document_that_lost_the_race_for_a_fields_type_is_heard_again() -> None:
    contested = Fault(
        kind=faults.ITEMS,
        name="illegal_argument_exception",
        message="mapper [n] cannot be changed from type [text] to [double]",
        indices=(1,),
    )
    server = server_with(contested)
    report = await report_of(server, documents(3))
    assert WriteReport(written=3, refusals=[], retry=[]) == report
    report = await report_of(server_with(contested, faults.error("", status=503)), documents(3))
    assert (report.written, list(report.retry)) == (2, [1])
    again = Fault(kind=faults.ITEMS, name=contested.name, message=contested.message, indices=(0,))
    report = await report_of(server_with(contested, again), documents(3))
    assert (report.written, [one.index for one in report.refusals]) == (2, [1])


@pytest.mark.parametrize("status", [401, 403])
async def test_a_blocked_index_or_refused_user_is_permanent_and_refuses_no_document(status: int) -> None:
    fault = faults.refused_items(status, "cluster_block_exception", 0, 1, 2)
    said = str(await failure_of(fault, PermanentFailure))
    assert said.startswith("cluster_block_exception: scripted. The index takes no writes until its block")
    await failure_of(faults.error("security_exception", status=status), PermanentFailure)


async def test_a_missing_index_is_said_where_the_server_does_not_make_one() -> None:
    await failure_of(faults.refused_items(404, "index_not_found_exception", 0, 1, 2), TargetMissing)
    await failure_of(faults.error("index_not_found_exception", status=404), TargetMissing)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
async def test_a_throttled_request_is_for_later_and_brings_the_servers_advice(
    header: str, seconds: float | None
) -> None:
    failure = await failure_of(faults.error("rejected", status=429, retry_after=header), Throttled)
    assert isinstance(failure, Throttled)
    assert seconds == failure.retry_after


@pytest.mark.parametrize(
    "fault",
    [
        *(faults.error("", status=status) for status in (408, 500, 502, 503, 504)),
        faults.reset(after=False),
        faults.reset(after=True),
        faults.cut(),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status}",
)
async def test_what_may_pass_is_transient_and_sending_again_completes_it(fault: Fault) -> None:
    server = server_with(fault)
    async with server, opensearch_sink(server.url) as sink:
        with pytest.raises(TransientFailure):
            await sink.write(batch_of(documents(3)))
        assert WriteReport(written=3) == await sink.write(batch_of(documents(3)))
    assert {"0", "1", "2"} == server.indices.documents[INDEX].keys()


async def test_an_answer_that_does_not_come_in_time_is_transient() -> None:
    async with server_with(faults.slow(5.0)) as server, opensearch_sink(server.url, timeout=0.2) as sink:
        with pytest.raises(TransientFailure, match=r"no answer within 0\.2 s"):
            await sink.write(batch_of(documents(1)))


async def test_a_request_that_is_too_large_is_to_be_split_and_a_single_document_refused() -> None:
    await failure_of(faults.error("", status=413), BatchTooLarge)
    report = await report_of(server_with(faults.error("", status=413)), documents(1))
    assert [one.index for one in report.refusals] == [0]


async def test_a_request_refused_as_a_whole_is_searched_for_its_culprit() -> None:
    refused = faults.error("illegal_argument_exception", message="id is too long")
    server = server_with(refused, None, refused, refused, None)
    report = await report_of(server, documents(4))
    assert (report.written, [one.index for one in report.refusals]) == (3, [2])


async def test_a_body_that_is_more_than_one_action_is_refused_alone() -> None:
    bodies = documents(8)
    bodies[5] = document("x") + document("y")
    report = await report_of(server_with(), bodies)
    assert (7, [Refusal(index=5, reason="_bulk: 1 items sent, 2 answered")]) == (
        report.written,
        list(report.refusals),
    )


async def test_a_chunk_is_flushed_without_a_refresh() -> None:
    async with server_with() as server, opensearch_sink(server.url) as sink:
        await sink.identity()
        await sink.write(batch_of(documents(3)))
        await sink.flush()
        assert server.indices.refreshes == 0


@pytest.mark.parametrize("items", [1, 5])
async def test_an_answer_with_an_item_less_blames_no_document(items: int) -> None:
    server = server_with(faults.wrong())
    async with server, opensearch_sink(server.url) as sink:
        with pytest.raises(TransientFailure, match="items sent"):
            await sink.write(batch_of(documents(items)))
        assert WriteReport(written=items) == await sink.write(batch_of(documents(items)))


async def test_flush_notices_an_index_that_was_made_anew_under_way() -> None:
    async with server_with() as server, opensearch_sink(server.url) as sink:
        await sink.identity()
        server.indices.create(INDEX)
        with pytest.raises(TargetMissing, match="replaced while it was loaded"):
            await sink.flush()
