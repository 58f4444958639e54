"""IndexContract: what is wrong is refused where it is written, and named."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.indexing import (
    MOST_DEPTH,
    Date,
    Field,
    Group,
    IndexContract,
    Keyword,
    ScaledFloat,
    Text,
    Value,
    Vector,
)


def test_a_contract_of_all_kinds_stands_and_travels_to_worker_processes() -> None:
    contract = IndexContract(
        fields={
            "id": Keyword(),
            "title": Text(analyzer="german", keyword=256),
            "own": Text(analyzer="shout", also={"plain": "standard"}, offsets=True),
            "score": Value(kind="rank_feature"),
            "day": Date(formats=("yyyy-MM-dd", "epoch_millis")),
            "price": ScaledFloat(factor=100),
            "meaning": Vector(dimensions=512),
            "lines": Group(nested=True, fields={"sku": Keyword(), "place": Value(kind="geo_point")}),
        },
        dynamic="strict",
        analysis={"analyzer": {"shout": {"tokenizer": "standard", "filter": ["uppercase"]}}},
        settings={"index.number_of_shards": 3, "index.sort.field": ("id", "day")},
    )
    assert contract == pickle.loads(pickle.dumps(contract))


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Value(kind="number"), "kind 'number' is none of"),
    (lambda: Keyword(longest=0), "longest must be 1 to"),
    (lambda: Keyword(longest=40_000), "longest must be 1 to"),
    (lambda: Text(keyword=-1), "keyword must be 0 to"),
    (lambda: Date(formats=("yyyy||MM",)), "formats must be single formats"),
    (lambda: ScaledFloat(factor=0), "factor must be above 0"),
    (lambda: ScaledFloat(factor=float("nan")), "factor must be above 0"),
    (lambda: Vector(dimensions=0), "dimensions must be 1 to 16000, not 0"),
    (lambda: Vector(dimensions=16_001), "dimensions must be 1 to 16000, not 16001"),
    (lambda: Vector(dimensions=1, engine="nmslib"), "engine 'nmslib' is none of lucene, faiss"),
    (lambda: Group(fields={}, dynamic="no"), "dynamic 'no' is none of"),
    (lambda: IndexContract(dynamic="runtime"), "dynamic 'runtime' is none of"),
    (lambda: IndexContract(malformed="drop"), "malformed 'drop' is none of"),
    (lambda: IndexContract(fields={"a.b": Keyword()}), "field 'a.b': not a field's name"),
    (lambda: IndexContract(fields={"": Keyword()}), "not a field's name"),
    (lambda: IndexContract(fields={"_id": Keyword()}), "field '_id': not a field's name"),
    (lambda: IndexContract(fields={"g": Group(fields={" x": Keyword()})}), "field 'g. x'"),
    (lambda: IndexContract(fields={"t": Text(analyzer="klingon")}), "field t: there is no analyzer"),
    (lambda: IndexContract(fields={"t": Text(also={"x": "klingon"})}), "field t: there is no analyzer"),
    (lambda: Text(also={"a.b": "standard"}), "not names below a field's"),
    (lambda: Text(also={"keyword": "standard"}, keyword=8), "not names below a field's"),
    (lambda: IndexContract(analysis={"analysers": {}}), "analysis has no analysers"),
    (lambda: IndexContract(settings={"number_of_shards": 3}), "must be index.<name>"),
    (lambda: IndexContract(settings={"index.mapping.ignore_malformed": True}), "say it with `malformed`"),
    (lambda: IndexContract(settings={"index.analysis.filter": "x"}), "say it with `analysis`"),
    (lambda: IndexContract(fields={str(n): Keyword() for n in range(2501)}), "2501 fields are declared"),
]


@pytest.mark.parametrize(("make", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_refused_and_named(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert said in str(caught.value)


def test_groups_in_each_other_have_an_end() -> None:
    field: Field = Keyword()
    for _ in range(MOST_DEPTH - 1):
        field = Group(fields={"g": field})
    IndexContract(fields={"g": field})
    with pytest.raises(ConfigurationError, match="more than 20 groups"):
        IndexContract(fields={"g": Group(fields={"g": field})})
