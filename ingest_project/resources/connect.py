"""Ready clients from Settings, each imported only when it is asked for. No Dagster, no environment.

Requests are retried by core.retrying alone: clients try again only a connection that could not be used, S3's
what its policy says (s3_again). Every vendor client made here refuses to write to a remote target that is not
allowed by name, whoever calls it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from ingest_project.core.errors import ConfigurationError
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.deployments import Settings
from ingest_project.resources.endpoints import Service, aws_url
from ingest_project.resources.s3_again import SendAgain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client
    from opensearchpy import AsyncOpenSearch, OpenSearch

    from ingest_project.sinks.dynamodb_api import DynamoDBApi
    from ingest_project.sinks.opensearch_api import OpenSearchApi
    from ingest_project.sinks.signing import Credentials

_BOTO_READS = ("Get", "Head", "List", "Describe", "Query", "Scan", "BatchGet", "TransactGet")
_SEARCH_READS = frozenset({"_search", "_msearch", "_count", "_mget", "_analyze", "_field_caps"})
_PAUSES = (0.2, 0.8)
"""Seconds before the second and third try of a connection."""


def s3_client(settings: Settings) -> S3Client:
    """A boto3 S3 client; path addressing everywhere but on AWS."""
    return cast("S3Client", _boto_client("s3", settings))


def dynamodb_client(settings: Settings) -> DynamoDBClient:
    """A boto3 DynamoDB client, for what is not hot."""
    return cast("DynamoDBClient", _boto_client("dynamodb", settings))


def credentials(settings: Settings, service: Service) -> Credentials:
    """Keys to sign with: the configured ones, else botocore's chain (refreshable); made-up ones on loopback.

    Raises:
        ConfigurationError: No provider has any.
    """
    from ingest_project.sinks.signing import StaticCredentials, chain_credentials

    access = settings.aws
    if access.access_key:
        return StaticCredentials(
            access_key=access.access_key, secret_key=access.secret_key, token=access.session_token or None
        )
    if _is_anonymous(settings, service):
        return StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    return chain_credentials(access.profile or None)


def dynamodb_api(settings: Settings) -> DynamoDBApi:
    """Signed calls for the hot path. The caller asks ``settings.require_write`` for each table first."""
    from ingest_project.sinks.dynamodb_api import DynamoDBApi
    from ingest_project.sinks.signing import Signer
    from ingest_project.wire.http import Endpoint as HttpEndpoint

    known = settings.dynamodb_endpoint
    url = known.url if known else aws_url("dynamodb", settings.region)
    endpoint = HttpEndpoint(url, connections=settings.limits.in_flight, tls=tls_context(settings))
    signer = Signer(credentials(settings, "dynamodb"), region=settings.region, service="dynamodb")
    return DynamoDBApi(endpoint, signer)


def opensearch_api(settings: Settings, *, timeout: float = 60.0) -> OpenSearchApi:
    """Calls for the hot path. The caller asks ``settings.require_write`` for each index first.

    Args:
        timeout: Seconds for one whole request; texts of megabytes take a server longer than records.

    Raises:
        ConfigurationError: There is no OpenSearch.
    """
    from ingest_project.sinks.opensearch_api import OpenSearchApi
    from ingest_project.sinks.signing import Signer
    from ingest_project.wire.http import Endpoint as HttpEndpoint

    url, connections = opensearch_url(settings), settings.limits.in_flight
    endpoint = HttpEndpoint(url, connections=connections, timeout=timeout, tls=tls_context(settings))
    access = settings.opensearch
    if access.mode == "aws":
        signer = Signer(credentials(settings, "opensearch"), region=settings.region, service=access.service)
        return OpenSearchApi(endpoint, signer=signer, compress=access.compress)
    basic = (access.username, access.password) if access.mode == "basic" else None
    return OpenSearchApi(endpoint, basic=basic, compress=access.compress)


def opensearch_client(settings: Settings) -> OpenSearch:
    """An opensearch-py client, for what is not hot."""
    from opensearchpy import OpenSearch, Transport, Urllib3AWSV4SignerAuth

    class Guarded(Transport):
        """Looks at every request before it leaves."""

        def perform_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            _check_search(settings, method, url)
            return super().perform_request(method, url, *args, **kwargs)

    return OpenSearch(**_search_options(settings, Urllib3AWSV4SignerAuth), transport_class=Guarded)


def async_opensearch_client(settings: Settings) -> AsyncOpenSearch:
    """As opensearch_client, over aiohttp."""
    from opensearchpy import AsyncOpenSearch, AsyncTransport, AWSV4SignerAsyncAuth

    class Guarded(AsyncTransport):
        """Looks at every request before it leaves."""

        async def perform_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            _check_search(settings, method, url)
            return await super().perform_request(method, url, *args, **kwargs)

    return AsyncOpenSearch(**_search_options(settings, AWSV4SignerAsyncAuth), transport_class=Guarded)


def opensearch_url(settings: Settings) -> str:
    """Address of OpenSearch, without credentials.

    Raises:
        ConfigurationError: There is none.
    """
    if settings.opensearch_endpoint is None:
        raise ConfigurationError("OPENSEARCH_URL is not set, and the embedded services do not run")
    return settings.opensearch_endpoint.url


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What to verify certificates with; None is the system's authorities. Verification is never off."""
    if not settings.ca_bundle:
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"AWS_CA_BUNDLE: {settings.ca_bundle} cannot be read: {error}") from error


