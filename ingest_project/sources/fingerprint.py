"""Fingerprint of a file's stored bytes: tells equal content apart from other content, and nothing more.

XXH3 of 128 bits: a guard against accident, not against forgery (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

import xxhash

PREFIX = "xxh3-128:"
"""Stands before the digits, so that fingerprints of another kind are never taken for equal."""


class Fingerprint:
    """Of all blocks that pass through ``over``, in order."""

    def __init__(self) -> None:
        self._hash = xxhash.xxh3_128()

    def over(self, blocks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Pass the blocks on, each one counted before it is used."""
        for block in blocks:
            self._hash.update(block)
            yield block

    @property
    def text(self) -> str:
        """Of what has passed so far: the prefix and 32 hex digits."""
        return PREFIX + self._hash.hexdigest()
