"""Checks SigV4 signatures as the services do. botocore computes them, not the signer under test.

Which service's rules hold says the scope of the Authorization header. Presigned URLs are not known.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ingest_project.testing.fault_dialects import FORGED, SKEWED, UNKNOWN
from ingest_project.testing.fault_messages import Call

SKEW_LIMIT = 300.0


class Scope(NamedTuple):
    """The Authorization header's words."""

    access: str
    day: str
    region: str
    service: str
    signed: str
    signature: str


def scope_of(call: Call) -> Scope | None:
    """Whose signature it is and what it covers; ``None``: there is none."""
    _, _, rest = call.header("Authorization").partition(" ")
    words = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    scope = words.get("Credential", "").split("/")
    if len(scope) != 5:
        return None
    access, day, region, service, _ = scope
    return Scope(access, day, region, service, words.get("SignedHeaders", ""), words.get("Signature", ""))


def signer_of(call: Call) -> tuple[str, str]:
    """Access key and session token."""
    scope = scope_of(call)
    return scope.access if scope is not None else "", call.header("X-Amz-Security-Token")


def signature_denial(call: Call, credentials: tuple[str, str], now: float) -> tuple[str, str] | None:
    """Why the service would refuse a request, and its words; ``None``: it would not.

    Args:
        credentials: (access key, secret key) that must have signed.
        now: The service's clock.
    """
    scope = scope_of(call)
    if scope is None or scope.access != credentials[0]:
        return UNKNOWN, "The security token included in the request is invalid."
    stamp = call.header("X-Amz-Date")
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return FORGED, "The request has no date."
    if abs(signed_at - now) > SKEW_LIMIT:
        return SKEWED, f"Signature expired: {stamp}"
    if hmac.compare_digest(_expected(call, scope, stamp, credentials), scope.signature) and _intact(call):
        return None
    return FORGED, "The request signature we calculated does not match the signature you provided."


def _expected(call: Call, scope: Scope, stamp: str, credentials: tuple[str, str]) -> str:
    signed = {name: call.header(name) for name in scope.signed.split(";")}
    url = f"http://{call.header('Host')}{call.target}"
    request = AWSRequest(method=call.method, url=url, headers=signed, data=call.body)
    request.context["timestamp"] = stamp
    keys = Credentials(*credentials, token=call.header("X-Amz-Security-Token") or None)
    kind = S3SigV4Auth if scope.service == "s3" else SigV4Auth
    signer = kind(keys, scope.service, scope.region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))


def _intact(call: Call) -> bool:
    """Where the signature covers a hash that is sent along, the body must have it."""
    declared = call.header("X-Amz-Content-SHA256")
    return len(declared) != 64 or declared == hashlib.sha256(call.body).hexdigest()
