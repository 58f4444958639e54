"""``python -m benchmarks.gazette_indexing``: gazettes into a real node, in bulk beside one by one.

Peers: opensearch-py's ``index``, once as it is and once with a refresh after each document, which is how a
gazette can be searched the moment it was indexed. Ours is the stage of the pipeline with all it does: reading
the text, its fields, the sweep of what was there before, the refresh at the end. In turn, each round into new
indices of the same mappings; medians. ``again`` writes the same gazettes into an index that has them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil
from opensearchpy import OpenSearch

from ingest_project import local
from ingest_project.core.document_ledger import Segmentation, Segments
from ingest_project.core.documents import Bucket, Document, Done, Mark
from ingest_project.core.governing import RateGovernor
from ingest_project.core.posting import Poster
from ingest_project.core.retrying import RetryPolicy
from ingest_project.entities.gazettes import indices
from ingest_project.entities.gazettes.indexed import SEGMENTS, TEXTS, Indexed
from ingest_project.sinks.live_index import LiveIndex, LiveSettings
from ingest_project.sinks.mappings import mappings_of, settings_of
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.testing.gazette_pages import town_pages
from ingest_project.testing.gazette_words import territories
from ingest_project.wire.http import Endpoint, run

BULK = 100
BUCKET = Bucket(collection="gazettes", month="2026-11", number=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Seconds of one round: of the clock, of CPU of the client and of the node."""

    wall: float
    client: float
    node: float


class Uncut(Segments):
    """Segments of gazettes that have none."""

    def replace(self, collection: str, parts: object) -> None: ...

    def find(self, collection: str, ids: Sequence[str]) -> Mapping[str, Segmentation]:
        return {}

    def forget(self, collection: str, gone: object) -> None: ...


class Texts(dict[str, str]):
    """Texts in memory."""

    def read(self, where: str) -> str:
        return self[where]


def gazettes(count: int, pages: float) -> tuple[list[Document], Texts]:
    """Made gazettes as the stages before leave them."""
    rng, texts, found = Random(7), Texts(), []
    towns = [town for town in territories() if not town.is_association]
    for number in range(count):
        town, day = rng.choice(towns), date(2026, 11, 1 + number % 28)
        composed = town_pages(rng, town, day, f"protocolo{number}", pages, "")
        text = "\n".join(line for page in composed.pages for line in page)
        uri = f"memory://{number}"
        texts[uri] = text
        fields = {"territory_id": town.id, "date": day.isoformat(), "file_checksum": f"{number:040x}"}
        facts = {"uri": uri, "bytes": str(len(text.encode()))}
        mark = Mark(fingerprint=uri, output=uri, facts=facts)
        marks = {TEXTS: mark, SEGMENTS: mark}
        found.append(Document(id=str(number), bucket=BUCKET, fields=fields, marks=marks))
    return found, texts


def one_by_one(url: str, index: str, documents: Sequence[Document], texts: Texts, **words: Any) -> None:
    contract = indices.gazettes()
    with OpenSearch(hosts=[url], timeout=60) as client:
        body = {"settings": settings_of(contract), "mappings": mappings_of(contract)}
        client.indices.create(index=index, body=body)
        for document in documents:
            text = texts[document.marks[TEXTS].facts["uri"]]
            source = {**document.fields, "document_id": document.id, "source_text": text}
            client.index(index=index, id=document.id, body=source, **words)
        client.indices.refresh(index=index)


def in_bulk(url: str, index: str, documents: Sequence[Document], texts: Texts, *, fast: bool) -> None:
    async def work() -> None:
        async with OpenSearchApi(Endpoint(url)) as api:
            live = live_index(api, index, fast=fast)
            stage = Indexed(live, texts, Uncut(), "gazettes", batch=BULK)
            parts = [documents[start : start + BULK] for start in range(0, len(documents), BULK)]
            ended = [one for some in await asyncio.gather(*map(stage.run, parts)) for one in some]
            await live.close()
            if not all(isinstance(one, Done) for one in ended):
                raise RuntimeError("not all were indexed")

    run(work)


def live_index(api: OpenSearchApi, index: str, *, fast: bool) -> LiveIndex:
    def poster(sink: OpenSearchSink) -> Poster:
        return Poster(
            sink,
            retry=RetryPolicy(),
            governor=RateGovernor(time.monotonic),
            clock=time.monotonic,
            sleep=asyncio.sleep,
            rng=Random(),
        )

    def allowed(name: str) -> None:
        """Every index may be written to."""

    known = LiveSettings(holder="benchmark", is_dead=lambda _: False, require_write=allowed, fast=fast)
    return LiveIndex(api, index, indices.gazettes(), poster, known)


@contextmanager
def node() -> Iterator[tuple[str, psutil.Process]]:
    """A real node of our own: its URL and its process."""
    with tempfile.TemporaryDirectory(prefix="ingest-bench-") as folder:
        home = Path(folder)
        try:
            stack = local.up(
                home, names=("opensearch-node",), usual_ports=False, tied=True, timeout=180, settings={}
            )
            server = stack.servers["opensearch-node"]
            yield server.endpoint, psutil.Process(server.mark.pid)
        finally:
            local.down(home, grace=1.0)


def measured(work: Callable[[], None], server: psutil.Process) -> Sample:
    before, used, begun = _cpu(), _used(server), time.perf_counter()
    work()
    wall = time.perf_counter() - begun
    return Sample(wall=wall, client=_cpu() - before, node=_used(server) - used)


def _cpu() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def _used(server: psutil.Process) -> float:
    times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gazettes", type=int, default=300)
    parser.add_argument("--pages", type=float, default=4.0, help="of a gazette, in the mean")
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    documents, texts = gazettes(wanted.gazettes, wanted.pages)
    size = sum(int(one.marks[TEXTS].facts["bytes"]) for one in documents)
    samples: dict[str, list[Sample]] = {}
    with node() as (url, server):
        in_bulk(url, "warm", documents, texts, fast=True)
        for number in range(wanted.rounds):
            ways: dict[str, Callable[[], None]] = {
                "one by one": partial(one_by_one, url, f"single-{number}", documents, texts),
                "one by one, refreshed": partial(
                    one_by_one, url, f"refreshed-{number}", documents, texts, refresh=True
                ),
                "in bulk": partial(in_bulk, url, f"bulk-{number}", documents, texts, fast=True),
                "in bulk, again": partial(in_bulk, url, f"bulk-{number}", documents, texts, fast=False),
            }
            for name, work in ways.items():
                samples.setdefault(name, []).append(measured(work, server))
    print(json.dumps(_table(samples, len(documents), size), indent=1))


def _table(samples: Mapping[str, Sequence[Sample]], count: int, size: int) -> dict[str, Any]:
    """Medians; ``times less``: of the clock and of the client's CPU, than one by one with a refresh each in
    the same round."""
    peer = samples["one by one, refreshed"]
    rows = {}
    for name, found in samples.items():
        wall = statistics.median(one.wall for one in found)
        pairs = list(zip(peer, found, strict=True))
        rows[name] = {
            "documents/s": round(count / wall),
            "client ms": round(1000 * statistics.median(one.client for one in found) / count, 2),
            "node ms": round(1000 * statistics.median(one.node for one in found) / count, 2),
            "times less clock": _spread([a.wall / b.wall for a, b in pairs]),
            "times less client CPU": _spread([a.client / b.client for a, b in pairs]),
        }
    return {"gazettes": count, "KB each": round(size / count / 1000, 1), "ways": rows}


def _spread(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})"


if __name__ == "__main__":
    main()
