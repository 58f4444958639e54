"""PartStoreLaws: the rules of ports.PartStore as a test class that every part store's tests inherit."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Chunk, PartInfo
from ingest_project.core.ports import PartStore
from ingest_project.testing.samples import key_hash, sample_chunk

NASTY = b'{"Item":{"id":{"S":"\xc3\xa9\\n\\u0000 \xf0\x9f\x98\x80"},"n":{"N":"1.0"}}}'


def store_part(
    store: PartStore, chunk: Chunk, number: int, first: int, lines: Sequence[bytes], *, salt: str = ""
) -> PartInfo:
    """Write one part whose hashes and offsets follow from the ordinals."""
    info = PartInfo(number=number, first=first, records=len(lines), bytes=sum(map(len, lines)))
    ordinals = range(first, first + len(lines))
    hashes = [key_hash((salt, ordinal)) for ordinal in ordinals]
    store.write(chunk, info, packed(store, lines), hashes, [7 * ordinal for ordinal in ordinals])
    return info


def packed(store: PartStore, lines: Sequence[bytes]) -> bytes:
    """The lines as the store wants them; they come in two steps."""
    draft = store.draft()
    draft.add(lines[:2])
    draft.add(lines[2:])
    assert len(lines) == len(draft)
    return draft.finish()


def entries_of(store: PartStore, chunk: Chunk, info: PartInfo) -> list[bytes]:
    return [run[at : at + 24] for run in store.key_entries(chunk, info) for at in range(0, len(run), 24)]


def lines_of(store: PartStore, chunk: Chunk, info: PartInfo) -> list[bytes]:
    return [bytes(line) for block in store.lines(chunk, info) for line in block]


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b'{"Item":{"id":{"S":"%d"}}}' % ordinal for ordinal in range(first, first + count)]


class PartStoreLaws:
    """An adapter overrides ``store`` with an empty part store."""

    chunk = sample_chunk()

    @pytest.fixture
    def store(self) -> PartStore:
        raise NotImplementedError("override the fixture `store`: an empty part store")

    def test_lines_come_back_byte_for_byte_and_in_order(self, store: PartStore) -> None:
        lines = [*numbered(1500), NASTY, b"{}", *numbered(3, 2000)]
        info = store_part(store, self.chunk, 0, 0, lines)
        assert lines == lines_of(store, self.chunk, info)
        assert lines == lines_of(store, self.chunk, info)

    def test_a_large_line_comes_back_whole(self, store: PartStore) -> None:
        lines = [b"{}", b'{"a":"' + b"x" * 400_000 + b'"}', b"{}"]
        info = store_part(store, self.chunk, 0, 0, lines)
        assert lines == lines_of(store, self.chunk, info)

    def test_lines_come_in_blocks_and_not_one_by_one(self, store: PartStore) -> None:
        info = store_part(store, self.chunk, 0, 0, numbered(2000))
        sizes = [len(block) for block in store.lines(self.chunk, info)]
        assert sum(sizes) == 2000
        assert min(sizes) > 0
        assert len(sizes) < 2000

    def test_the_manifest_is_what_was_published(self, store: PartStore) -> None:
        infos = [
            store_part(store, self.chunk, 0, 0, numbered(4)),
            store_part(store, self.chunk, 1, 4, numbered(3, 4)),
        ]
        store.publish(self.chunk, infos)
        assert infos == list(store.parts(self.chunk))
        expected = numbered(7)
        assert expected == [line for info in infos for line in lines_of(store, self.chunk, info)]

    def test_an_unpublished_chunk_is_missing_by_name(self, store: PartStore) -> None:
        store_part(store, self.chunk, 0, 0, numbered(4))
        with pytest.raises(TargetMissing, match=self.chunk.id):
            store.parts(self.chunk)

    def test_a_chunk_without_records_is_published_empty(self, store: PartStore) -> None:
        store.publish(self.chunk, ())
        assert list(store.parts(self.chunk)) == []

    def test_a_part_written_twice_is_there_once_as_written_last(self, store: PartStore) -> None:
        store_part(store, self.chunk, 0, 0, numbered(9), salt="old")
        info = store_part(store, self.chunk, 0, 0, numbered(4), salt="new")
        store.publish(self.chunk, [info])
        assert numbered(4) == lines_of(store, self.chunk, info)
        assert len(entries_of(store, self.chunk, info)) == 4

    def test_publishing_again_replaces_the_manifest(self, store: PartStore) -> None:
        infos = [store_part(store, self.chunk, number, 2 * number, numbered(2)) for number in range(3)]
        store.publish(self.chunk, infos)
        store.publish(self.chunk, infos[:2])
        assert infos[:2] == list(store.parts(self.chunk))

    def test_chunks_do_not_see_each_other(self, store: PartStore) -> None:
        other = sample_chunk("b")
        info = store_part(store, self.chunk, 0, 0, numbered(2))
        foreign = store_part(store, other, 0, 0, numbered(2, 50))
        store.publish(self.chunk, [info])
        assert numbered(2) == lines_of(store, self.chunk, info)
        assert numbered(2, 50) == lines_of(store, other, foreign)
        with pytest.raises(TargetMissing):
            store.parts(other)

    def test_every_record_keeps_its_source_offset(self, store: PartStore) -> None:
        store_part(store, self.chunk, 0, 0, numbered(10))
        info = store_part(store, self.chunk, 1, 10, numbered(5, 10))
        expected = [7 * ordinal for ordinal in range(10, 15)]
        assert expected == [store.offset(self.chunk, info, ordinal) for ordinal in range(10, 15)]

    def test_an_offset_beyond_four_gigabytes_survives(self, store: PartStore) -> None:
        info = PartInfo(number=0, first=0, records=1, bytes=2)
        store.write(self.chunk, info, packed(store, [b"{}"]), [key_hash(1)], [5_000_000_000])
        assert store.offset(self.chunk, info, 0) == 5_000_000_000

    def test_key_entries_ascend_and_carry_the_ordinal_in_the_chunk(self, store: PartStore) -> None:
        info = store_part(store, self.chunk, 3, 100, numbered(3000, 100))
        expected = sorted(key_hash(("", n)) + n.to_bytes(8, "big") for n in range(100, 3100))
        assert expected == entries_of(store, self.chunk, info)

    def test_one_key_twice_in_a_part_gives_both_entries_by_ordinal(self, store: PartStore) -> None:
        info = PartInfo(number=0, first=10, records=3, bytes=6)
        same, other = b"\x00" * 16, b"\xff" * 16
        store.write(self.chunk, info, packed(store, [b"{}"] * 3), [same, other, same], [0, 2, 4])
        tails = [(same, 10), (same, 12), (other, 11)]
        expected = [key + ordinal.to_bytes(8, "big") for key, ordinal in tails]
        assert expected == entries_of(store, self.chunk, info)

    def test_writing_tells_the_stored_bytes(self, store: PartStore) -> None:
        info = PartInfo(number=0, first=0, records=1, bytes=len(NASTY))
        assert store.write(self.chunk, info, packed(store, [NASTY]), [key_hash(1)], [0]) > 0

    def test_the_store_has_a_name(self, store: PartStore) -> None:
        assert store.identity
        assert store.identity == store.identity
