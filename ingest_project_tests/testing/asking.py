"""Clients of the fault server that are not those under test: http.client, boto3, and bodies by hand."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from ingest_project.testing.fault_scripts import Fault, in_order
from ingest_project.testing.fault_server import FaultServer

TABLE, INDEX = "t", "i"
ACCESS, SECRET = "access", "secret"


class Heard(NamedTuple):
    """An answer as http.client heard it."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    url: str,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    patience: float | None = None,
) -> Heard:
    """One request on a connection of its own; nothing is added to it, nothing tried again.

    Args:
        patience: Seconds for the body, once the answer's head has come.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60.0)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        usual = {"Host": urlsplit(url).netloc, "Content-Length": str(len(body))}
        for name, value in {**usual, **(headers or {})}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        if patience is not None and connection.sock is not None:
            connection.sock.settimeout(patience)
        return Heard(response.status, response.headers, response.read())
    finally:
        connection.close()


def put_items(url: str, keys: Iterable[str], table: str = TABLE, *, patience: float | None = None) -> Heard:
    """One BatchWriteItem."""
    puts = [{"PutRequest": {"Item": {"id": {"S": key}, "n": {"N": "1.50"}}}} for key in keys]
    return call_dynamodb(url, "BatchWriteItem", {"RequestItems": {table: puts}}, patience=patience)


def call_dynamodb(
    url: str, operation: str, asked: Mapping[str, Any], *, patience: float | None = None
) -> Heard:
    """One call, signed by botocore."""
    body = json.dumps(asked).encode()
    headers = {
        "Host": urlsplit(url).netloc,
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
    }
    request = AWSRequest("POST", f"{url}/", headers=headers, data=body)
    SigV4Auth(Credentials(ACCESS, SECRET), "dynamodb", "us-east-1").add_auth(request)
    return ask(url, body=body, headers=dict(request.headers.items()), patience=patience)


def index_documents(
    url: str, keys: Iterable[str], target: str = f"/{INDEX}/_bulk", *, patience: float | None = None
) -> Heard:
    """One _bulk."""
    lines = (json.dumps({"index": {"_id": key}}) + '\n{"n":1.50}\n' for key in keys)
    kind = {"Content-Type": "application/x-ndjson"}
    return ask(url, target=target, body="".join(lines).encode(), headers=kind, patience=patience)


def boto(
    service: Any,
    url: str,
    *,
    access: str = ACCESS,
    secret: str = SECRET,
    token: str | None = None,
    **settings: Any,
) -> Any:
    """A boto3 client that tries once."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, **settings),
    )


def over_memory(*script: Fault | None, **settings: Any) -> FaultServer:
    """Table and index in memory; the first writes meet these faults."""
    return FaultServer(keys={TABLE: ("id",)}, indices=(INDEX,), script=in_order(*script), **settings)


def before(upstream: str, *script: Fault | None, **settings: Any) -> FaultServer:
    """In front of a service; the first requests that count meet these faults."""
    return FaultServer(upstream=upstream, script=in_order(*script), **settings)
