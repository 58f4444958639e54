"""Settings: the only place that knows the names of environment variables. Reads, checks, connects to nothing.

Every variable is an entry of ``variables.VARIABLES``: that table is what docs/configuration.md is made from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import KeySchema
from ingest_project.local.state import Stack, read_running
from ingest_project.resources.accesses import AwsAccess, OpenSearchAccess, read_aws, read_opensearch
from ingest_project.resources.api_access import ApiAccess, read_api_access
from ingest_project.resources.conversation_access import ConversationAccess, read_conversations
from ingest_project.resources.endpoints import Endpoint, Service, parse_allowed, require_write
from ingest_project.resources.gazettes_access import GazettesAccess, read_gazettes_access
from ingest_project.resources.shared_quota import parse_quotas
from ingest_project.resources.variables import Reader

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL", "OPENSEARCH_URL")
_KEY = re.compile(r"(?P<name>[^:=;,\s]{1,255})(?::(?P<kind>[SNB]))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at once; see docs/configuration.md for each. ``workers``: None is what suits the load."""

    dynamodb_batch_items: int
    opensearch_batch_items: int
    opensearch_batch_bytes: int
    in_flight: int
    memory_bytes: int
    workers: int | None
    lease_seconds: float
    files_at_once: int
    memory_budget: int
    memory_every: float
    batch_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryKnobs:
    """The numbers of core.retrying.RetryPolicy: attempts in all, first and longest pause in seconds."""

    attempts: int
    base: float
    cap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModeKnobs:
    """When load mode is worth it: ``auto``, ``always`` or ``never``; see docs/decisions/0008."""

    when: str = "auto"
    documents: int = 100_000
    lazy_translog: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One deployment, complete and checked.

    Attributes:
        s3_endpoint, dynamodb_endpoint: ``None`` is AWS itself in ``region``.
        opensearch_endpoint: ``None`` when there is no OpenSearch.
        embedded: True when the endpoints are those of the embedded services of ``home``.
        cache: Where servers are fetched to; ``None`` is the platform's cache folder.
        part_store: ``local`` (below ``home``) or ``s3`` (``bucket``/``prefix``).
        shared_write_units: Table -> write units a second of all that share the ledger.
        broker_url: Redis that carries runs of a cluster; empty where there is none.
        create_tables: ``never``, ``embedded`` (only on loopback) or ``always``.
    """

    home: Path
    dagster_home: Path
    region: str
    aws: AwsAccess
    ca_bundle: str
    s3_endpoint: Endpoint | None
    dynamodb_endpoint: Endpoint | None
    opensearch_endpoint: Endpoint | None
    opensearch: OpenSearchAccess
    embedded: bool
    bucket: str
    prefix: str
    cache: Path | None
    inbox: Path
    inbox_prefix: str
    ledger_url: str = field(repr=False)
    part_store: str
    limits: Limits
    retry: RetryKnobs
    load_mode: LoadModeKnobs
    create_tables: str
    table_keys: Mapping[str, KeySchema]
    wms: ApiAccess
    gazettes: GazettesAccess
    conversations: ConversationAccess
    allow_remote_writes: frozenset[str]
    shared_write_units: Mapping[str, float] = field(default_factory=dict)
    broker_url: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], home: Path | None = None) -> Settings:
        """Read a deployment from ``environ``; ``home`` is used when INGEST_HOME is not set.

        Raises:
            ConfigurationError: Names the variable, what it must be, and never a secret value.
        """
        read = Reader(environ)
        read.refuse_unknown("INGEST_")
        place = Path(read.text("INGEST_HOME") or home or default_home()).expanduser().absolute()
        stack = Stack(home=place) if any(read.text(name) for name in _ENDPOINTS) else read_running(place)
        if stack.variables:
            read = Reader(_embedded(environ, stack))
        opensearch_endpoint, opensearch = read_opensearch(read)
        shared = read.text("AWS_ENDPOINT_URL")
        return cls(
            home=place,
            dagster_home=Path(read.text("DAGSTER_HOME") or place / "dagster").expanduser().absolute(),
            region=read.text("AWS_REGION") or read.text("AWS_DEFAULT_REGION") or "us-east-1",
            aws=read_aws(read),
            ca_bundle=read.text("AWS_CA_BUNDLE"),
            s3_endpoint=read.endpoint("AWS_ENDPOINT_URL_S3", shared),
            dynamodb_endpoint=read.endpoint("AWS_ENDPOINT_URL_DYNAMODB", shared),
            opensearch_endpoint=opensearch_endpoint,
            opensearch=opensearch,
            embedded=bool(stack.variables),
            bucket=read.text("INGEST_BUCKET"),
            prefix=read.prefix("INGEST_PREFIX"),
            cache=Path(cache).expanduser().absolute() if (cache := read.text("INGEST_CACHE")) else None,
            inbox=Path(read.text("INGEST_INBOX") or place / "inbox").expanduser().absolute(),
            inbox_prefix=read.prefix("INGEST_INBOX_PREFIX"),
            ledger_url=read.text("INGEST_LEDGER_URL") or f"sqlite:///{place / 'ledger.db'}",
            part_store=read.choice("INGEST_PART_STORE", "local", "s3"),
            limits=_limits(read),
            retry=_retry(read),
            load_mode=_load_mode(read),
            create_tables=read.choice("INGEST_CREATE_TABLES", "never", "embedded", "always"),
            table_keys=parse_table_keys(read.text("INGEST_TABLE_KEYS")),
            wms=read_api_access(read),
            gazettes=read_gazettes_access(read, read.text("INGEST_BUCKET")),
            conversations=read_conversations(read),
            allow_remote_writes=parse_allowed(read.text("INGEST_ALLOW_REMOTE_WRITES")),
            shared_write_units=_shared_units(read),
            broker_url=read.text("INGEST_BROKER_URL"),
        )

    def require_write(self, service: Service, name: str) -> None:
        """Raise RemoteWriteRefused unless bucket, table, index or database ``name`` may be written to."""
        require_write(service, self.endpoint(service), self.region, name, self.allow_remote_writes)

    def endpoint(self, service: Service) -> Endpoint | None:
        """Where the service is; None is AWS itself, or no OpenSearch at all."""
        if service == "s3":
            return self.s3_endpoint
        if service == "postgresql":
            return self.gazettes.database[0]
        return self.dynamodb_endpoint if service == "dynamodb" else self.opensearch_endpoint

    def may_create_table(self) -> bool:
        """Whether a missing table may be made here (remote writes need their own permission as well)."""
        local = self.dynamodb_endpoint is not None and self.dynamodb_endpoint.is_loopback
        return self.create_tables == "always" or (self.create_tables == "embedded" and local)


def load_settings(home: Path | None = None, turned: Mapping[str, str] | None = None) -> Settings:
    """The deployment of this process's environment.

    Args:
        home: State folder; comes before INGEST_HOME.
        turned: Values in place of the variables of the same name.
    """
    given = {"INGEST_HOME": str(home)} if home else {}
    return Settings.from_env({**os.environ, **given, **(turned or {})})


DAGSTER_BATCH = "50"
"""Events of a run's slots that Dagster writes in one transaction; without it each is one of its own."""


