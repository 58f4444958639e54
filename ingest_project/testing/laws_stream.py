"""StreamLaws: the rules of ports.ItemStream as a test class that every item stream's tests inherit (law
3)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ingest_project.core.errors import BadInput
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.core.ports import ItemStream

Entry = bytes | Rejection | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCase:
    """A stream over known items.

    Attributes:
        entries: What it must give, from the first to the last.
        broken: The input has a fault behind the last item.
    """

    stream: ItemStream
    entries: list[Entry]
    broken: bool = False


def blocks_of(case: StreamCase, after: Position) -> list[ItemBlock]:
    """All blocks; the fault, which must come if and only if the case is broken, is swallowed here."""
    blocks: list[ItemBlock] = []
    try:
        for block in case.stream.blocks(after):
            blocks.append(block)
    except BadInput:
        assert case.broken
    else:
        assert not case.broken
    return blocks


def entries_from(blocks: list[ItemBlock], ordinal: int) -> list[Entry]:
    """Entries from ``ordinal`` on; a stream may begin earlier, but not later, and leaves no hole."""
    found: list[Entry] = []
    expected = blocks[0].first if blocks else ordinal
    assert expected <= ordinal
    for block in blocks:
        assert expected == block.first
        expected += len(block.entries)
        found += block.entries[max(0, ordinal - block.first) :]
    return found


class StreamLaws:
    """An adapter overrides ``case``; its items should span several blocks."""

    @pytest.fixture
    def case(self) -> StreamCase:
        raise NotImplementedError("override the fixture `case`: a StreamCase")

    def test_everything_comes_in_order_without_a_hole(self, case: StreamCase) -> None:
        blocks = blocks_of(case, Position())
        assert case.entries == entries_from(blocks, 0)
        assert all(block.entries for block in blocks)

    def test_a_stream_can_be_read_again(self, case: StreamCase) -> None:
        first = blocks_of(case, Position())
        iterator = case.stream.blocks(Position())
        next(iterator, None)
        assert first == blocks_of(case, Position())

    def test_from_any_ordinal_the_rest_comes(self, case: StreamCase) -> None:
        for ordinal in range(len(case.entries) + 1):
            blocks = blocks_of(case, Position(ordinal))
            assert case.entries[ordinal:] == entries_from(blocks, ordinal)

    def test_from_any_ordinal_with_its_blocks_token_the_rest_comes(self, case: StreamCase) -> None:
        for block in blocks_of(case, Position()):
            for ordinal in range(block.first + 1, block.first + len(block.entries) + 1):
                rest = blocks_of(case, Position(ordinal, block.token))
                assert case.entries[ordinal:] == entries_from(rest, ordinal)

    def test_a_plain_block_is_all_bytes(self, case: StreamCase) -> None:
        for block in blocks_of(case, Position()):
            assert not block.plain or all(isinstance(entry, bytes) for entry in block.entries)

    def test_hashes_are_one_each_or_none(self, case: StreamCase) -> None:
        for block in blocks_of(case, Position()):
            assert len(block.hashes) in (0, len(block.entries))

    def test_a_refused_item_becomes_a_dead_letter_with_its_place(self, case: StreamCase) -> None:
        for ordinal, entry in enumerate(case.entries):
            if isinstance(entry, bytes):
                letter = case.stream.rejection(ordinal, entry, "no reason")
                assert (ordinal, "no reason") == (letter.ordinal, letter.reason)
                assert letter.raw

    def test_rejections_carry_the_ordinal_of_their_place(self, case: StreamCase) -> None:
        for ordinal, entry in enumerate(case.entries):
            if isinstance(entry, Rejection):
                assert ordinal == entry.ordinal
