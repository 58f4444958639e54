"""Advice: each rule speaks when it should and is silent otherwise."""

from __future__ import annotations

import pytest

from ingest_project.core.advising import GIB, MIB, Facts, advise

PLAIN = Facts(files=4, bytes=40 * MIB, largest=10 * MIB, chunks=4, workers=2, cores=2, free_bytes=4 * GIB)


def facts(**words: float) -> Facts:
    values = {name: getattr(PLAIN, name) for name in PLAIN.__slots__}
    return Facts(**{**values, **words})


def test_an_ordinary_load_needs_no_advice() -> None:
    assert () == advise(PLAIN)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"files": 0, "bytes": 0, "largest": 0}, "no file"),
        ({"files": 500, "chunks": 500}, "500 files of 82 KiB on average"),
        ({"bytes": 6 * GIB, "largest": 5 * GIB}, "One file has 5.0 GiB of 6.0 GiB"),
        ({"bytes": 6 * GIB, "largest": 5 * GIB, "largest_packed": True, "packed": 1}, "cannot be cut"),
        ({"files": 1, "packed": 1, "chunks": 1}, "fewer of them than workers"),
        ({"chunks": 1}, "2 workers share 1 chunk: 1 would do"),
        ({"workers": 4}, "4 workers on 2 cores"),
        ({"cores": 8, "chunks": 40, "bytes": 9 * GIB}, "take --workers 8"),
        ({"free_bytes": 100 * MIB}, "330.0 MiB of memory may be needed, 100.0 MiB are free"),
        ({"rejected_share": 0.02}, "2.0% of the sample would be rejected"),
    ],
)
def test_each_cause_has_its_advice(words: dict[str, float], says: str) -> None:
    assert any(says in text for text in advise(facts(**words)))


def test_what_nobody_knows_gives_no_advice() -> None:
    assert () == advise(facts(cores=0, free_bytes=0, chunks=0))
