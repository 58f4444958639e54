"""In front of a service nothing is changed but what a script says; faults after the write really wrote."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import Any

import pytest

from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.fault_quotas import RequestQuota, WriteQuota
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.cli.processes import serving
from ingest_project_tests.testing.asking import ask, boto, index_documents, put_items
from ingest_project_tests.testing.echoing import echo

MEGABYTES = 24 * 1024 * 1024


def before(upstream: str, *script: Fault | None, **settings: Any) -> FaultServer:
    return FaultServer(upstream=upstream, script=faults.in_order(*script), **settings)


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
    put = json.dumps({"TableName": "t", "Item": {"id": {"S": "x" * 3000}}}).encode()
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem"}
    quota = WriteQuota(1, burst=3, clock=FakeClock())
    with echo() as real, serving(before(real.url, quota=quota)) as server:
        said = [ask(server.url, body=put, headers=headers).json.get("__type", "") for _ in range(2)]
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


# In front of real services.


def found(dynamodb: Any, table: str) -> set[str]:
    return {item["id"]["S"] for item in dynamodb.scan(TableName=table)["Items"]}


@pytest.fixture
def written(opensearch: Any, index_name: str) -> Any:
    """Reads which documents the real OpenSearch has, without the server in between."""

    def read() -> dict[str, Any]:
        opensearch.indices.refresh(index=index_name)
        hits = opensearch.search(index=index_name, body={"size": 100})["hits"]["hits"]
        return {hit["_id"]: hit["_source"]["n"] for hit in hits}

    return read


def test_before_dynamodb_unprocessed_items_never_arrive(
    dynamodb: Any, dynamodb_endpoint: str, table: str
) -> None:
    with serving(before(dynamodb_endpoint, faults.unprocessed(0, 2))) as server:
        client = boto("dynamodb", server.url)
        puts = [{"PutRequest": {"Item": {"id": {"S": key}, "n": {"N": "1"}}}} for key in "abc"]
        answer = client.batch_write_item(RequestItems={table: puts})
        left = answer["UnprocessedItems"][table]
        assert (["a", "c"], {"b"}) == (
            [one["PutRequest"]["Item"]["id"]["S"] for one in left],
            found(dynamodb, table),
        )
        assert {} == client.batch_write_item(RequestItems=answer["UnprocessedItems"])["UnprocessedItems"]
        assert {"a", "b", "c"} == found(dynamodb, table)
        assert "ACTIVE" == client.describe_table(TableName=table)["Table"]["TableStatus"]
        assert 2 == server.requests
        client.close()


def test_before_dynamodb_an_answer_lost_after_the_write_has_written(
    dynamodb: Any, dynamodb_endpoint: str, table: str
) -> None:
    with serving(before(dynamodb_endpoint, faults.reset(after=True), faults.reset(after=False))) as server:
        for key in "ab":
            with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
                put_items(server.url, [key], table)
    assert {"a"} == found(dynamodb, table)


def test_before_dynamodb_a_quota_lets_through_what_fits(
    dynamodb: Any, dynamodb_endpoint: str, table: str
) -> None:
    quota = WriteQuota(1, burst=2, clock=FakeClock())
    with serving(before(dynamodb_endpoint, quota=quota)) as server:
        heard = [put_items(server.url, keys, table) for keys in ("abc", "d")]
        assert "ProvisionedThroughputExceeded" in heard[1].json["__type"]
    assert {"a", "b"} == found(dynamodb, table)


def test_before_dynamodb_a_table_that_went_away_keeps_what_it_had(
    dynamodb: Any, dynamodb_endpoint: str, table: str
) -> None:
    with serving(before(dynamodb_endpoint, None, faults.gone(table))) as server:
        assert [200, 400] == [put_items(server.url, [key], table).status for key in "ab"]
        client = boto("dynamodb", server.url)
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.describe_table(TableName=table)
        client.close()
    assert {"a"} == found(dynamodb, table)


def test_before_opensearch_refused_documents_never_arrive(
    opensearch_url: str, index_name: str, written: Any
) -> None:
    from opensearchpy import OpenSearch, helpers

    with serving(before(opensearch_url, faults.refused_items(429, "busy", 1))) as server:
        client = OpenSearch(hosts=[server.url], http_compress=True)
        actions = [{"_index": index_name, "_id": key, "_source": {"n": 1}} for key in "abc"]
        good, failed = helpers.bulk(client, actions, raise_on_error=False, max_retries=0)
        assert (2, [("b", 429)]) == (
            good,
            [(one["index"]["_id"], one["index"]["status"]) for one in failed],
        )
        assert {"a": 1, "c": 1} == written()
        helpers.bulk(client, actions, raise_on_error=True)
        client.close()
    assert {"a": 1, "b": 1, "c": 1} == written()


def test_before_opensearch_the_answer_filtered_by_the_client_is_merged_too(
    opensearch_url: str, index_name: str, written: Any
) -> None:
    target = f"/{index_name}/_bulk?filter_path=errors%2Citems.%2A.status%2Citems.%2A.error"
    with serving(before(opensearch_url, faults.refused_items(503, "busy", 0))) as server:
        heard = index_documents(server.url, "ab", target)
        assert (True, [503, 201]) == (
            heard.json["errors"],
            [item["index"]["status"] for item in heard.json["items"]],
        )
    assert {"b": 1.5} == written()


def test_before_opensearch_a_stalled_answer_has_written(
    opensearch_url: str, index_name: str, written: Any
) -> None:
    with serving(before(opensearch_url, faults.stalled())) as server:
        with pytest.raises(TimeoutError):
            index_documents(server.url, "a", f"/{index_name}/_bulk", patience=0.05)
        assert {"a": 1.5} == written()


def test_before_s3_objects_go_through_whole_and_in_parts(s3: Any, s3_endpoint: str, bucket: str) -> None:
    body = bytes(range(256)) * 1024 * 33
    with serving(before(s3_endpoint)) as server:
        client = boto("s3", server.url, access=ACCESS_KEY, secret=SECRET_KEY)
        client.put_object(Bucket=bucket, Key="a b/ü+%.bin", Body=body)
        upload = client.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
        parts = [
            client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=piece)
            for number, piece in ((1, body), (2, b"end"))
        ]
        listed = [{"ETag": part["ETag"], "PartNumber": number} for number, part in enumerate(parts, 1)]
        client.complete_multipart_upload(
            Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": listed}
        )
        keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
        assert ["a b/ü+%.bin", "parts"] == keys
        assert len(body) == client.head_object(Bucket=bucket, Key="a b/ü+%.bin")["ContentLength"]
        assert body[100:200] == (
            client.get_object(Bucket=bucket, Key="a b/ü+%.bin", Range="bytes=100-199")["Body"].read()
        )
        assert 5 == server.requests
        client.close()
    assert body == s3.get_object(Bucket=bucket, Key="a b/ü+%.bin")["Body"].read()
    assert body + b"end" == s3.get_object(Bucket=bucket, Key="parts")["Body"].read()


def test_before_s3_faults_have_its_own_form_and_only_those_after_the_write_wrote(
    s3: Any, s3_endpoint: str, bucket: str
) -> None:
    script = (
        faults.error("SlowDown", status=503),
        faults.error("InternalError", status=500, after=True),
        faults.expired(),
    )
    with serving(before(s3_endpoint, *script)) as server:
        client = boto("s3", server.url, access=ACCESS_KEY, secret=SECRET_KEY)
        codes = []
        for key in "abc":
            with pytest.raises(client.exceptions.ClientError) as caught:
                client.put_object(Bucket=bucket, Key=key, Body=b"x")
            codes.append(caught.value.response["Error"]["Code"])
        client.close()
    assert ["SlowDown", "InternalError", "ExpiredToken"] == codes
    assert ["b"] == [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_before_s3_a_signature_is_checked_by_both(s3_endpoint: str, bucket: str) -> None:
    with serving(before(s3_endpoint, credentials=(ACCESS_KEY, SECRET_KEY))) as server:
        client = boto("s3", server.url, access=ACCESS_KEY, secret=SECRET_KEY)
        client.put_object(Bucket=bucket, Key="a", Body=b"x")
        wrong = boto("s3", server.url, access=ACCESS_KEY, secret="wrong")
        with pytest.raises(client.exceptions.ClientError, match="SignatureDoesNotMatch"):
            wrong.get_object(Bucket=bucket, Key="a")
        assert b"x" == client.get_object(Bucket=bucket, Key="a")["Body"].read()
        client.close()
        wrong.close()


def test_stats_are_told_beside_what_passes() -> None:
    with echo() as real, serving(before(real.url, faults.page(500), service="http")) as server:
        ask(server.url, "GET", "/")
        heard = ask(server.url, "GET", "/_faults/stats")
        assert [] == real.asked
    assert (1, {"error": 1}) == (heard.json["requests"], json.loads(heard.body)["faults"])
