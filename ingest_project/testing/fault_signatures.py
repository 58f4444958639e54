"""Checks SigV4 signatures as the service does. botocore computes them, not the signer under test."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ingest_project.testing.fault_scripts import Fault, error

SKEW_LIMIT = 300.0


def signature_fault(
    url: str, headers: Mapping[str, str], body: bytes, credentials: tuple[str, str], now: float
) -> Fault | None:
    """What the service would say to a signed POST; ``None``: nothing is wrong.

    Args:
        headers: Of the request, looked up without regard to case.
        credentials: (access key, secret key) that must have signed.
        now: The service's clock.
    """
    _, _, rest = headers.get("Authorization", "").partition(" ")
    words = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    scope = words.get("Credential", "").split("/")
    if len(scope) != 5 or scope[0] != credentials[0]:
        return error("UnrecognizedClientException", message="The security token is invalid.")
    stamp = headers.get("X-Amz-Date", "")
    signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    if abs(signed_at - now) > SKEW_LIMIT:
        return error("InvalidSignatureException", message=f"Signature expired: {stamp}")
    signed = {name: headers[name] for name in words["SignedHeaders"].split(";")}
    request = AWSRequest(method="POST", url=url, headers=signed, data=body)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(
        Credentials(*credentials, token=signed.get("x-amz-security-token")), scope[3], scope[2]
    )
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if hmac.compare_digest(expected, words.get("Signature", "")):
        return None
    return error("InvalidSignatureException", message="The request signature does not match.")
