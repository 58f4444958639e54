"""In front of real services, each on every server of its protocol: what a fault keeps out never arrives, what
it lets through is there; read back past the fault server."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.running import RunningServer
from ingest_project_tests.cli.processes import serving
from ingest_project_tests.testing.asking import ask, before, boto, index_documents, put_items


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


def test_before_tika_the_answers_of_a_proxy_come_between(tika: RunningServer) -> None:
    script = (faults.page(502), faults.cut(), faults.error("busy", status=503, retry_after="2"))
    plain = {"Accept": "text/plain", "Content-Type": "text/plain"}
    with serving(before(tika.url, *script, service="http")) as server:
        first = ask(server.url, "PUT", "/tika", b"some words", plain)
        with pytest.raises(http.client.IncompleteRead):
            ask(server.url, "PUT", "/tika", b"some words", plain)
        third, last = (ask(server.url, "PUT", "/tika", b"some words", plain) for _ in range(2))
    assert ((502, faults.HTML), (503, "2")) == (first[::2], (third.status, third.headers["Retry-After"]))
    assert (200, b"some words") == (last.status, last.body.strip())


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
