"""Every environment variable of the project: name, default, meaning. A table, nothing else.

Who reads a value is in variables.py and deployments.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingest_project.resources.conversation_variables import CONVERSATIONS
from ingest_project.resources.endpoints import ALLOW_SYNTAX, ALLOW_VARIABLE
from ingest_project.resources.gazettes_variables import GAZETTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One setting.

    Attributes:
        default: The value that an unset or empty variable has; empty when ``unset`` says what happens.
        unset: What an unset variable means, in words, when that is no value.
    """

    name: str
    group: str
    meaning: str
    default: str = ""
    unset: str = ""


def _group(group: str, *rows: tuple[str, str, str, str]) -> tuple[Variable, ...]:
    return tuple(
        Variable(name=name, group=group, default=default, unset=unset, meaning=meaning)
        for name, default, unset, meaning in rows
    )


VARIABLES: tuple[Variable, ...] = (
    *_group(
        "Services",
        ("AWS_REGION", "", "`AWS_DEFAULT_REGION`, else `us-east-1`", "Region of S3 and DynamoDB."),
        ("AWS_DEFAULT_REGION", "", "see `AWS_REGION`", "Used when `AWS_REGION` is not set."),
        ("AWS_ENDPOINT_URL_S3", "", "embedded services, else AWS", "Address of S3."),
        ("AWS_ENDPOINT_URL_DYNAMODB", "", "embedded services, else AWS", "Address of DynamoDB."),
        ("AWS_ENDPOINT_URL", "", "none", "Address of either where its own variable is not set."),
        (
            "OPENSEARCH_URL",
            "",
            "embedded services, else none",
            "Address of OpenSearch, `https://[USER:PASSWORD@]HOST[:PORT]`.",
        ),
    ),
    *_group(
        "Access",
        ("AWS_ACCESS_KEY_ID", "", "the credential chain of botocore", "With its secret: static credentials."),
        ("AWS_SECRET_ACCESS_KEY", "", "the credential chain of botocore", "Secret of `AWS_ACCESS_KEY_ID`."),
        ("AWS_SESSION_TOKEN", "", "none", "Token of temporary credentials."),
        ("AWS_PROFILE", "", "the default profile", "Profile of the shared AWS files."),
        (
            "AWS_CA_BUNDLE",
            "",
            "the public authorities",
            "File of certificate authorities for all three services.",
        ),
        ("OPENSEARCH_USERNAME", "", "the user in `OPENSEARCH_URL`", "User for basic access."),
        ("OPENSEARCH_PASSWORD", "", "the password in `OPENSEARCH_URL`", "Password for basic access."),
        (
            "INGEST_OPENSEARCH_AUTH",
            "auto",
            "",
            "`none`, `basic`, `aws` (SigV4), or `auto`: `basic` when a user is named.",
        ),
        ("INGEST_OPENSEARCH_SERVICE", "es", "", "Service that `aws` access signs for: `es` or `aoss`."),
    ),
    *_group(
        "Places",
        (
            "INGEST_HOME",
            "",
            "`.ingest` in the project folder",
            "State folder: services, ledger, inbox, logs.",
        ),
        (
            "INGEST_CACHE",
            "",
            "the platform's cache folder",
            "Folder that servers for tests are fetched to.",
        ),
        (
            "DAGSTER_HOME",
            "",
            "`dagster` in `INGEST_HOME`",
            "Folder of Dagster's instance and its `dagster.yaml`.",
        ),
        (
            "DAGSTER_DISABLE_TELEMETRY",
            "",
            "`yes` in all that this project starts",
            "Dagster's own switch for its telemetry.",
        ),
        (
            "DAGSTER_EVENT_BATCH_SIZE",
            "",
            "`50` in all that this project starts",
            "Dagster's own: so many events of a run's slots are written in one transaction.",
        ),
        ("INGEST_BUCKET", "ingest", "", "Bucket of inbox and parts."),
        ("INGEST_PREFIX", "stages/", "", "Key prefix of the stored parts."),
        ("INGEST_INBOX", "", "`inbox` in `INGEST_HOME`", "Local folder that is mirrored to the S3 inbox."),
        ("INGEST_INBOX_PREFIX", "inbox/", "", "Key prefix of the S3 inbox."),
        (
            "INGEST_LEDGER_URL",
            "",
            "SQLite file `ledger.db` in `INGEST_HOME`",
            "Ledger as SQLAlchemy URL, `postgresql+psycopg2://...`.",
        ),
        (
            "INGEST_BROKER_URL",
            "",
            "no cluster",
            "Redis that carries runs to the workers of a cluster: `redis://[:PASSWORD@]HOST:PORT/0`.",
        ),
        ("INGEST_PART_STORE", "s3", "", "Where validated parts lie: `s3` or `local` (below `INGEST_HOME`)."),
    ),
    *_group(
        "Limits",
        ("INGEST_DYNAMODB_BATCH_ITEMS", "25", "", "Items a BatchWriteItem request, 1 to 25."),
        ("INGEST_OPENSEARCH_BATCH_ITEMS", "1000", "", "Documents a bulk request."),
        ("INGEST_OPENSEARCH_BATCH_KB", "5120", "", "KiB a bulk request; one larger document goes alone."),
        (
            "INGEST_OPENSEARCH_COMPRESSION",
            "none",
            "",
            "How bulk requests are sent: `none`, or `gzip` where the network is slow or paid by the byte.",
        ),
        ("INGEST_IN_FLIGHT", "48", "", "Requests in flight at most, for each loader."),
        ("INGEST_MEMORY_MB", "32", "", "MiB of items held at most, for each loader."),
        (
            "INGEST_FILES_AT_ONCE",
            "5",
            "",
            "Files worked on at once: `ingest load`, the runs of Dagster and its pool `ingest_files`.",
        ),
        (
            "INGEST_WORKERS",
            "auto",
            "",
            "Processes over a load's chunks; `auto`: one a core, if each has 256 MiB to do (docs/tuning.md).",
        ),
        (
            "INGEST_MEMORY_BUDGET_MB",
            "1024",
            "",
            "MiB a load may use: at 40, 60, 80 % of it less is taken at once, at 90 % nothing.",
        ),
        ("INGEST_MEMORY_CHECK_SECONDS", "10", "", "Seconds between looks at the memory in use."),
        ("INGEST_BATCH_ROWS", "1000", "", "Rows taken at once while no memory presses."),
        ("INGEST_LEASE_SECONDS", "60", "", "How long a claimed chunk stays claimed without progress."),
    ),
    *_group(
        "Retries",
        ("INGEST_RETRY_ATTEMPTS", "8", "", "Attempts for one batch, the first included."),
        (
            "INGEST_RETRY_BASE_SECONDS",
            "0.5",
            "",
            "First pause; each further one is twice as long, with full jitter.",
        ),
        ("INGEST_RETRY_CAP_SECONDS", "30", "", "Longest pause."),
    ),
    *_group(
        "Targets",
        (
            "INGEST_CREATE_TABLES",
            "embedded",
            "",
            "Make missing tables: `never`, `embedded` (on loopback only), `always`.",
        ),
        (
            "INGEST_TABLE_KEYS",
            "",
            "the entity's default key",
            "Keys of tables made here: `cities=name:S,lng:S;x=id:S`.",
        ),
        (
            "INGEST_SHARED_WRITE_UNITS",
            "",
            "each process finds by itself what a table takes",
            "Write units a second for all that share the ledger: `orders=4000;cities=500`.",
        ),
        (ALLOW_VARIABLE, "", "no remote writes", f"Remote targets that may be written to: {ALLOW_SYNTAX}."),
    ),
    *_group(
        "Indices",
        (
            "INGEST_LOAD_MODE",
            "auto",
            "",
            "Fill without refresh and replicas: `auto` (new indices, large loads), `always`, `never`.",
        ),
        (
            "INGEST_LOAD_MODE_DOCUMENTS",
            "100000",
            "",
            "`auto`: a load of so many documents stops the refresh also of an index that is in use.",
        ),
        (
            "INGEST_LOAD_MODE_TRANSLOG",
            "request",
            "",
            "`async`: in load mode writes are acknowledged before they are on disk; a power cut loses 5 s.",
        ),
    ),
    *_group(
        "Warehouse API",
        (
            "INGEST_WMS_URL",
            "",
            "there is none",
            "Base of the API, `https://HOST/ENVIRONMENT/wms/lgfapi/v10`; `http` on loopback only.",
        ),
        ("INGEST_WMS_USER", "", "no Basic access", "User for Basic access."),
        ("INGEST_WMS_PASSWORD", "", "no Basic access", "Password of `INGEST_WMS_USER`."),
        (
            "INGEST_WMS_TOKEN_URL",
            "",
            "no OAuth2",
            "Where OAuth2 tokens are given for client credentials; comes before Basic access.",
        ),
        ("INGEST_WMS_CLIENT_ID", "", "none", "Client id for OAuth2."),
        ("INGEST_WMS_CLIENT_SECRET", "", "none", "Secret of `INGEST_WMS_CLIENT_ID`."),
        ("INGEST_WMS_SCOPE", "", "none", "Scope that a token is asked for."),
        ("INGEST_WMS_COMPANY", "", "all", "Code of the company whose rows are read."),
        ("INGEST_WMS_FACILITY", "", "all", "Code of the facility whose rows are read."),
        (
            "INGEST_WMS_QUOTA",
            "10",
            "",
            "Requests a second at most, over all entities, runs and processes that share the ledger.",
        ),
        (
            "INGEST_WMS_AT_ONCE",
            "4",
            "",
            "Requests under way at most, for each entity of a process; a page of wide rows has 5 MB, twice.",
        ),
        ("INGEST_WMS_PAGE_SIZE", "1250", "", "Rows a page, 1 to 1250."),
        (
            "INGEST_WMS_PAGE_MODE",
            "sequenced",
            "",
            "`sequenced`, or `paged` where the API does not keep an order with it (it counts for each page).",
        ),
        ("INGEST_WMS_OVERLAP_MINUTES", "30", "", "What an incremental sync reads once more."),
        ("INGEST_WMS_ANSWER_SECONDS", "300", "", "Longest wait for one answer; then it is tried again."),
        ("INGEST_WMS_FULL_REQUEST_SECONDS", "3600", "", "A full sync: a request with all its tries."),
        ("INGEST_WMS_FULL_RUN_SECONDS", "10800", "", "A full sync: all requests of a run."),
        ("INGEST_WMS_SINCE_REQUEST_SECONDS", "2700", "", "Other syncs: a request with all its tries."),
        ("INGEST_WMS_SINCE_RUN_SECONDS", "5400", "", "Other syncs: all requests of a run."),
    ),
    *_group("Conversations", *CONVERSATIONS),
    *_group("Gazettes", *GAZETTES),
    *_group(
        "Tests",
        (
            "INGEST_REQUIRE_SERVERS",
            "",
            "a missing server skips its tests",
            "`1`: a missing server fails them.",
        ),
    ),
)
