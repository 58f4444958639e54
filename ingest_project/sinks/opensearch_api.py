"""OpenSearch's wire protocol: one call, and its errors named by consequence.

Knows no batch and no document; never retries.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Self

from isal import igzip_lib

from ingest_project.core.errors import (
    BatchTooLarge,
    IngestError,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)
from ingest_project.sinks.isolating import RequestRefused
from ingest_project.sinks.signing import Shape, Signer
from ingest_project.wire.http import Answer, Endpoint

JSON = "application/json"
LINES = "application/x-ndjson"

_GZIP_LEVEL = 1
"""isal's. gzip's level 9, which opensearch-py takes, costs nine times as much."""


class OpenSearchApi:
    """Calls to one OpenSearch endpoint.

    Args:
        basic: User and password, where the cluster wants them.
        signer: SigV4 (service ``es``), for domains on AWS.
        compress: Send bulk requests as gzip.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        basic: tuple[str, str] | None = None,
        signer: Signer | None = None,
        compress: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self._signer, self._compress = signer, compress
        self._headers = {}
        if basic is not None:
            self._headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.endpoint.aclose()

    async def call(self, method: str, target: str, payload: Mapping[str, Any] | None = None) -> Any:
        """``send`` with JSON on both sides, for everything that is not hot."""
        return json.loads(
            await self.send(method, target, b"" if payload is None else json.dumps(payload).encode())
        )

    async def send(self, method: str, target: str, body: bytes, kind: str = JSON) -> bytes:
        """Send one request and return the body of its 2xx answer. ``target``: encoded path and query.

        Raises:
            Throttled, TransientFailure: Later.
            RequestRefused: The request as a whole is invalid; one item of many may be the cause.
            BatchTooLarge, TargetMissing, PermanentFailure: As their names say.
        """
        headers = {"Content-Type": kind} | self._headers
        if self._compress and kind == LINES:
            headers["Content-Encoding"] = "gzip"
            body = igzip_lib.compress(body, _GZIP_LEVEL, igzip_lib.COMP_GZIP)
        signed: bytes | None = None
        if self._signer is not None:
            await self._signer.fresh()
            url = self.endpoint.url + target
            shape = Shape(method=method, url=url, headers=tuple(headers.items()))
            signed = self._signer.lines(shape, body)
        answer = await self.endpoint.send(method, target, signed or headers, body)
        if 200 <= answer.status < 300:
            return answer.body
        raise classify(answer)


def classify(answer: Answer) -> IngestError:
    """What an error answer means for the caller."""
    said = f"HTTP {answer.status}: {request_error(answer)}"
    if answer.status == 429:
        return Throttled(said, retry_after=answer.retry_after)
    if answer.status == 413:
        return BatchTooLarge(f"{said.rstrip(': ')}: more than the server takes in one request")
    if answer.status == 404:
        return TargetMissing(said)
    if answer.status >= 500 or answer.status == 408:
        return TransientFailure(said, retry_after=answer.retry_after)
    if answer.status == 400:
        return RequestRefused(said)
    return PermanentFailure(said)


def request_error(answer: Answer) -> str:
    """The reason of an error answer, or the body's beginning when it is not OpenSearch's own."""
    try:
        return describe_error(json.loads(answer.body)["error"])
    except (ValueError, KeyError, TypeError):
        return answer.excerpt()


def describe_error(error: object) -> str:
    """``type: reason``, with the innermost cause's reason behind it."""
    if not isinstance(error, dict):
        return str(error)
    cause = error
    while isinstance(cause.get("caused_by"), dict):
        cause = cause["caused_by"]
    said = f"{error.get('type', 'error')}: {error.get('reason', '')}"
    inner = str(cause.get("reason", ""))
    return said if cause is error or inner in said else f"{said} ({inner})"
