"""What keeps a load into DynamoDB whole, each with its scenario and its removal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.loading import LoadResult
from ingest_project.core.model import WriteReport
from ingest_project.sinks import dynamodb, dynamodb_api
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.isolating import Send
from ingest_project.sinks.signing import Credentials, Keys, Signer, StaticCredentials
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project.wire import http
from ingest_project.wire.http import Answer
from ingest_project_tests.faults.acting import Desk, Final, Mechanism, replaced
from ingest_project_tests.sinks.sending import ACCESS, CREDENTIALS, SECRET, TABLE, dynamodb_sink, line, lines

ITEMS = 50


def server_with(*script: Fault | None, ahead: float = 0.0) -> FaultServer:
    return FaultServer(
        keys={TABLE: ("id",)},
        credentials=(ACCESS, SECRET),
        script=faults.in_order(*script),
        clock=lambda: time.time() + ahead,
    )


def load(
    server: FaultServer,
    desk: Desk | None = None,
    *,
    bodies: Sequence[bytes] | None = None,
    credentials: Credentials = CREDENTIALS,
) -> LoadResult:
    """Load items and look whether all of them are there."""

    async def main() -> LoadResult:
        async with server, dynamodb_sink(server.url, credentials=credentials) as sink:
            return await (desk or Desk()).load(sink, ListStream(bodies or lines(ITEMS)))

    result = asyncio.run(main())
    assert result.sealed
    assert result.counts.written == len(server.tables.items[TABLE])
    assert result.counts.written + result.counts.rejected == len(bodies or lines(ITEMS))
    return result


def unprocessed_items_go_out_again() -> None:
    load(server_with(faults.unprocessed(1, 4), faults.unprocessed(*range(25))))


def only_unprocessed_items_go_out_again() -> None:
    server = server_with(faults.unprocessed(1, 4), None, faults.unprocessed(0))
    load(server)
    assert server.tables.puts == ITEMS


async def _all_indices(self: DynamoDBSink, bodies: Sequence[bytes], left: Sequence[Any]) -> list[int]:
    return list(range(len(bodies)))


def throttling_is_waited_out() -> None:
    load(server_with(*[faults.error("ThrottlingException")] * 3))


def server_errors_are_waited_out() -> None:
    load(server_with(faults.error("InternalServerError", status=500), faults.error("", status=503)))


def lost_answers_are_asked_for_again() -> None:
    server = server_with(faults.reset(after=True), faults.reset(after=False), faults.cut())
    assert load(server).counts.retries == 75


def damaged_answers_are_not_believed() -> None:
    server = server_with(faults.damaged(), faults.damaged())
    assert load(server).counts.retries == 50


def a_wrong_clock_is_corrected() -> None:
    load(server_with(ahead=3600.0))


def _uncorrected(self: DynamoDBApi, answer: Answer, said: str, signed_at: float) -> TransientFailure:
    return TransientFailure(said)


class _Rotated:
    """Keys of which the first ones have expired."""

    def __init__(self) -> None:
        self._asked = 0

    def get_frozen_credentials(self) -> Keys:
        self._asked += 1
        old = StaticCredentials(access_key=ACCESS, secret_key=SECRET, token="old")
        return old if self._asked == 1 else CREDENTIALS


def expired_keys_are_renewed() -> None:
    load(server_with(*[faults.error("ExpiredTokenException")] * 2), credentials=_Rotated())


def what_is_too_large_is_split() -> None:
    load(server_with(*[faults.error("RequestEntityTooLarge", status=413)] * 4))


def a_bad_item_harms_none_of_its_batch() -> None:
    bodies = lines(ITEMS)
    bodies[30] = line("")
    server = server_with()
    assert load(server, bodies=bodies).counts.rejected == 1
    assert len(server.tables.items[TABLE]) == ITEMS - 1


async def _together(send: Send, bodies: Sequence[bytes]) -> WriteReport:
    return await send(bodies)


def what_is_refused_is_not_asked_again() -> None:
    server = server_with()
    bodies = [line(""), *lines(24)]
    load(server, bodies=bodies)
    # One refusal of the whole, then two requests for each halving of 25.
    assert server.requests <= 1 + 2 * 5


def the_servers_advice_is_the_least_wait() -> None:
    desk = Desk()
    load(server_with(faults.error("ServiceUnavailable", status=503, retry_after="77")), desk)
    assert max(desk.waits.asked) >= 77.0


MECHANISMS = [
    Mechanism(
        name="unprocessed items are sent again",
        scenario=unprocessed_items_go_out_again,
        remove=replaced(DynamoDBSink, "_unprocessed", lambda self, answer: []),
    ),
    Mechanism(
        name="only unprocessed items are sent again",
        scenario=only_unprocessed_items_go_out_again,
        remove=replaced(DynamoDBSink, "_indices", _all_indices),
    ),
    Mechanism(
        name="throttling, a 400, is tried again",
        scenario=throttling_is_waited_out,
        remove=replaced(dynamodb_api, "THROTTLES", frozenset()),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="a 5xx is tried again",
        scenario=server_errors_are_waited_out,
        remove=replaced(dynamodb_api, "TransientFailure", Final),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="a lost answer is asked for again",
        scenario=lost_answers_are_asked_for_again,
        remove=replaced(http, "TransientFailure", Final),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="the checksum of an answer is checked",
        scenario=damaged_answers_are_not_believed,
        remove=replaced(dynamodb_api, "_intact", lambda answer: answer.body),
    ),
    Mechanism(
        name="a wrong clock is corrected by the service's",
        scenario=a_wrong_clock_is_corrected,
        remove=replaced(DynamoDBApi, "_clock_failure", _uncorrected),
        breaks=TransientFailure,
    ),
    Mechanism(
        name="expired credentials are renewed",
        scenario=expired_keys_are_renewed,
        remove=replaced(Signer, "renew", lambda self: self.keys),
        breaks=(PermanentFailure, RecursionError),
    ),
    Mechanism(
        name="a request that is too large is split",
        scenario=what_is_too_large_is_split,
        remove=replaced(dynamodb_api, "BatchTooLarge", Final),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="a bad item is found and the rest of its batch is written",
        scenario=a_bad_item_harms_none_of_its_batch,
        remove=replaced(dynamodb, "write_apart", _together),
        breaks=PermanentFailure,
    ),
    Mechanism(
        name="a request that was refused for its content is never sent again",
        scenario=what_is_refused_is_not_asked_again,
        remove=replaced(dynamodb_api, "RequestRefused", TransientFailure),
        breaks=TransientFailure,
    ),
    Mechanism(
        name="Retry-After is the least wait",
        scenario=the_servers_advice_is_the_least_wait,
        remove=replaced(Answer, "retry_after", None),
    ),
]
