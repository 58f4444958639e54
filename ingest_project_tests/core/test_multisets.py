"""Multisets are compared bucket by bucket, whatever the order in which they were filled."""

from __future__ import annotations

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.multisets import Multiset

BUCKETS = 8
WORDS = st.lists(st.tuples(st.integers(0, BUCKETS - 1), st.sampled_from("abc")), max_size=20)
Words = list[tuple[int, str]]


def multiset(words: Words) -> Multiset:
    found = Multiset(BUCKETS)
    found.add((bucket, blake2b(word.encode(), digest_size=16).digest()) for bucket, word in words)
    return found


@given(words=WORDS, others=WORDS)
def test_they_differ_in_just_the_buckets_that_hold_something_else(words: Words, others: Words) -> None:
    expected = [
        bucket
        for bucket in range(BUCKETS)
        if sorted(word for at, word in words if at == bucket)
        != sorted(word for at, word in others if at == bucket)
    ]
    assert expected == multiset(words).differing(multiset(others))
    assert len(words) == multiset(words).total


def test_the_same_twice_is_not_nothing() -> None:
    assert [3] == multiset([(3, "a"), (3, "a")]).differing(multiset([]))
    assert [] == multiset([(3, "a"), (1, "b")]).differing(multiset([(1, "b"), (3, "a")]))
