"""Vectors in OpenSearch, on a real node with the real plugin k-NN; servers without it are refused."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
import pytest

from ingest_project.core.codecs import CODECS, Codec
from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.entities.conversations.similarity import SearchSettings, Similarity, vector_of
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.entities.conversations.vector_filling import STAGE, Filling
from ingest_project.entities.conversations.vectors_in_opensearch import (
    VectorsInOpenSearch,
    body_of,
    standing_index,
)
from ingest_project.formats.vectors import BrokenVector, Matrix, cosines, decode_vector, encode_vector
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.indexes import our_indices, refresh_index
from ingest_project.sinks.nearest import offered_engine
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.sinks.table_reading import TableReader
from ingest_project.sinks.table_writing import TableWriter
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.running import RunningServer, Servers
from ingest_project.wire.http import Endpoint
from ingest_project_tests.sinks.sending import dynamodb_api, opensearch_api

DIMENSIONS, MODEL, NOW = 64, "a model", 1_800_000_000
SIMILARITY = Similarity(dimensions=DIMENSIONS, model=MODEL)


def rows_of(count: int, seed: int = 1) -> Matrix:
    found: Matrix = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32)
    return found


def items_of(vectors: Matrix, user: str = "anna", **given: str) -> list[dict[str, Any]]:
    """Items of the embeddings, as the migration makes them."""
    words = {"role": "user", "session_id": "s-1", "timestamp": "2026-11-01T12:00:00.000000Z", **given}
    return [
        {name: {"S": word} for name, word in words.items()}
        | {
            "user_id": {"S": user},
            "user_chunk": {"S": f"{user}#{number % 10:03d}"},
            "embedding_id": {"S": f"{user}-{number:05d}"},
            "text_preview": {"S": f"message {number}"},
            "user_date": {"S": f"{user}#2026-11-01"},
            "timestamp_type": {"S": f"2026-11-01T12:00:00.000000Z#user#{number:012d}"},
            "ttl": {"N": str(NOW + 1)},
        }
        | attributes
        for number, attributes in enumerate(SIMILARITY.attributes(vectors))
    ]


def ids_of(neighbours: Sequence[Any]) -> list[str]:
    return [one.item["embedding_id"]["S"] for one in neighbours]


@pytest.fixture
def node(start_server: Servers) -> RunningServer:
    return start_server("opensearch_node", knn="true", heap="512m")


@pytest.fixture
async def search_api(node: RunningServer) -> AsyncIterator[OpenSearchApi]:
    async with OpenSearchApi(Endpoint(node.url, timeout=60.0, connections=4)) as found:
        yield found


@pytest.fixture
async def store(search_api: OpenSearchApi) -> VectorsInOpenSearch:
    """Over a new index."""
    index = f"vectors-{uuid.uuid4().hex[:12]}"
    await standing_index(search_api, index, dimensions=DIMENSIONS)
    return VectorsInOpenSearch(
        api=search_api,
        index=index,
        dimensions=DIMENSIONS,
        model=MODEL,
        wall=lambda: float(NOW),
        rng=Random(1),
    )


async def written(store: VectorsInOpenSearch, items: Sequence[Mapping[str, Any]]) -> None:
    await store.put(items)
    await refresh_index(store.api, store.index)


async def test_the_nearest_of_one_user_are_those_of_an_exact_comparison(store: VectorsInOpenSearch) -> None:
    vectors = rows_of(300)
    await written(store, [*items_of(vectors), *items_of(rows_of(50, seed=2), "bert")])
    stored = np.asarray([decode_vector(encode_vector(row, "int8"), "int8") for row in vectors])
    for question in rows_of(5, seed=3):
        truth = cosines(question, stored)
        best = np.argsort(-truth)[:10]
        answer = await store.search("anna", question, count=10, threshold=-1.0)
        assert [f"anna-{at:05d}" for at in best] == ids_of(answer.neighbours)
        assert truth[best] == pytest.approx([one.cosine for one in answer.neighbours], abs=1e-6)
        assert answer.looked_at >= 10


async def test_a_neighbour_tells_what_it_tells_in_the_other_store(store: VectorsInOpenSearch) -> None:
    (item,) = items_of(rows_of(1))
    await written(store, [item])
    (found,) = (await store.search("anna", rows_of(1)[0])).neighbours
    hidden = {"similarity_hash", "similarity_hash_2", "sketch", "vector_compressed", "vector_codec"}
    assert {name: item[name] for name in item.keys() - hidden - {"ttl", "user_id"}} == found.item
    assert found.cosine == pytest.approx(1.0, abs=1e-3)


async def test_strangers_other_models_the_expired_and_the_distant_are_not_found(
    store: VectorsInOpenSearch,
) -> None:
    (row,) = rows_of(1)
    ours, other, old, far = items_of(np.asarray([row, row, row, -row]))
    other["model"], old["ttl"] = {"S": "another model"}, {"N": str(NOW)}
    await written(store, [ours, other, old, far, *items_of(row[None], "bert")])
    assert ["anna-00000"] == ids_of((await store.search("anna", row, count=10)).neighbours)
    assert [] == (await store.search("carl", row, count=10)).neighbours
    assert 1 == await store.forget_expired()
    assert 0 == await store.forget_expired()


async def test_a_vector_without_length_is_kept_and_near_nothing(store: VectorsInOpenSearch) -> None:
    await written(store, items_of(np.zeros((1, DIMENSIONS), dtype=np.float32)))
    assert [] == (await store.search("anna", rows_of(1)[0], threshold=-1.0)).neighbours
    assert () == (await store.search("anna", np.zeros(DIMENSIONS, dtype=np.float32))).neighbours
    assert 1 == (await store.api.call("GET", f"/{store.index}/_count"))["count"]


@pytest.mark.parametrize("question", [[1.0], [float("nan")] * DIMENSIONS])
async def test_a_question_that_is_no_vector_of_the_model_is_refused(
    store: VectorsInOpenSearch, question: list[float]
) -> None:
    with pytest.raises(BrokenVector, match="64 finite numbers"):
        await store.search("anna", question)


async def test_a_vector_of_another_length_is_refused_by_name(store: VectorsInOpenSearch) -> None:
    (item,) = items_of(rows_of(1))
    item["vector_compressed"] = Similarity(dimensions=3, model=MODEL).attributes([[1.0, 2.0, 3.0]])[0][
        "vector_compressed"
    ]
    with pytest.raises(PermanentFailure, match=r"(?i)dimension"):
        await store.put([item])


async def test_an_index_for_vectors_of_another_length_is_not_taken(store: VectorsInOpenSearch) -> None:
    await standing_index(store.api, store.index, dimensions=DIMENSIONS)
    with pytest.raises(PermanentFailure, match="dimension 64, the contract says dimension 32"):
        await standing_index(store.api, store.index, dimensions=32)


async def test_the_engine_without_native_libraries_is_chosen(search_api: OpenSearchApi) -> None:
    before = await search_api.call("GET", "/_cat/indices?format=json&h=index")
    assert "lucene" == await offered_engine(search_api, 1024)
    assert before == await search_api.call("GET", "/_cat/indices?format=json&h=index")
    assert {} == await search_api.call("GET", "/_index_template?filter_path=x")


@pytest.mark.parametrize("name", ["osmem", "opensearch_node", "opensearch3_node"])
async def test_a_server_without_the_plugin_is_refused_and_the_plugin_named(
    name: str, start_server: Servers
) -> None:
    server = start_server(name)
    async with OpenSearchApi(Endpoint(server.url, timeout=60.0, connections=1)) as api:
        before = [one.name for one in await our_indices(api)]
        with pytest.raises(ConfigurationError, match=r"has no k-NN .* needs the plugin opensearch-knn"):
            await standing_index(api, "vectors", dimensions=DIMENSIONS)
        assert before == [one.name for one in await our_indices(api)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_document_is_the_same_each_time_and_holds_every_bit_of_the_vector(codec: Codec) -> None:
    similarity = Similarity(dimensions=DIMENSIONS, model=MODEL, settings=SearchSettings(codec=codec))
    vectors = rows_of(20) * np.logspace(-30, 4, 20, dtype=np.float32)[:, None]
    for item, more in zip(items_of(vectors), similarity.attributes(vectors), strict=True):
        body = body_of(item | more)
        assert body == body_of(item | more)
        document = json.loads(body.splitlines()[1])
        vector = vector_of(item | more)
        if float(vector @ vector) == 0:
            assert "vector" not in document
        else:
            assert vector.tolist() == np.asarray(document["vector"], dtype=np.float32).tolist()


async def test_an_index_is_filled_from_the_table_and_a_second_time_changes_nothing(
    store: VectorsInOpenSearch, moto: RunningServer, table_name: str
) -> None:
    definitions = tables_of({word: f"{table_name}-{word}" for word in tables_of()})
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    items = items_of(rows_of(40))
    items[7]["vector_compressed"] = {"B": "AAAA"}
    async with dynamodb_api(moto.url, credentials=credentials) as api:
        await ensure_table(api, definitions["embeddings"])
        writer = TableWriter(api, definitions, rng=Random(1))
        for at in range(0, len(items), 20):
            await writer.put("items", {"embeddings": items[at : at + 20]})
        ledger = InMemoryLedger(time.monotonic)
        filling = Filling(
            reader=TableReader(api, definitions, rng=Random(1)),
            api=store.api,
            index=store.index,
            ledger=ledger,
            owner="a",
            date="2026-11-23",
            page=3,
        )
        first, second = await filling.fill(), await filling.fill()
    assert [39, 1] == [sum(one.new.written for one in first), sum(one.new.rejected for one in first)]
    assert [True] * 4 == [one.replayed for one in second]
    assert {STAGE} == {row.stage for row in ledger.status("conversations")}
    assert 39 == (await store.api.call("GET", f"/{store.index}/_count"))["count"]
    answer = await store.search("anna", rows_of(40)[3], count=1)
    assert ["anna-00003"] == ids_of(answer.neighbours)


async def test_documents_that_are_put_off_are_sent_again_and_refusals_end_it() -> None:
    later = faults.refused_items(429, "es_rejected_execution_exception", 1)
    never = faults.refused_items(400, "mapper_parsing_exception", 0)

    async def at_once(seconds: float) -> None: ...

    script = faults.in_order(later, faults.error("", status=503), None, never)
    async with FaultServer(indices=("i",), script=script) as server, opensearch_api(server.url) as api:
        store = VectorsInOpenSearch(
            api=api, index="i", dimensions=DIMENSIONS, model=MODEL, wall=float, sleep=at_once
        )
        items = items_of(rows_of(2))
        await store.put(items)
        assert {"anna-00000", "anna-00001"} == server.indices.documents["i"].keys()
        with pytest.raises(PermanentFailure, match="index i: mapper_parsing_exception"):
            await store.put(items)
