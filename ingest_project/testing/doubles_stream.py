"""ListStream: items from a list as an ItemStream, in blocks of a chosen size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest_project.core.model import ItemBlock, Position, Rejection


class ListStream:
    """ItemStream double.

    Args:
        entries: As in ItemBlock.
        hashes: Key hashes of the entries, when their keys may repeat.
        size: Entries of a block.
        fault: Raised behind the last entry.
        early: Start each reading this many entries before the place that the token names.
    """

    def __init__(
        self,
        entries: Sequence[bytes | Rejection | None],
        *,
        hashes: Sequence[bytes] = (),
        size: int = 7,
        fault: Exception | None = None,
        early: int = 0,
    ) -> None:
        self._entries, self._hashes, self._size = entries, hashes, size
        self._fault, self._early = fault, early

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        place = int(after.token) if after.token else 0
        first = max(0, place - self._early)
        while first < len(self._entries):
            end = first + self._size
            entries = self._entries[first:end]
            yield ItemBlock(
                first=first,
                entries=entries,
                hashes=self._hashes[first:end],
                token=str(first),
                plain=all(isinstance(entry, bytes) for entry in entries),
            )
            first = end
        if self._fault is not None:
            raise self._fault

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=10 * ordinal, reason=reason, raw=body)
