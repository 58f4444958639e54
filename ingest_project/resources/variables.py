"""Every environment variable of the project, as a table with a typed reader.

docs/configuration.md is made from it. No environment is read here: deployments.py hands it in.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.endpoints import ALLOW_SYNTAX, ALLOW_VARIABLE, Endpoint, parse_endpoint


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
        "Tests",
        (
            "INGEST_REQUIRE_SERVERS",
            "",
            "a missing server skips its tests",
            "`1`: a missing server fails them.",
        ),
    ),
)

_KNOWN: Mapping[str, Variable] = {variable.name: variable for variable in VARIABLES}


def page() -> str:
    """docs/configuration.md as it must be."""
    lines = [*_PAGE_HEAD]
    for group in dict.fromkeys(variable.group for variable in VARIABLES):
        lines += [f"## {group}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        for variable in VARIABLES:
            if variable.group == group:
                default = variable.unset or f"`{variable.default}`"
                lines.append(f"| `{variable.name}` | {default} | {variable.meaning} |")
        lines.append("")
    return "\n".join(lines)


_PAGE_HEAD = (
    "# Configuration",
    "",
    "Everything is configured by environment variables. This page is made from the table in",
    "`ingest_project/resources/variables.py` by `make docs`; a test compares the two.",
    "An empty variable counts as unset. An unknown `INGEST_` variable is refused: it is a typing error.",
    "",
    "When none of the address variables is set and the embedded services of `INGEST_HOME` run",
    "(`ingest services up`), their addresses and credentials are used.",
    "",
    "Writing to what is not on this machine is refused unless `INGEST_ALLOW_REMOTE_WRITES` names it.",
    "Only `localhost`, `127.x.y.z` and `[::1]` count as this machine; names are not resolved.",
    "",
)


class Reader:
    """Typed access to the variables of the table; an empty value counts as unset."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str) -> str:
        return self._environ.get(name, "").strip() or _KNOWN[name].default

    def refuse_unknown(self, start: str) -> None:
        """Refuse a name of our own kind that nobody reads: a typing error would go unnoticed."""
        for name in sorted(self._environ):
            if name.startswith(start) and name not in _KNOWN:
                near = difflib.get_close_matches(name, _KNOWN, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ConfigurationError(
                    f"{name} is not a setting of this project{hint} (docs/configuration.md)"
                )

    def number(self, name: str, low: float, high: float) -> float:
        try:
            value = float(self.text(name))
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ConfigurationError(
                f"{name} must be a number from {low:g} to {high:g}, not {self.text(name)!r}"
            )
        return value

    def count(self, name: str, low: int, high: int) -> int:
        value = self.number(name, low, high)
        if value != int(value):
            raise ConfigurationError(f"{name} must be a whole number, not {self.text(name)!r}")
        return int(value)

    def count_or_auto(self, name: str, low: int, high: int) -> int | None:
        """None for ``auto``."""
        return None if self.text(name) == "auto" else self.count(name, low, high)

    def choice(self, name: str, *words: str) -> str:
        if self.text(name) not in words:
            raise ConfigurationError(f"{name} must be one of {', '.join(words)}, not {self.text(name)!r}")
        return self.text(name)

    def prefix(self, name: str) -> str:
        """A key prefix without leading slash, with one at its end."""
        value = self.text(name).strip("/")
        if not value or any(part in ("", ".", "..") for part in value.split("/")):
            raise ConfigurationError(f"{name} must be a key prefix such as {_KNOWN[name].default!r}")
        return value + "/"

    def endpoint(self, name: str, fallback: str) -> Endpoint | None:
        text = self.text(name)
        if not text and not fallback:
            return None
        return parse_endpoint(text, name) if text else parse_endpoint(fallback, "AWS_ENDPOINT_URL")
