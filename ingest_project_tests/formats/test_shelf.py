"""How many texts are looked at to learn what they have in common."""

from __future__ import annotations

import pytest

from ingest_project.formats.shelf import SAMPLE_BYTES, SAMPLES, samples


@pytest.mark.parametrize(
    ("size", "count", "looked_at"),
    [(100, 3, 3), (100, 40, SAMPLES), (SAMPLE_BYTES // 4, 40, 4), (SAMPLE_BYTES + 1, 40, 1), (0, 0, 0)],
)
def test_fewer_texts_are_looked_at_where_they_are_long_but_one_always(
    size: int, count: int, looked_at: int
) -> None:
    texts = [b"x" * size for _ in range(count)]
    assert texts[:looked_at] == samples(texts)
