"""InMemoryPartStore and NullPartStore: where validated records lie in tests, and in a dry run nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Chunk, PartInfo
from ingest_project.core.ports import PartDraft

_Stored = tuple[list[bytes], list[bytes], list[int]]


class PlainDraft:
    """PartDraft: lines with a line break behind each."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, lines: Sequence[bytes]) -> None:
        self._lines += map(bytes, lines)

    def finish(self) -> bytes:
        return b"".join(line + b"\n" for line in self._lines)


class _Nothing:
    """PartDraft that keeps no more than the number of its lines."""

    def __init__(self) -> None:
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, lines: Sequence[bytes]) -> None:
        self._count += len(lines)

    def finish(self) -> bytes:
        return b""


class InMemoryPartStore:
    """PartStore double over dictionaries; blocks of three lines, so that every border shows up in tests."""

    def __init__(self, identity: str = "memory") -> None:
        self._identity = identity
        self.writes: list[tuple[str, int]] = []
        self._parts: dict[tuple[str, int], _Stored] = {}
        self._manifests: dict[str, tuple[PartInfo, ...]] = {}

    @property
    def identity(self) -> str:
        return self._identity

    def draft(self) -> PlainDraft:
        return PlainDraft()

    def write(
        self, chunk: Chunk, info: PartInfo, data: bytes, hashes: Sequence[bytes], offsets: Sequence[int]
    ) -> int:
        self.writes.append((chunk.id, info.number))
        self._parts[chunk.id, info.number] = (data.split(b"\n")[:-1], list(hashes), list(offsets))
        return len(data) + 24 * len(hashes)

    def publish(self, chunk: Chunk, parts: Sequence[PartInfo]) -> None:
        self._manifests[chunk.id] = tuple(parts)

    def parts(self, chunk: Chunk) -> Sequence[PartInfo]:
        try:
            return self._manifests[chunk.id]
        except KeyError:
            raise TargetMissing(f"chunk {chunk.id} was never published") from None

    def lines(self, chunk: Chunk, info: PartInfo) -> Iterator[Sequence[bytes]]:
        lines = self._parts[chunk.id, info.number][0]
        for start in range(0, len(lines), 3):
            yield lines[start : start + 3]

    def offset(self, chunk: Chunk, info: PartInfo, ordinal: int) -> int:
        return self._parts[chunk.id, info.number][2][ordinal - info.first]

    def key_entries(self, chunk: Chunk, info: PartInfo) -> Iterator[bytes]:
        hashes = self._parts[chunk.id, info.number][1]
        entries = sorted(
            key + ordinal.to_bytes(8, "big") for ordinal, key in enumerate(hashes, start=info.first)
        )
        for start in range(0, len(entries), 3):
            yield b"".join(entries[start : start + 3])


class NullPartStore:
    """PartStore that keeps nothing: validation counts and refuses, and writes nowhere."""

    identity = "none"

    def draft(self) -> PartDraft:
        return _Nothing()

    def write(
        self, chunk: Chunk, info: PartInfo, data: bytes, hashes: Sequence[bytes], offsets: Sequence[int]
    ) -> int:
        return 0

    def publish(self, chunk: Chunk, parts: Sequence[PartInfo]) -> None:
        return None

    def parts(self, chunk: Chunk) -> Sequence[PartInfo]:
        raise TargetMissing("a dry run stores no parts")

    def lines(self, chunk: Chunk, info: PartInfo) -> Iterator[Sequence[bytes]]:
        raise TargetMissing("a dry run stores no parts")

    def offset(self, chunk: Chunk, info: PartInfo, ordinal: int) -> int:
        raise TargetMissing("a dry run stores no parts")

    def key_entries(self, chunk: Chunk, info: PartInfo) -> Iterator[bytes]:
        raise TargetMissing("a dry run stores no parts")
