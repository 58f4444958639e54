"""A recorded service: DynamoDB's answers to one bulk operation, over HTTP on loopback.

What comes in is held against botocore's own model of the API, and what goes out is shaped by it; what the
real service does with a request cannot be tried here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

MODEL = botocore.session.get_session().get_service_model("dynamodb")
TABLE_ID = "12345678-1234-1234-1234-123456789012"

Answer = tuple[int, Mapping[str, Any]]


def report(operation: str, request: Mapping[str, Any]) -> str:
    """What botocore's model has against a request; empty when nothing."""
    shape = MODEL.operation_model(operation).input_shape
    problems = ParamValidator().validate(dict(request), shape)
    strange = _strangers(shape, request)
    return "; ".join(filter(None, [problems.generate_report(), *strange]))


def _strangers(shape: Any, value: Any) -> list[str]:
    """Names and words that the model does not have: the validator lets unknown enum words pass."""
    if shape.type_name == "structure":
        unknown = [f"{shape.name} has no {name}" for name in value if name not in shape.members]
        return unknown + [
            text
            for name, one in value.items()
            if name in shape.members
            for text in _strangers(shape.members[name], one)
        ]
    if shape.type_name == "list":
        return [text for one in value for text in _strangers(shape.member, one)]
    if shape.type_name == "string" and shape.enum and value not in shape.enum:
        return [f"{shape.name} is none of {shape.enum}: {value}"]
    return []


def error(name: str, text: str = "", status: int = 400) -> Answer:
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": text}


@dataclass(slots=True)
class Recorded:
    """Plays one table and one operation.

    Attributes:
        states: What each look at the operation tells, the last one for ever: fields of the description.
        exists: Whether the table is there; ImportTable makes it.
        failing: Answers that come before anything else, one a call.
        calls: (operation, request) of each call.
        complaints: What botocore's model had against a request.
    """

    states: Sequence[Mapping[str, Any]]
    exists: bool
    failing: list[Answer] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    url: str = ""
    _looks: int = 0
    _started: dict[str, Any] = field(default_factory=dict)

    def requests(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.calls if name == operation]

    def answer(self, operation: str, request: dict[str, Any]) -> Answer:
        self.calls.append((operation, request))
        if complaint := report(operation, request):
            self.complaints.append(complaint)
            return error("ValidationException", complaint)
        if self.failing and operation != "DescribeTable":
            return self.failing.pop(0)
        return getattr(self, f"_{operation}")(request)

    def _DescribeTable(self, request: Mapping[str, Any]) -> Answer:
        if not self.exists:
            return error("ResourceNotFoundException", "no such table")
        table = {
            "TableName": request["TableName"],
            "TableId": TABLE_ID,
            "TableStatus": "ACTIVE",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }
        return 200, {"Table": table}

    def _ImportTable(self, request: Mapping[str, Any]) -> Answer:
        self.exists = True
        return self._begun("ImportTableDescription", "ImportArn", "ImportStatus", request)

    def _StartBulkPutItems(self, request: Mapping[str, Any]) -> Answer:
        return self._begun("BulkOperationDescription", "BulkOperationArn", "BulkOperationStatus", request)

    def _begun(self, word: str, arn: str, status: str, request: Mapping[str, Any]) -> Answer:
        known = self._started.setdefault(request["ClientToken"], dict(request))
        if known != request:
            return error("IdempotentParameterMismatchException")
        name = f"arn:aws:dynamodb:us-east-1:123456789012:table/t/{request['ClientToken']}"
        return 200, {word: {arn: name, status: "IN_PROGRESS", "ClientToken": request["ClientToken"]}}

    def _DescribeImport(self, request: Mapping[str, Any]) -> Answer:
        return 200, {"ImportTableDescription": {"ImportArn": request["ImportArn"], **self._state()}}

    def _DescribeBulkOperation(self, request: Mapping[str, Any]) -> Answer:
        named = {"BulkOperationArn": request["BulkOperationArn"]}
        return 200, {"BulkOperationDescription": {**named, **self._state()}}

    def _state(self) -> Mapping[str, Any]:
        found = self.states[min(self._looks, len(self.states) - 1)]
        self._looks += 1
        return found


@contextmanager
def serving(recorded: Recorded) -> Iterator[Recorded]:
    """The service on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            status, words = recorded.answer(operation, json.loads(body))
            found = json.dumps(words).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        def log_message(self, *words: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        recorded.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield recorded
        finally:
            server.shutdown()
            thread.join()
