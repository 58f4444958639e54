"""What keeps a load into OpenSearch whole, each with its scenario and its removal."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ingest_project.core import delivering
from ingest_project.core.errors import CountLost, PermanentFailure, TargetMissing, TransientFailure
from ingest_project.core.loading import LoadResult
from ingest_project.core.model import KeySchema, Refusal, WriteReport
from ingest_project.formats import bulk
from ingest_project.sinks import opensearch, opensearch_api
from ingest_project.sinks.isolating import Send
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.faults.acting import Desk, Final, Mechanism, Remove, replaced
from ingest_project_tests.sinks.sending import INDEX, document, documents, opensearch_sink

DOCUMENTS = 40
BUSY = "es_rejected_execution_exception"


def server_with(*script: Fault | None) -> FaultServer:
    return FaultServer(indices=(INDEX,), script=faults.in_order(*script))


async def played(server: FaultServer, bodies: Sequence[bytes]) -> LoadResult:
    async with server, opensearch_sink(server.url) as sink:
        await sink.identity()
        return await Desk().load(sink, ListStream(bodies))


def load(server: FaultServer, bodies: Sequence[bytes] | None = None) -> LoadResult:
    """Load documents and look whether all of them are there."""
    result = asyncio.run(played(server, bodies or documents(DOCUMENTS)))
    assert result.sealed
    assert result.counts.written == len(server.indices.documents[INDEX])
    return result


def only_refused_documents_go_out_again() -> None:
    server = server_with(faults.refused_items(429, BUSY, 1, 3, 17), faults.refused_items(503, BUSY, 0))
    assert load(server).counts.retries == 4
    assert server.indices.writes == DOCUMENTS


def busy_documents_are_sent_again() -> None:
    assert load(server_with(faults.refused_items(429, BUSY, 1, 3))).counts.rejected == 0
    assert load(server_with(faults.refused_items(503, BUSY, *range(DOCUMENTS)))).counts.rejected == 0


def unwanted_documents_are_not_sent_again() -> None:
    for status in (400, 404, 422):
        server = server_with(faults.refused_items(status, "mapper_parsing_exception", 2, 9))
        assert (load(server).counts.rejected, server.requests) == (2, 1)


def older_versions_are_superseded_and_not_sent_again() -> None:
    bodies = [document("a", version=number, version_type="external") for number in (5, 4, 6)]
    server = server_with()
    result = asyncio.run(played(server, bodies))
    assert (result.counts.written, result.counts.superseded, server.requests) == (2, 1, 1)


def a_busy_service_is_waited_out() -> None:
    load(server_with(faults.error(BUSY, status=429), faults.error("", status=503)))


def what_is_too_large_is_split() -> None:
    load(server_with(*[faults.error("", status=413)] * 3))


def a_contested_document_is_heard_again() -> None:
    said = "mapper [n] cannot be changed from type [text] to [double]"
    contested = Fault(kind=faults.ITEMS, name="illegal_argument_exception", message=said, indices=(1,))
    assert load(server_with(contested)).counts.rejected == 0


def a_bad_document_harms_none_of_its_batch() -> None:
    bodies = documents(DOCUMENTS)
    server = server_with(faults.error("illegal_argument_exception", status=400))
    assert load(server, bodies).counts.rejected == 0


def a_lost_answer_is_no_duplicate() -> None:
    """The process dies behind a write whose answer never came; the next one encodes and sends all again."""
    lines = [b'{"Item":{"n":{"N":"%d"}}}' % number for number in range(DOCUMENTS)]
    server = server_with(faults.reset(after=True))

    async def main() -> None:
        async with server, opensearch_sink(server.url) as sink:
            for _ in range(2):
                bodies, _ = bulk.bulk_encoder(KeySchema(parts=(("n", "N"),)))(lines)
                assert (await Desk().load(sink, ListStream(bodies))).counts.written == DOCUMENTS

    asyncio.run(main())
    assert len(server.indices.documents[INDEX]) == DOCUMENTS


def an_index_that_was_replaced_is_noticed() -> None:
    def script(number: int) -> Fault | None:
        if number == 0:
            server.indices.create(INDEX)
        return None

    server = FaultServer(indices=(INDEX,), script=script)
    with pytest.raises(TargetMissing):
        asyncio.run(played(server, documents(DOCUMENTS)))


def _reports(change: Callable[[WriteReport], WriteReport]) -> Remove:
    """Every report of a _bulk answer with items in error is changed."""

    def remove(patch: pytest.MonkeyPatch) -> None:
        kept = opensearch._report
        patch.setattr(opensearch, "_report", lambda items, sent: change(kept(items, sent)))

    return remove


def _refusing(report: WriteReport) -> WriteReport:
    given_up = [Refusal(index=index, reason="busy") for index in report.retry]
    return replace(report, retry=(), refusals=[*report.refusals, *given_up])


def _insisting(report: WriteReport) -> WriteReport:
    indices = sorted({*report.retry, *(one.index for one in report.refusals)})
    return replace(report, retry=indices, refusals=())


def _versions_again(report: WriteReport) -> WriteReport:
    """The document of a 409 is sent again; in the scenario it stands behind another, then alone."""
    return replace(report, superseded=0, retry=[min(report.written, 1)])


def _nothing_passes(patch: pytest.MonkeyPatch) -> None:
    for name in ("Throttled", "TransientFailure"):
        patch.setattr(opensearch_api, name, Final)


async def _unchecked(self: OpenSearchSink) -> None:
    return None


async def _together(send: Send, bodies: Sequence[bytes]) -> WriteReport:
    return await send(bodies)


MECHANISMS = [
    Mechanism(
        name="only documents that were refused are sent again",
        scenario=only_refused_documents_go_out_again,
        remove=replaced(delivering, "part_of", lambda batch, indices: batch),
        breaks=CountLost,
    ),
    Mechanism(
        name="a document refused with 429 or 503 is sent again",
        scenario=busy_documents_are_sent_again,
        remove=_reports(_refusing),
    ),
    Mechanism(
        name="a document refused with 400, 404 or 422 is never sent again",
        scenario=unwanted_documents_are_not_sent_again,
        remove=_reports(_insisting),
    ),
    Mechanism(
        name="a version conflict is superseded and never sent again",
        scenario=older_versions_are_superseded_and_not_sent_again,
        remove=_reports(_versions_again),
        breaks=TransientFailure,
    ),
    Mechanism(
        name="a request refused with 429 or 503 is sent again",
        scenario=a_busy_service_is_waited_out,
        remove=_nothing_passes,
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="a request that is too large is split",
        scenario=what_is_too_large_is_split,
        remove=replaced(opensearch_api, "BatchTooLarge", Final),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="a document that lost the race for a field's type is heard again",
        scenario=a_contested_document_is_heard_again,
        remove=replaced(opensearch, "_CONTESTED", "never said"),
    ),
    Mechanism(
        name="a request refused as a whole is taken apart",
        scenario=a_bad_document_harms_none_of_its_batch,
        remove=replaced(opensearch, "write_apart", _together),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="ids come from the keys",
        scenario=a_lost_answer_is_no_duplicate,
        remove=replaced(bulk, "document_id", lambda parts: uuid.uuid4().hex),
    ),
    Mechanism(
        name="an index that was replaced in mid-load is not sealed",
        scenario=an_index_that_was_replaced_is_noticed,
        remove=replaced(OpenSearchSink, "flush", _unchecked),
        breaks=pytest.fail.Exception,
    ),
]
