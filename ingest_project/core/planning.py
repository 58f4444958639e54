"""Files -> ChunkPlan: deterministic, bounded slots, and what is planned never moves (law 7). Reads no
file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest_project.core.model import Chunk, ChunkPlan, FileIndex, FileRange, KeySchema, Mark
from ingest_project.core.planning_codec import from_json, to_json

__all__ = ["MIN_CHUNK_BYTES", "Binding", "copies", "from_json", "plan", "to_json"]

MIN_CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One indexed file and the table its records are bound for."""

    index: FileIndex
    target: str
    keys: KeySchema


def plan(
    previous: ChunkPlan | None,
    files: Sequence[Binding],
    *,
    entity: str,
    date: str,
    slots: int = 16,
    min_chunk_bytes: int = MIN_CHUNK_BYTES,
    skip_copies: bool = False,
) -> ChunkPlan:
    """The plan of a date with these files in it.

    - A file that is planned already (same uri and etag) stays as it is; no chunk of it moves.
    - A uri with another etag replaces the old file: its chunks leave the plan, as their bytes are gone. What
      they wrote stays in the target, and the new file's records supersede it key by key. The new chunks go to
      the slot of the old file's fault, so that the partition that failed is the one that repairs it; to the
      slots of all its chunks when it had none.
    - New files are cut into chunks of max(min_chunk_bytes, new bytes / slots), on record starts; each goes to
      the slot that has the fewest bytes. A compressed file is one chunk. An empty good file has none.
    - The fault of a broken file is on its last chunk; broken before its first record, it gets an empty one.
    - A copy (same content and target under another name) is planned as any file: its records only supersede
      equal ones. ``skip_copies`` leaves it out; ``copies`` names it either way.

    In the plan, a file's index keeps only the marks at which it was cut.

    Args:
        previous: The date's plan so far; its number of slots holds.
        files: In any order; the result does not depend on it. One uri once.
    """
    before = previous or ChunkPlan(entity=entity, date=date, slots=slots)
    if slots < 1 or (before.entity, before.date) != (entity, date):
        known_as = f"{before.entity} {before.date}"
        raise ValueError(f"cannot plan {entity} {date} in {slots} slots on top of {known_as}")
    fresh = _fresh(before, files, copies(previous, files) if skip_copies else {})
    replaced = {binding.index.file.uri for binding in fresh}
    kept = [chunk for chunk in before.chunks if chunk.range.uri not in replaced]
    cut = _cut_all(before, fresh, min_chunk_bytes)
    gone = [chunk for chunk in before.chunks if chunk.range.uri in replaced]
    chunks = [*kept, *_packed(before.slots, kept, cut, gone)]
    indices = [index for index in before.files if index.file.uri not in replaced]
    indices += [_thinned(binding.index, cut) for binding in fresh]
    return replace(
        before,
        files=tuple(sorted(indices, key=lambda index: index.file.uri)),
        chunks=tuple(sorted(chunks, key=lambda chunk: chunk.order)),
    )


def copies(previous: ChunkPlan | None, files: Sequence[Binding]) -> Mapping[str, str]:
    """Files whose content is planned, or given here, under another name for the same target: uri -> that
    name."""
    targets = {chunk.range.uri: chunk.target for chunk in previous.chunks} if previous else {}
    named = {_identity(binding) for binding in files}
    seen: dict[tuple[str, str], str] = {}
    for index in previous.files if previous else ():
        uri = index.file.uri
        if uri in targets and not any(uri == name and index.file.etag != etag for name, etag in named):
            seen.setdefault((index.fingerprint, targets[uri]), uri)
    found: dict[str, str] = {}
    for binding in sorted(files, key=lambda binding: binding.index.file.uri):
        uri = binding.index.file.uri
        original = seen.setdefault((binding.index.fingerprint, binding.target), uri)
        if original != uri:
            found[uri] = original
    return found


