"""SourceLaws: the rules of ports.Source as a test class that every source of files inherits (laws 3, 7, 9,
10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pytest

from ingest_project.core.errors import BadInput, SourceChanged
from ingest_project.core.model import Chunk, Position, RecordBatch, SourceFile
from ingest_project.core.planning import Binding, plan
from ingest_project.core.ports import Source
from ingest_project.testing.samples import sample_chunk


class Shelf(Protocol):
    """What the laws need beside the source: files to read."""

    @property
    def source(self) -> Source: ...

    def put(self, name: str, records: Sequence[bytes]) -> SourceFile:
        """Store a file with these JSON records, byte for byte, in place of what has this name."""
        ...

    def put_broken(self, name: str, records: Sequence[bytes]) -> SourceFile:
        """The same, but behind the last record stands something that cannot be."""
        ...


def records(count: int) -> list[bytes]:
    """JSON objects of growing size with hostile text inside."""
    return [
        b'{"id":"%d","n":%d.50,"t":"},{\\"id\\":\\u00e9 [\xc3\xa9]"%s}'
        % (number, number, b',"pad":"%s"' % (b"x" * (number * 37 % 900)))
        for number in range(count)
    ]


def chunks_of(shelf: Shelf, file: SourceFile, slots: int = 1) -> Sequence[Chunk]:
    binding = Binding(index=shelf.source.index(file), target="t", keys=sample_chunk().keys)
    made = plan(None, [binding], entity="messages", date="2026-01-01", slots=slots, min_chunk_bytes=1)
    return made.chunks


def read(shelf: Shelf, chunk: Chunk, after: Position | None = None) -> list[RecordBatch]:
    return list(shelf.source.read(chunk, after or Position()))


def raws(batches: list[RecordBatch]) -> list[bytes]:
    return [bytes(raw) for batch in batches for raw in batch.raws]


class SourceLaws:
    """An adapter overrides ``shelf``. ``count`` records should span several of its batches and marks."""

    count = 3000

    @pytest.fixture
    def shelf(self) -> Shelf:
        raise NotImplementedError("override the fixture `shelf`: a Shelf without files")

    def test_the_index_counts_what_is_there(self, shelf: Shelf) -> None:
        index = shelf.source.index(shelf.put("a", records(self.count)))
        assert (self.count, None) == (index.records, index.fault)
        assert index.marks[0].records == 0
        offsets = [mark.offset for mark in index.marks]
        assert offsets == sorted(set(offsets))
        assert index.marks[-1].offset < index.end <= index.length

    def test_equal_bytes_have_one_fingerprint(self, shelf: Shelf) -> None:
        first, second = shelf.put("a", records(9)), shelf.put("b", records(9))
        other = shelf.put("c", records(8))
        prints = [shelf.source.index(file).fingerprint for file in (first, second, other)]
        assert prints[0] == prints[1] != prints[2]

    def test_records_come_back_byte_for_byte_and_in_order(self, shelf: Shelf) -> None:
        (chunk,) = chunks_of(shelf, shelf.put("a", records(self.count)))
        batches = read(shelf, chunk)
        assert records(self.count) == raws(batches)
        assert [0, *(batch.after.ordinal for batch in batches)][:-1] == [batch.first for batch in batches]
        offsets = [offset for batch in batches for offset in batch.offsets]
        assert offsets == sorted(set(offsets))
        assert all(len(batch.raws) == len(batch.offsets) for batch in batches)
        assert len(batches) < self.count

    def test_offsets_point_at_the_record(self, shelf: Shelf) -> None:
        """A chunk that starts at a record's offset starts with that record."""
        file = shelf.put("a", records(self.count))
        (whole,) = chunks_of(shelf, file)
        places = [offset for batch in read(shelf, whole) for offset in batch.offsets]
        for chunk in chunks_of(shelf, file, slots=5):
            assert chunk.range.start in places

    @pytest.mark.parametrize("slots", [2, 5, 16])
    def test_chunks_read_apart_give_the_whole_file(self, shelf: Shelf, slots: int) -> None:
        chunks = chunks_of(shelf, shelf.put("a", records(self.count)), slots)
        assert len(chunks) > 1
        parts = [raws(read(shelf, chunk)) for chunk in chunks]
        assert records(self.count) == [record for part in parts for record in part]
        assert [chunk.records for chunk in chunks] == [len(part) for part in parts]

    def test_reading_goes_on_behind_any_batch_and_at_any_record(self, shelf: Shelf) -> None:
        for chunk in chunks_of(shelf, shelf.put("a", records(self.count)), slots=2):
            batches = read(shelf, chunk)
            everything = raws(batches)
            places = [batch.after for batch in batches[:: max(1, len(batches) // 7)]]
            places += [Position(1), Position(len(everything) // 2), batches[-1].after]
            for after in places:
                rest = read(shelf, chunk, after)
                assert everything[after.ordinal :] == raws(rest)
                assert not rest or rest[0].first == after.ordinal

    def test_a_file_with_other_bytes_is_noticed(self, shelf: Shelf) -> None:
        (chunk,) = chunks_of(shelf, shelf.put("a", records(20)))
        shelf.put("a", records(21))
        with pytest.raises(SourceChanged):
            read(shelf, chunk)

    def test_a_broken_file_gives_its_good_records_and_then_says_where(self, shelf: Shelf) -> None:
        file = shelf.put_broken("a", records(self.count))
        index = shelf.source.index(file)
        assert index.fault is not None
        assert self.count == index.records
        found: list[bytes] = []
        *good, last = chunks_of(shelf, file, slots=3)
        for chunk in good:
            found += raws(read(shelf, chunk))
        batches = shelf.source.read(last, Position())
        with pytest.raises(BadInput) as caught:
            found.extend(bytes(raw) for batch in batches for raw in batch.raws)
        assert records(self.count) == found
        assert (file.uri, index.fault.offset) == (caught.value.uri, caught.value.offset)
        assert caught.value.expected

    def test_a_file_without_records_is_no_error(self, shelf: Shelf) -> None:
        index = shelf.source.index(shelf.put("a", []))
        assert (index.records, index.fault) == (0, None)
