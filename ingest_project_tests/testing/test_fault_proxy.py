"""In front of a service nothing is changed but what a script says; faults after the write really wrote."""

from __future__ import annotations

import gzip
import http.client
import json

import pytest

from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.fault_quotas import RequestQuota, WriteQuota
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.cli.processes import serving
from ingest_project_tests.testing.asking import ask, before, call_dynamodb
from ingest_project_tests.testing.echoing import echo

MEGABYTES = 24 * 1024 * 1024


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_a_request_arrives_as_it_was_sent(method: str) -> None:
    target = "/a%2Fb//c%20d/../e;v=1?q=%7e&q=+1&empty&n=%E4"
    kept = {"Host": "some.where:81", "X-One": "a  b", "x-amz-date": "now", "Cookie": "c=1"}
    sent = {**kept, "TE": "trailers", "Connection": "X-Hop", "X-Hop": "stays here"}
    with echo() as real, serving(before(real.url, service="http")) as server:
        ask(server.url, method, target, b"\0\xff body", sent)
        (asked,) = real.asked
    assert f"{method} {target} HTTP/1.1" == asked.line
    assert b"\0\xff body" == asked.body
    assert sorted([*kept.items(), ("Content-Length", "7")]) == sorted(asked.headers)


def test_an_answer_comes_back_as_it_was_given() -> None:
    with echo() as real, serving(before(real.url, service="http")) as server:
        heard = ask(server.url, "PUT", "/x", b"text")
    assert (207, b"text", "as it is") == (heard.status, heard.body, heard.headers["X-Own"])
    assert ["a=1", "b=2"] == heard.headers.get_all("Set-Cookie")
    assert "Sun, 22 Nov 2026 12:00:00 GMT" == heard.headers["Date"]
    assert "application/x-own" == heard.headers["Content-Type"]
    assert "X-Hop" not in heard.headers


def test_large_and_compressed_bodies_pass_in_both_directions() -> None:
    body = gzip.compress(b"x" * MEGABYTES, 0)
    with echo() as real, serving(before(real.url, service="http")) as server:
        heard = ask(server.url, "POST", "/", body, {"Content-Encoding": "gzip"})
        assert (body, body) == (real.asked[0].body, heard.body)


def test_the_answer_to_head_tells_its_length_and_has_none() -> None:
    with echo() as real, serving(before(real.url, service="http")) as server:
        heard = ask(server.url, "HEAD", "/x", b"twelve bytes")
    assert (207, "12", b"") == (heard.status, heard.headers["Content-Length"], heard.body)


def test_a_service_that_is_not_there_is_a_bad_gateway() -> None:
    with serving(before("http://127.0.0.1:9", service="http")) as server:
        heard = ask(server.url, "GET", "/x")
    assert (502, True) == (heard.status, b"127.0.0.1:9" in heard.body)


def test_a_service_of_which_nothing_is_known_meets_faults_with_every_request() -> None:
    script = (faults.error("busy", status=503, retry_after="3"), None, faults.page(502), faults.cut())
    with echo() as real, serving(before(real.url, *script, service="http")) as server:
        first, second, third = (ask(server.url, "PUT", "/tika", b"text") for _ in range(3))
        with pytest.raises(http.client.IncompleteRead):
            ask(server.url, "PUT", "/tika", b"text")
        assert 2 == len(real.asked)
    assert (503, "3", 207, 502) == (first.status, first.headers["Retry-After"], second.status, third.status)


def test_who_starts_the_server_says_which_requests_count() -> None:
    refuse = faults.between(0, None, faults.error("no", status=500))
    with echo() as real:
        server = FaultServer(
            upstream=real.url, service="http", script=refuse, counts=lambda call: call.path == ("b",)
        )
        with serving(server):
            assert [207, 500] == [ask(server.url, "GET", path).status for path in ("/a", "/b?x=1")]
            assert 1 == server.requests


def test_a_quota_of_requests_holds_in_front_of_any_service() -> None:
    quota = RequestQuota(1, burst=2, clock=FakeClock())
    with echo() as real, serving(before(real.url, service="http", request_quota=quota)) as server:
        heard = [ask(server.url, "GET", "/") for _ in range(3)]
        assert ([207, 207, 429], "1") == ([one.status for one in heard], heard[2].headers["Retry-After"])
        assert 2 == len(real.asked)


def test_a_quota_counts_a_single_put_as_well() -> None:
    put = {"TableName": "t", "Item": {"id": {"S": "x" * 3000}}}
    quota = WriteQuota(1, burst=3, clock=FakeClock())
    with echo() as real, serving(before(real.url, quota=quota)) as server:
        said = [call_dynamodb(server.url, "PutItem", put).json.get("__type", "") for _ in range(2)]
        assert (3, 1) == (server.meter.record()[0]["accepted"], len(real.asked))
    assert [False, True] == ["ProvisionedThroughput" in one for one in said]


def test_items_are_taken_out_of_a_compressed_body_and_the_rest_goes_on_plain() -> None:
    body = b"".join(b'{"index":{"_id":"%d"}}\n{"n":%d.0}\n' % (number, number) for number in range(3))
    refused = faults.refused_items(429, "busy", 1)
    with echo() as real, serving(before(real.url, refused)) as server:
        # The echo's answer is no answer to _bulk; what it was asked is what matters.
        ask(server.url, "POST", "/i/_bulk", gzip.compress(body), {"Content-Encoding": "gzip"})
        (asked,) = real.asked
    assert b'{"index":{"_id":"0"}}\n{"n":0.0}\n{"index":{"_id":"2"}}\n{"n":2.0}\n' == asked.body
    assert "Content-Encoding" not in dict(asked.headers)


def test_stats_are_told_beside_what_passes() -> None:
    with echo() as real, serving(before(real.url, faults.page(500), service="http")) as server:
        ask(server.url, "GET", "/")
        heard = ask(server.url, "GET", "/_faults/stats")
        assert [] == real.asked
    assert (1, {"error": 1}) == (heard.json["requests"], json.loads(heard.body)["faults"])
