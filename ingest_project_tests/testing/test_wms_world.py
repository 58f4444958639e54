"""The warehouse over time: transactions that commit late, clocks that differ, batches, new fields."""

from __future__ import annotations

import pytest

from ingest_project.testing.wms_churn import Churn, Habit, SchemaChange
from ingest_project.testing.wms_fields import ENTITIES
from ingest_project.testing.wms_stamps import SECOND
from ingest_project.testing.wms_table import Row
from ingest_project.testing.wms_world import START, World
from ingest_project_tests.testing.warehouses import api_of, asked, everything, results

BUSY = Habit(inserts=0.05, updates=0.2, deletes=0.03, batch=40, batch_every=600, late=0.3, late_most=900)


def busy(seed: int, *, skew: tuple[float, ...] = (0, 4, -2.5), backwards: bool = False) -> World:
    world = World(rows=300, seed=seed, skew=skew, backwards=backwards)
    world.life = Churn(seed, BUSY, begin=world.now)
    return world


def state(world: World) -> dict[str, list[Row]]:
    return {name: list(world.truth(name)) for name in ENTITIES}


def test_one_seed_gives_one_history_however_time_passes() -> None:
    one, other, another = busy(1), busy(1), busy(2)
    one.advance(3600)
    for _ in range(360):
        other.advance(10)
    another.advance(3600)
    assert state(one) == state(other)
    assert state(one) != state(another)
    assert isinstance(one.life, Churn)
    assert all(one.life.done.values())


def test_a_late_commit_shows_a_row_whose_mod_ts_has_long_passed() -> None:
    world = World(rows=10)
    (new,) = world.insert("order_hdr", late=600)
    begun = world.now
    known = next(world.truth("order_hdr"))
    assert (known.id,) == world.update("order_hdr", [known.id], late=300)
    world.advance(299)
    assert (2, 10) == (world.pending, len(list(world.truth("order_hdr"))))
    assert known == world["order_hdr"].table.get(known.id)
    world.advance(1)
    assert Row(known.id, 1, begun) == world["order_hdr"].table.get(known.id)
    world.advance(300)
    assert Row(new, 1, begun, begun) == world["order_hdr"].table.get(new)


def test_a_row_that_an_open_transaction_holds_is_left_alone_by_others() -> None:
    world = World(rows=10)
    first, second = (row.id for row in list(world.truth("order_hdr"))[:2])
    world.update("order_hdr", [first], late=60)
    assert (second,) == world.update("order_hdr", [first, second])
    assert () == world.delete("order_hdr", [first])
    world.advance(60)
    assert (first,) == world.delete("order_hdr", [first])
    assert () == world.delete("order_hdr", [first])


def test_app_servers_differ_in_their_clocks_but_no_rows_mod_ts_goes_back_unless_asked() -> None:
    world = World(rows=10, skew=(0, 120, -30))
    row = next(world.truth("order_hdr")).id
    moments = []
    for server in (1, 0, 2):
        world.update("order_hdr", [row], server=server)
        moments.append((found := world["order_hdr"].table.get(row)) and found.modified - world.now)
    assert [120 * SECOND, 120 * SECOND + 1, 120 * SECOND + 2] == moments
    honest = World(rows=10, skew=(0, 120, -30), backwards=True)
    for server in (1, 2):
        honest.update("order_hdr", [row], server=server)
    found = honest["order_hdr"].table.get(row)
    assert found is not None
    assert -30 * SECOND == found.modified - honest.now


def test_app_servers_give_out_ids_from_blocks_of_their_own() -> None:
    world = World(rows=10)
    (first,), (other,), (second,) = (world.insert("order_hdr", server=server) for server in (0, 1, 0))
    assert (first + 1, first + 20) == (second, other)


def test_a_batch_job_gives_many_rows_one_mod_ts() -> None:
    world = World(rows=3000)
    world.life = Churn(1, {"order_hdr": Habit(batch=1800, batch_every=60, hot=0)}, begin=world.now)
    world.advance(60)
    changed = [row for row in world.truth("order_hdr") if row.version]
    assert 1250 < len(changed)
    assert {START + 60 * SECOND} == {row.modified for row in changed}


def test_a_settled_warehouse_has_no_open_transactions_and_stands_still() -> None:
    world = busy(3)
    world.advance(1800)
    assert world.pending
    world.settle()
    assert 0 == world.pending
    before = state(world)
    world.advance(10_000)
    assert before == state(world)


def test_ids_of_deleted_rows_never_come_back() -> None:
    world = busy(4)
    seen: set[int] = set()
    gone: set[int] = set()
    for _ in range(60):
        world.advance(120)
        now = {row.id for row in world.truth("order_hdr")}
        gone |= seen - now
        seen |= now
        assert not gone & now
    assert gone


def test_a_new_field_is_null_in_rows_that_were_not_changed_since() -> None:
    api = api_of(rows=20)
    row = next(api.world.truth("order_hdr")).id
    api.world.add_field("order_hdr", "cust_field_6", "string")
    api.world.update("order_hdr", [row], late=60)
    api.world.advance(60)
    said = {one["id"]: one["cust_field_6"] for one in everything(api)}
    assert [None] * 19 == [value for one, value in said.items() if one != row]
    assert "cust_field_6" in asked(api, "entity/order_hdr/describe/")[1]["fields"]
    assert said == {
        one["id"]: one["cust_field_6"] for one in results(api, cust_field_6__isnull="true", page_size=99)
    } | {row: said[row]}


def test_a_field_changes_its_type_or_ends_at_a_moment() -> None:
    api = api_of(rows=20)
    changes = (
        SchemaChange(after=60, entity="order_hdr", name="priority", kind="string"),
        SchemaChange(after=120, entity="order_hdr", name="ref_nbr", kind=""),
        SchemaChange(after=30, entity="allocation", name="zone", kind="decimal", new=True),
    )
    api.world.life = Churn(1, Habit(), begin=api.world.now, changes=changes)

    def kinds() -> set[type]:
        return {type(row["priority"]) for row in everything(api)} - {type(None)}

    api.world.advance(59)
    assert {int} == kinds()
    assert "zone" in everything(api, "allocation")[0]
    api.world.advance(1)
    assert {str} == kinds()
    assert "ref_nbr" in everything(api)[0]
    api.world.advance(60)
    assert "ref_nbr" not in everything(api)[0]
    assert "string" == asked(api, "entity/order_hdr/describe/")[1]["fields"]["priority"]["type"]


@pytest.mark.parametrize("name", ["id", "mod_ts", "order_nbr", "nonsense"])
def test_what_says_which_row_it_is_cannot_change_its_type(name: str) -> None:
    with pytest.raises(ValueError, match=f"order_hdr has no field '{name}' that can change"):
        World(rows=1).change_type("order_hdr", name, "string")


def test_quantities_of_an_allocation_obey_the_domain() -> None:
    for row in everything(api_of(rows=300), "allocation"):
        assert 0 <= float(row["packed_qty"]) <= float(row["alloc_qty"])
        assert 0 < float(row["alloc_qty"])