def _fresh(before: ChunkPlan, files: Sequence[Binding], left_out: Mapping[str, str]) -> list[Binding]:
    """Files that are not in the plan as they are now, by name."""
    known = {(index.file.uri, index.file.etag) for index in before.files}
    fresh = {
        binding.index.file.uri: binding
        for binding in files
        if _identity(binding) not in known and binding.index.file.uri not in left_out
    }
    if len({_identity(binding) for binding in files}) != len({binding.index.file.uri for binding in files}):
        raise ValueError("one file is to be planned twice")
    return [fresh[uri] for uri in sorted(fresh)]


def _identity(binding: Binding) -> tuple[str, str]:
    return binding.index.file.uri, binding.index.file.etag


def _cut_all(before: ChunkPlan, fresh: Sequence[Binding], least: int) -> list[Chunk]:
    """Chunks of the new files; their slot is not decided yet."""
    total = sum(_bytes(binding.index) for binding in fresh)
    size = max(least, -(-total // before.slots), 1)
    return [chunk for binding in fresh for chunk in _cut(before, binding, size)]


def _cut(before: ChunkPlan, binding: Binding, size: int) -> Iterator[Chunk]:
    index = binding.index
    pieces = list(_pieces(index, max(1, min(before.slots, -(-_bytes(index) // size)))))
    for number, (first, end, records) in enumerate(pieces, start=1):
        yield Chunk(
            entity=before.entity,
            date=before.date,
            slot=0,
            target=binding.target,
            keys=binding.keys,
            range=FileRange(uri=index.file.uri, etag=index.file.etag, start=first.offset, end=end),
            shape=index.shape,
            compression=index.compression,
            records=records,
            before=first.records,
            fault=index.fault if number == len(pieces) else None,
        )


def _pieces(index: FileIndex, count: int) -> Iterator[tuple[Mark, int, int]]:
    """(first record, end, records) of about equal bytes, tiling [first mark, end) on marks."""
    if not index.records:
        if index.fault is not None:
            yield Mark(offset=index.end, records=0), index.end, 0
        return
    starts = _starts(index, 1 if index.compression else count)
    for mark, following in pairwise(starts):
        yield mark, following.offset, following.records - mark.records
    yield starts[-1], index.end, index.records - starts[-1].records


def _starts(index: FileIndex, count: int) -> list[Mark]:
    """The first mark, and for each further piece the mark nearest behind its even share."""
    first = index.marks[0]
    span = index.end - first.offset
    chosen, number = [first], 1
    for mark in index.marks[1:]:
        if number < count and mark.offset - first.offset >= span * number / count:
            chosen.append(mark)
            number = (mark.offset - first.offset) * count // span + 1
    return chosen


def _bytes(index: FileIndex) -> int:
    return index.end - index.marks[0].offset if index.marks else 0


def _packed(
    slots: int, kept: Sequence[Chunk], cut: Sequence[Chunk], gone: Sequence[Chunk]
) -> Iterator[Chunk]:
    """Largest first, each into the slot with the fewest bytes among those that its file may go to; ties go to
    fewer chunks, then the lower number."""
    load = [[0, 0, slot] for slot in range(slots)]
    homes = _homes(gone)
    for chunk in kept:
        load[chunk.slot][0] += _weight(chunk)
        load[chunk.slot][1] += 1
    for chunk in sorted(cut, key=lambda chunk: (-_weight(chunk), chunk.order)):
        slot = min(load[number] for number in homes.get(chunk.range.uri, range(slots)))
        slot[0] += _weight(chunk)
        slot[1] += 1
        yield replace(chunk, slot=slot[2])


def _homes(gone: Sequence[Chunk]) -> Mapping[str, set[int]]:
    """File -> slots of its chunks that are replaced; only of the broken one where there is one."""
    homes: dict[str, set[int]] = {}
    for chunk in sorted(gone, key=lambda chunk: chunk.fault is not None):
        if chunk.fault is not None:
            homes[chunk.range.uri] = {chunk.slot}
        else:
            homes.setdefault(chunk.range.uri, set()).add(chunk.slot)
    return homes


def _weight(chunk: Chunk) -> int:
    return chunk.range.end - chunk.range.start


def _thinned(index: FileIndex, cut: Sequence[Chunk]) -> FileIndex:
    starts = {chunk.range.start for chunk in cut if chunk.range.uri == index.file.uri}
    return replace(index, marks=tuple(mark for mark in index.marks if mark.offset in starts))
