"""Signatures are checked by the rules of the service that the request names; botocore signs here."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ingest_project.core.errors import PermanentFailure
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.signing import Signer, StaticCredentials
from ingest_project.testing.fault_dialects import FORGED, SKEWED, UNKNOWN
from ingest_project.testing.fault_messages import Call
from ingest_project.testing.fault_signatures import signature_denial
from ingest_project.wire.http import Endpoint
from ingest_project_tests.cli.processes import serving
from ingest_project_tests.testing.asking import ACCESS, SECRET, TABLE, ask, boto, over_memory

PAIR = (ACCESS, SECRET)
HOST = "search.example:9200"


def signed(service: str, target: str, body: bytes = b"", *, secret: str = SECRET) -> Call:
    """A call that botocore signed now."""
    request = AWSRequest("PUT", f"http://{HOST}{target}", headers={"Host": HOST, "X-Own": "a  b"}, data=body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(ACCESS, secret, "token"), service, "eu-west-1").add_auth(request)
    return Call("PUT", target, tuple(request.headers.items()), body)


def denied(call: Call, ahead: float = 0.0) -> str | None:
    denial = signature_denial(call, PAIR, datetime.now(UTC).timestamp() + ahead)
    return None if denial is None else denial[0]


@pytest.mark.parametrize("service", ["dynamodb", "es", "aoss", "s3"])
@pytest.mark.parametrize("target", ["/", "/i/_bulk?b=2&a=%20x", "/a%20b/%2F/~c"])
def test_a_good_signature_passes_and_any_change_does_not(service: str, target: str) -> None:
    call = signed(service, target, b"body")
    assert None is denied(call)
    assert FORGED == denied(call._replace(body=b"other"))
    assert FORGED == denied(call._replace(method="POST"))
    assert FORGED == denied(call._replace(target=target + "x"))
    changed = tuple((name, "other" if name == "X-Own" else value) for name, value in call.headers)
    assert FORGED == denied(call._replace(headers=changed))
    assert FORGED == denied(signed(service, target, secret="wrong"))


def test_a_signature_of_another_time_or_of_nobody_is_refused_for_that() -> None:
    call = signed("es", "/")
    assert [None, None, SKEWED, SKEWED] == [denied(call, ahead) for ahead in (-290, 290, -310, 310)]
    assert UNKNOWN == denied(call._replace(headers=()))
    assert UNKNOWN == denied(call._replace(headers=(("Authorization", "Basic abc"),)))
    other = tuple((name, value.replace(ACCESS, "other")) for name, value in call.headers)
    assert UNKNOWN == denied(call._replace(headers=other))
    undated = tuple(pair for pair in call.headers if pair[0] != "X-Amz-Date")
    assert FORGED == denied(call._replace(headers=undated))


def opensearch_signed_with(url: str, secret: str) -> OpenSearchApi:
    keys = StaticCredentials(access_key=ACCESS, secret_key=secret)
    return OpenSearchApi(Endpoint(url), signer=Signer(keys, region="eu-west-1", service="es"))


async def test_our_signer_and_botocore_agree_on_opensearch() -> None:
    target = "/i/_settings?filter_path=a%2Cb"
    async with over_memory(credentials=PAIR) as server:
        async with opensearch_signed_with(server.url, SECRET) as api:
            await api.send("GET", target, b"")
        async with opensearch_signed_with(server.url, "wrong") as api:
            with pytest.raises(PermanentFailure, match="signature we calculated does not match"):
                await api.send("GET", target, b"")


def test_each_service_says_no_in_its_own_way() -> None:
    with serving(over_memory(credentials=PAIR)) as server:
        domain = ask(server.url, "GET", "/i/_settings")
        table = ask(server.url, headers={"X-Amz-Target": "DynamoDB_20120810.DescribeTable"})
        client = boto("s3", server.url, secret="wrong")
        with pytest.raises(client.exceptions.ClientError, match="SignatureDoesNotMatch"):
            client.put_object(Bucket="b", Key="k", Body=b"")
        client.close()
        client = boto("dynamodb", server.url)
        assert TABLE == client.describe_table(TableName=TABLE)["Table"]["TableName"]
        client.close()
    assert (403, ["message"]) == (domain.status, list(json.loads(domain.body)))
    assert (400, "UnrecognizedClientException") == (table.status, table.json["__type"].rpartition("#")[2])
