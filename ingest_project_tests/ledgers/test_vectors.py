"""Vectors in the ledger: found by model and text, the first one kept."""

from __future__ import annotations

from pathlib import Path

from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.encoders.cached import CachedEncoder
from ingest_project.resources.encoders.hashing import HashingEncoder


def test_vectors_are_found_by_model_and_text_and_the_first_one_stays(tmp_path: Path) -> None:
    ledger = SqlDocumentLedger(tmp_path / "ledger.db")
    ledger.vectors.keep("m", {"a": b"1", "b": b"2"})
    ledger.vectors.keep("m", {"a": b"3", "c": b"4"})
    ledger.vectors.keep("m", {})
    assert {"a": b"1", "c": b"4"} == ledger.vectors.find("m", ["a", "c", "d"])
    assert {} == ledger.vectors.find("n", ["a"]) == ledger.vectors.find("m", [])
    ledger.close()


def test_a_vector_comes_back_bit_for_bit(tmp_path: Path) -> None:
    ledger = SqlDocumentLedger(tmp_path / "ledger.db")
    texts = [f"lei {number}" for number in range(100)]
    CachedEncoder(HashingEncoder(), ledger.vectors).encode(texts)
    again = CachedEncoder(HashingEncoder(), ledger.vectors)
    assert HashingEncoder().encode(texts) == again.encode(texts)
    assert (100, 0) == (again.found, again.made)
    ledger.close()