def _boto_client(service: Service, settings: Settings) -> Any:
    import boto3
    from botocore.config import Config

    endpoint = settings.endpoint(service)
    # The address that the guard looked at is the one that is used: no other endpoints, no proxy to loopback.
    options: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": 1},
        "max_pool_connections": max(10, settings.limits.in_flight),
        "connect_timeout": 5,
        "read_timeout": 60,
        "tcp_keepalive": True,
        "ignore_configured_endpoint_urls": True,
        "proxies": {} if endpoint is not None and endpoint.is_loopback else None,
        "s3": {"addressing_style": "path" if endpoint is not None else "auto"},
    }
    session: Any = boto3.session.Session(**_session_options(settings, service))
    client = session.client(
        service,
        region_name=settings.region,
        endpoint_url=endpoint.url if endpoint is not None else None,
        verify=settings.ca_bundle or True,
        config=Config(**options),
    )

    def refuse(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        if not model.name.startswith(_BOTO_READS):
            for name in _written(params):
                settings.require_write(service, name)

    client.meta.events.register(f"provide-client-params.{service}", refuse)
    client.meta.events.register_first(f"needs-retry.{service}", _connect_again)
    if service == "s3":
        # Parts, plans and dumps are read and written in place: nobody above has the request in hands.
        client.meta.events.register_first("needs-retry.s3", SendAgain())
    return client


def _session_options(settings: Settings, service: Service) -> dict[str, Any]:
    import botocore.session

    access, core = settings.aws, botocore.session.Session()
    core.register_component("data_loader", _service_models())
    if access.access_key or _is_anonymous(settings, service):
        return {
            "aws_access_key_id": access.access_key or ACCESS_KEY,
            "aws_secret_access_key": access.secret_key or SECRET_KEY,
            **({"aws_session_token": access.session_token} if access.session_token else {}),
            "botocore_session": core,
        }
    return {"botocore_session": core, **({"profile_name": access.profile} if access.profile else {})}


@cache
def _service_models() -> Any:
    """Descriptions of the AWS services: read once a process, 60 ms of CPU for each client otherwise."""
    import botocore.session

    return botocore.session.Session().get_component("data_loader")


def _is_anonymous(settings: Settings, service: Service) -> bool:
    """On loopback, without configured credentials: real ones from a chain are not shown to a local server."""
    endpoint = settings.endpoint(service)
    access = settings.aws
    return endpoint is not None and endpoint.is_loopback and not access.access_key and not access.profile


def _written(params: Mapping[str, Any]) -> Iterable[str]:
    """Buckets or tables that a call writes to; an unnamed one is an empty name, which is never allowed."""
    if isinstance(batch := params.get("RequestItems"), dict):
        return list(batch)
    if isinstance(steps := params.get("TransactItems"), list):
        return [str(action.get("TableName", "")) for step in steps for action in step.values()]
    return [str(params.get("Bucket") or params.get("TableName") or "")]


def _connect_again(attempts: int, caught_exception: Exception | None, **_: Any) -> float | None:
    """botocore's ``needs-retry``: seconds to wait, or None. Only where no request can have been taken."""
    from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError

    kinds = (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError)
    if isinstance(caught_exception, kinds) and attempts <= len(_PAUSES):
        return _PAUSES[attempts - 1]
    return None


def _search_options(settings: Settings, signer: Any) -> dict[str, Any]:
    access = settings.opensearch
    login: Any = (access.username, access.password) if access.mode == "basic" else None
    if access.mode == "aws":
        login = signer(credentials(settings, "opensearch"), settings.region, access.service)
    return {
        "hosts": [opensearch_url(settings)],
        "http_auth": login,
        "ssl_context": tls_context(settings),
        "max_retries": len(_PAUSES),
        "retry_on_status": (),
        "retry_on_timeout": False,
        "timeout": 60,
        "pool_maxsize": max(10, settings.limits.in_flight),
    }


def _check_search(settings: Settings, method: str, url: str) -> None:
    path = url.partition("?")[0].strip("/").split("/")
    # Two segments at most: /index/_doc/_search would be a document.
    if method in ("GET", "HEAD") or (method == "POST" and len(path) <= 2 and path[-1] in _SEARCH_READS):
        return
    settings.require_write("opensearch", path[0])