def child_environment(settings: Settings, turned: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment for one that it starts, with the places of the deployment named."""
    places = {"INGEST_HOME": str(settings.home), "DAGSTER_HOME": str(settings.dagster_home)}
    usual = {"DAGSTER_EVENT_BATCH_SIZE": DAGSTER_BATCH, **os.environ}
    return {**usual, **places, "DAGSTER_DISABLE_TELEMETRY": "yes", **(turned or {})}


def project_folder() -> Path:
    """The checkout this package runs from, or the working directory when it is installed without one."""
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "workspace.yaml").exists() else Path.cwd()


def default_home() -> Path:
    return project_folder() / ".ingest"


def parse_table_keys(text: str) -> dict[str, KeySchema]:
    """Read ``table=name[:S|N|B][,name[:S|N|B]];table=...``.

    Raises:
        ConfigurationError: Malformed, more than two key parts, or a table named twice.
    """
    keys: dict[str, KeySchema] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        table, equals, spec = (part.strip() for part in entry.partition("="))
        if not table or not equals or table in keys:
            raise ConfigurationError(
                f"INGEST_TABLE_KEYS: {entry!r} must be TABLE=KEY[:TYPE][,SORT[:TYPE]], once a table"
            )
        keys[table] = parse_key_schema(spec, "INGEST_TABLE_KEYS")
    return keys


def parse_key_schema(text: str, source: str) -> KeySchema:
    """Read ``name[:S|N|B][,name[:S|N|B]]``; the type is S when it is left out."""
    found = [_KEY.fullmatch(part.strip()) for part in text.split(",")]
    parts = tuple((match["name"], match["kind"] or "S") for match in found if match)
    if len(parts) != len(found) or len(parts) > 2 or len({name for name, _ in parts}) != len(parts):
        raise ConfigurationError(f"{source}: {text!r} must be KEY[:TYPE][,SORT[:TYPE]] with types S, N or B")
    return KeySchema(parts=parts)


def _embedded(environ: Mapping[str, str], stack: Stack) -> dict[str, str]:
    """The environment as if it named the embedded services: their endpoints, only their credentials."""
    given = {
        name: value for name, value in environ.items() if name not in ("AWS_SESSION_TOKEN", "AWS_PROFILE")
    }
    return {
        **given,
        **stack.variables,
        "INGEST_BUCKET": environ.get("INGEST_BUCKET", "").strip() or stack.bucket,
    }


def _load_mode(read: Reader) -> LoadModeKnobs:
    return LoadModeKnobs(
        when=read.choice("INGEST_LOAD_MODE", "auto", "always", "never"),
        documents=read.count("INGEST_LOAD_MODE_DOCUMENTS", 1, 2**40),
        lazy_translog=read.choice("INGEST_LOAD_MODE_TRANSLOG", "request", "async") == "async",
    )


def _limits(read: Reader) -> Limits:
    return Limits(
        dynamodb_batch_items=read.count("INGEST_DYNAMODB_BATCH_ITEMS", 1, 25),
        opensearch_batch_items=read.count("INGEST_OPENSEARCH_BATCH_ITEMS", 1, 100_000),
        opensearch_batch_bytes=read.count("INGEST_OPENSEARCH_BATCH_KB", 64, 95 * 1024) * 1024,
        in_flight=read.count("INGEST_IN_FLIGHT", 1, 1024),
        memory_bytes=read.count("INGEST_MEMORY_MB", 8, 1024 * 1024) * 1024 * 1024,
        workers=read.count_or_auto("INGEST_WORKERS", 1, 256),
        lease_seconds=read.number("INGEST_LEASE_SECONDS", 5, 86_400),
        files_at_once=read.count("INGEST_FILES_AT_ONCE", 1, 256),
        memory_budget=read.count("INGEST_MEMORY_BUDGET_MB", 64, 1024 * 1024) * 1024 * 1024,
        memory_every=read.number("INGEST_MEMORY_CHECK_SECONDS", 0, 3600),
        batch_rows=read.count("INGEST_BATCH_ROWS", 1, 100_000),
    )


def _shared_units(read: Reader) -> Mapping[str, float]:
    return parse_quotas(read.text("INGEST_SHARED_WRITE_UNITS"), "INGEST_SHARED_WRITE_UNITS")


def _retry(read: Reader) -> RetryKnobs:
    knobs = RetryKnobs(
        attempts=read.count("INGEST_RETRY_ATTEMPTS", 1, 100),
        base=read.number("INGEST_RETRY_BASE_SECONDS", 0, 60),
        cap=read.number("INGEST_RETRY_CAP_SECONDS", 0, 3600),
    )
    if knobs.cap < knobs.base:
        raise ConfigurationError("INGEST_RETRY_CAP_SECONDS must not be below INGEST_RETRY_BASE_SECONDS")
    return knobs
