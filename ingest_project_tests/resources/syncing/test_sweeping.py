"""What a killed reader has stored and not counted is gone when its slice is through, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import SourceFile
from ingest_project.core.syncing import DONE, FULL, Landed, SliceClaim
from ingest_project.resources.syncing.cutting import Grid
from ingest_project.resources.syncing.landing import Draft, PageStore
from ingest_project.sinks.objects import FolderObjects
from ingest_project.sources.local_files import LocalFiles
from ingest_project.testing.faults import Killed
from ingest_project_tests.resources.syncing.scenes import delivered
from ingest_project_tests.resources.syncing.warehouse import DATE, Losses, Shelf, Warehouse, short

ALIEN = "pages/allocation/2026-01-01/00000001-full/0000/000000-1.jsonl.zst.copy"
ELSEWHERE = "pages/allocation/2026-01-01/00000002-full/0000/000007-1.jsonl.zst"


class Watched(Shelf):
    """A medium that counts listings and can refuse deletions."""

    def __init__(self, refuse: bool = False) -> None:
        super().__init__()
        self.listings, self._refuse = 0, refuse

    def children(self, prefix: str) -> Iterator[str]:
        self.listings += 1
        return super().children(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        if self._refuse and list(keys):
            raise PermanentFailure("AccessDenied")
        super().delete(keys)


class Deadly(PageStore):
    """Its reader is killed behind the first object: it lies there, and nobody counted it."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, shelf.stat)

    def put(self, claim: SliceClaim, draft: Draft) -> Landed:
        super().put(claim, draft)
        raise Killed


@pytest.fixture
def house(tmp_path: Path) -> Warehouse:
    """A warehouse whose full sync is one slice."""
    made = Warehouse(tmp_path, rows=200)
    made.settings = short(made.settings, grid=Grid(pieces=1))
    return made


async def killed(house: Warehouse, shelf: Shelf) -> None:
    """Begin a full sync; its reader dies with an object that nobody counts."""
    house.shelf, store = shelf, PageStore(shelf, shelf.stat)
    await house.syncer().plan_sync(FULL, DATE)
    house.store = Deadly(shelf)
    with pytest.raises(Killed):
        await house.syncer().read_slices(DATE)
    house.store = store
    assert (1, []) == (len(shelf.objects), house.landed())


async def test_an_object_that_nobody_counted_is_deleted_before_its_slice_is_through(house: Warehouse) -> None:
    shelf = Watched()
    await killed(house, shelf)
    for key in (ALIEN, ELSEWHERE):
        shelf.put(key, b"not ours")
    (outcome,) = await house.syncer().read_slices(DATE)
    assert (DONE, 1, 1) == (outcome.state, shelf.listings, shelf.deleted)
    others = {f"{shelf.name}/{key}" for key in (ALIEN, ELSEWHERE)}
    assert {one.uri for one in house.landed()} == shelf.objects.keys() - others
    assert others <= shelf.objects.keys()
    assert 200 == sum(one.rows for one in house.landed())
    assert Losses(missing=0, stale=0, resurrected=0) == delivered(house)


async def test_a_sync_that_nobody_disturbed_lists_nothing(house: Warehouse) -> None:
    house.shelf = shelf = Watched()
    house.store = PageStore(shelf, shelf.stat)
    await house.sync(FULL)
    assert (0, 0) == (shelf.listings, shelf.deleted)


async def test_a_store_that_deletes_nothing_fails_no_slice(house: Warehouse) -> None:
    shelf = Watched(refuse=True)
    await killed(house, shelf)
    (outcome,) = await house.syncer().read_slices(DATE)
    assert (DONE, 0) == (outcome.state, shelf.deleted)
    assert len(house.landed()) + 1 == len(shelf.objects)


async def test_where_what_landed_is_not_found_nothing_is_deleted(house: Warehouse) -> None:
    shelf = Shelf()
    await killed(house, shelf)
    await house.syncer().read_slices(DATE)
    first, *rest = house.landed()
    part = first.slice
    del shelf.objects[first.uri]
    assert 0 == house.store.sweep(part, house.landed())
    assert 1 == house.store.sweep(part, rest[1:])
    assert {one.uri for one in rest[1:]} == shelf.objects.keys()


async def test_in_a_folder_as_well(tmp_path: Path, house: Warehouse) -> None:
    folder = tmp_path / "a store"
    house.store = PageStore(FolderObjects(folder), LocalFiles().stat)
    await house.sync(FULL)
    first, *rest = house.landed()
    assert 1 == house.store.sweep(first.slice, rest)
    found: set[SourceFile] = set(LocalFiles().files(folder.as_uri(), recursive=True))
    assert {one.uri for one in rest} == {file.uri for file in found}
