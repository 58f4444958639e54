"""A whole deployment of gazettes on real servers: made gazettes, database, buckets, indices and ledger."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from opensearchpy import OpenSearch

from ingest_project.core.bucket_standing import by_month
from ingest_project.core.staging import StageReport
from ingest_project.entities.gazettes.archive import enroll, open_desk
from ingest_project.entities.gazettes.spec import COLLECTION
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.local.postgresql import database
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.collection import Listing
from ingest_project.testing.gazette_files import GazetteFile, Gazettes
from ingest_project.testing.gazette_world import fill
from ingest_project.testing.running import RunningServer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

THEMES = Path(__file__).parent / "data" / "themes_config.json"


class Newsroom:
    """The deployment, and what a test asks of it.

    Attributes:
        variables: Its environment; another one is made of it by ``settings``.
        made: The gazettes by id.
    """

    def __init__(self, variables: Mapping[str, str], gazettes: Gazettes, search: OpenSearch) -> None:
        self.variables, self.gazettes, self.search = variables, gazettes, search
        self.made: dict[str, GazetteFile] = {str(one.id): one for one in gazettes}
        self.prefix = variables["INGEST_GAZETTES_INDEX"]

    def settings(self, **turned: str) -> Settings:
        return Settings.from_env({**self.variables, **turned})

    def listed(self, mode: str = "UNPROCESSED") -> Listing:
        return enroll(self.settings(), mode, lambda text: None)

    def run(self, *steps: str, **turned: str) -> dict[str, StageReport]:
        """Stage -> its report, summed over all buckets; of all steps where none is named."""
        found: dict[str, StageReport] = {}
        with open_desk(self.settings(**turned)) as desk:
            months = by_month(desk.books.states(COLLECTION.name))
            buckets = [bucket for month in months for bucket in COLLECTION.buckets(month)]
            for step in steps or [one.name for one in COLLECTION.steps]:
                for done in desk.run(step, buckets):
                    assert "" == done.stopped
                    for report in done.reports:
                        found[report.stage] = _sum(found.get(report.stage), report)
        return found

    def ledger(self) -> SqlDocumentLedger:
        return SqlDocumentLedger(self.settings().ledger_url)

    def parked(self) -> Counter[tuple[str, str]]:
        """(stage, cause) -> documents."""
        ledger = self.ledger()
        found = Counter[tuple[str, str]]()
        for one in ledger.parked_counts(COLLECTION.name):
            found[one.stage, one.cause] += one.documents
        ledger.close()
        return found

    def expected_parked(self) -> Counter[tuple[str, str]]:
        return Counter((one.stage, one.cause) for one in self.made.values() if one.cause)

    def flagged(self) -> set[str]:
        """Ids whose flag is set in the database."""
        with psycopg.connect(self.variables["INGEST_GAZETTES_DATABASE_URL"]) as connection:
            rows = connection.execute("SELECT id FROM gazettes WHERE processed").fetchall()
        return {str(id) for (id,) in rows}

    def documents(self, index: str) -> dict[str, Mapping[str, Any]]:
        """_id -> source of all in an index."""
        self.search.indices.refresh(index=index)
        hits = self.search.search(index=index, body={"size": 5000})["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    def theme_index(self, name: str) -> str:
        return f"{self.prefix}-{name}"


def _sum(one: StageReport | None, other: StageReport) -> StageReport:
    if one is None:
        return other
    names = ("total", "done", "unchanged", "waiting", "parked", "newly_parked", "delayed", "busy")
    sums: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in names}
    return StageReport(stage=one.stage, reasons=one.reasons + other.reasons, **sums)


@contextmanager
def newsroom(
    gazettes: Gazettes, home: Path, s3: S3Client, postgresql: RunningServer, opensearch_node: RunningServer
) -> Iterator[Newsroom]:
    """Filled and not yet listed; its indices are gone afterwards."""
    word = f"gz{uuid.uuid4().hex[:10]}"
    s3.create_bucket(Bucket=word)
    themes = json.loads(THEMES.read_text())
    for theme in themes["themes"]:
        theme["index"] = f"{word}-{theme['index']}"
    path = home / "themes.json"
    path.write_text(json.dumps(themes))
    search = OpenSearch(hosts=[opensearch_node.url])
    with database(postgresql.url) as url:
        plain = url.replace("postgresql+psycopg2://", "postgresql://")
        fill(gazettes, s3, word, plain, prefix="files/")
        yield Newsroom(
            {
                "INGEST_HOME": str(home),
                "INGEST_BUCKET": word,
                "AWS_ENDPOINT_URL_S3": s3.meta.endpoint_url,
                "OPENSEARCH_URL": opensearch_node.url,
                "INGEST_GAZETTES_DATABASE_URL": plain,
                "INGEST_GAZETTES_FILES": f"{word}/files",
                "INGEST_GAZETTES_INDEX": word,
                "INGEST_GAZETTES_THEMES": str(path),
                "INGEST_GAZETTES_ENCODER": "hashing",
                "INGEST_GAZETTES_WORKERS": "2",
                "INGEST_RETRY_BASE_SECONDS": "0.05",
                "INGEST_RETRY_CAP_SECONDS": "1",
            },
            gazettes,
            search,
        )
    search.indices.delete(index=f"{word}*", params={"expand_wildcards": "all"})
    search.indices.delete_index_template(name=f"ingest-{word}*", params={"ignore": 404})
    search.close()
