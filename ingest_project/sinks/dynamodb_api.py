"""DynamoDB's wire protocol: one signed call, and its errors named by consequence.

Knows no batch and no item; never retries.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Self

from ingest_project.core.errors import (
    BatchTooLarge,
    IngestError,
    PermanentFailure,
    TargetMissing,
    Throttled,
    TransientFailure,
)
from ingest_project.sinks.isolating import RequestRefused
from ingest_project.sinks.signing import Shape, Signer, StaticCredentials
from ingest_project.wire.http import Answer, Endpoint

SKEW_SECONDS = 240.0

THROTTLES = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    }
)
REFUSALS = frozenset(
    {"ItemCollectionSizeLimitExceededException", "SerializationException", "ValidationException"}
)
CLOCKS = frozenset({"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed"})
EXPIRED = frozenset({"ExpiredTokenException", "UnrecognizedClientException"})
TRANSIENT = frozenset(
    {"InternalServerError", "InternalFailure", "RequestTimeoutException", "ServiceUnavailable"}
)


class ConditionRefused(PermanentFailure):
    """What the request asked of the item that stands there is not so; nothing was written."""


class DynamoDBApi:
    """Signed calls to one DynamoDB endpoint."""

    def __init__(self, endpoint: Endpoint, signer: Signer) -> None:
        self.endpoint = endpoint
        self.signer = signer
        self._shapes: dict[str, Shape] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.endpoint.aclose()

    async def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        """``post`` with JSON on both sides, for everything that is not hot."""
        found: dict[str, Any] = json.loads(await self.post(operation, json.dumps(payload).encode()))
        return found

    async def post(self, operation: str, body: bytes) -> bytes:
        """Send one call and return the body of its 200 answer.

        Raises:
            Throttled, TransientFailure: Later.
            RequestRefused: The request as a whole is invalid; one item of many may be the cause.
            ConditionRefused: The request's condition does not hold.
            BatchTooLarge, TargetMissing, PermanentFailure: As their names say.
        """
        signer = self.signer
        if signer.stale:
            await signer.fresh()
        keys, signed_at = signer.keys, signer.time
        answer = await self.endpoint.send("POST", "/", signer.lines(self._shape(operation), body), body)
        if answer.status == 200:
            return _intact(answer)
        raise self._failure(answer, keys, signed_at)

    def _shape(self, operation: str) -> Shape:
        shape = self._shapes.get(operation)
        if shape is None:
            headers = (
                ("Content-Type", "application/x-amz-json-1.0"),
                ("X-Amz-Target", f"DynamoDB_20120810.{operation}"),
            )
            shape = self._shapes[operation] = Shape(
                method="POST", url=f"{self.endpoint.url}/", headers=headers
            )
        return shape

    def _failure(self, answer: Answer, keys: StaticCredentials, signed_at: float) -> IngestError:
        name, text = error_of(answer)
        said = f"{name}: {text}" if text else name
        if name in CLOCKS:
            return self._clock_failure(answer, said, signed_at)
        if name in EXPIRED and self.signer.renew() is not keys:
            return TransientFailure(f"{said} (credentials were renewed)")
        return classify(answer, name, said)

    def _clock_failure(self, answer: Answer, said: str, signed_at: float) -> IngestError:
        """A wrong clock is corrected by the server's own; a wrong secret is not."""
        server = answer.date
        if server is None or abs(server.timestamp() - signed_at) < SKEW_SECONDS:
            return PermanentFailure(said)
        self.signer.offset += server.timestamp() - self.signer.time
        return TransientFailure(f"{said} (this clock is {-self.signer.offset:.0f} s ahead; corrected)")


def classify(answer: Answer, name: str, said: str) -> IngestError:
    """What an error answer means for the caller."""
    if name in THROTTLES or answer.status == 429:
        return Throttled(said, retry_after=answer.retry_after)
    if name in REFUSALS:
        return RequestRefused(said)
    if name == "ConditionalCheckFailedException":
        return ConditionRefused(said)
    if name == "ResourceNotFoundException":
        return TargetMissing(said)
    if answer.status == 413 or name == "RequestEntityTooLarge":
        return BatchTooLarge(said)
    if answer.status >= 500 or answer.status == 408 or name in TRANSIENT:
        return TransientFailure(said, retry_after=answer.retry_after)
    return PermanentFailure(said)


def error_of(answer: Answer) -> tuple[str, str]:
    """Name and message of an error answer; ``HTTP <status>`` and the body's beginning when it has none."""
    try:
        found = json.loads(answer.body)
        name = str(found["__type"]).rpartition("#")[2]
        return name, str(found.get("message", found.get("Message", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {answer.status}", answer.excerpt()


def _intact(answer: Answer) -> bytes:
    declared = answer.value(b"x-amz-crc32")
    if declared is not None and int(declared) != zlib.crc32(answer.body):
        raise TransientFailure("the answer was damaged on its way (CRC32 does not match)")
    return answer.body
