"""What the simulated warehouse's entities consist of: fields with their types, and what describe says.

Data and its reading; no rows, no requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

INTEGER, STRING, DECIMAL, BOOLEAN, TIMESTAMP, DATE = (
    "integer",
    "string",
    "decimal",
    "boolean",
    "datetime",
    "date",
)
RELATION, SET = "relation", "set"
TYPES = (INTEGER, STRING, DECIMAL, BOOLEAN, TIMESTAMP, DATE, RELATION, SET)

_COMMON = "id:i url:s create_user:s create_ts:t mod_user:s mod_ts:t"
_SHORT = {
    "i": INTEGER,
    "s": STRING,
    "n": DECIMAL,
    "b": BOOLEAN,
    "t": TIMESTAMP,
    "d": DATE,
    "r": RELATION,
    "q": RELATION,
    "c": SET,
}
_CUSTOM = (
    "cust_field_1-5:s cust_date_1-5:d cust_decimal_1-5:n cust_number_1-5:i cust_long_text_1-3:s "
    "cust_short_text_1-12:s "
)

_FIELDS = {
    "allocation": """
        order_dtl_id:r alloc_qty:n packed_qty:n status_id:i is_picking_flg:b wave_id:q
        alloc_uom_id:r cartonize_uom_id:r final_oblpn_nbr:s from_inventory_id:r mhe_system_id:q
        ob_lpn_type_id:q pick_locn_str:s pick_user:s picked_ts:t task_id:q task_seq_nbr:i
        to_inventory_id:r type_id:r
    """,
    "order_hdr": f"""
        facility_id:r company_id:r order_nbr:s status_id:i order_type_id:r total_orig_ord_qty:n
        order_dtl_set:c order_instructions_set:c order_lock_set:c billto_carrier_account_nbr:s
        carrier_account_nbr:s currency_code:s cust_addr:s cust_addr2:s cust_addr3:s cust_city:s
        cust_contact:s cust_country:s cust_email:s cust_name:s cust_nbr:s cust_phone_nbr:s
        cust_state:s cust_zip:s {_CUSTOM} customer_po_nbr:s customer_po_type:s
        customer_vendor_code:s customs_broker_contact_id:q dest_dept_nbr:s dest_facility_id:q
        destination_company_id:r duties_carrier_account_nbr:s duties_payment_method_id:q
        erp_source_hdr_ref:s erp_source_system_ref:s exp_date:d external_route:s
        externally_planned_load_flg:b gift_msg:s group_ref:s host_allocation_nbr:s lpn_type_class:s
        ob_lpn_type:s ob_lpn_type_id:q ord_date:d order_nbr_to_replace:s order_shipped_ts:t
        orig_sale_price:n orig_sku_count:i payment_method_id:q priority:i record_origin_code:s
        ref_nbr:s req_ship_date:d route_nbr:s sales_channel:s sales_order_nbr:s sched_ship_date:d
        ship_via_id:q ship_via_ref_code:s shipto_addr:s shipto_addr2:s shipto_addr3:s shipto_city:s
        shipto_contact:s shipto_country:s shipto_email:s shipto_facility_id:q shipto_name:s
        shipto_phone_nbr:s shipto_state:s shipto_zip:s spl_instr:s stage_location_id:q
        start_ship_date:d stop_ship_date:d stop_ship_flg:b tms_order_hdr_ref:s
        tms_parcel_shipment_nbr:s vas_group_code:s work_order_kit_id:q
    """,
    "order_dtl": f"""
        order_id:r seq_nbr:i status_id:i ord_qty:n alloc_qty:n orig_ord_qty:n
        order_instructions_set:c required_serial_nbr_set:c item_id:r uom_id:r ordered_uom_id:r
        ordered_uom_qty:n batch_number_id:q cost:n {_CUSTOM} dest_facility_attr_a:s
        dest_facility_attr_b:s dest_facility_attr_c:s erp_fulfillment_line_ref:i
        erp_source_line_ref:s erp_source_shipment_ref:s externally_planned_load_nbr:s
        host_ob_lpn_nbr:s internal_text_field_1:s invn_attr_id:r lock_code:s
        max_shipping_tolerance_percentage:n min_shipping_tolerance_percentage:n ob_lpn_type_id:q
        order_dtl_original_seq_nbr:i orig_item_code:s orig_order_ref_id:q
        planned_parcel_shipment_nbr:s po_nbr:s ref_nbr_1:s req_cntr_nbr:s req_pallet_nbr:s
        sale_price:n serial_nbr:s ship_request_line:s shipment_nbr:s spl_instr:s
        unit_declared_value:n vas_activity_code:s voucher_amount:n voucher_exp_date:d voucher_nbr:s
        voucher_print_count:i
    """,
}

ENTITIES = tuple(_FIELDS)
"""The entities that have rows."""

ALSO_LISTED = ("company", "facility", "item", "location", "wave", "ib_shipment", "oblpn")
"""Entities that the list names and that have none here."""

_REQUIRED = frozenset(
    {"id", "url", "order_nbr", "facility_id", "company_id", "order_id", "order_dtl_id", "seq_nbr"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field as the API gives it.

    Attributes:
        kind: One of TYPES.
        required: Never null.
        seldom: Null in most rows.
    """

    name: str
    kind: str
    required: bool = False
    seldom: bool = False

    @property
    def max_length(self) -> int | None:
        """Characters of a string at most; no other type has it."""
        if self.kind != STRING:
            return None
        return 500 if "long_text" in self.name or self.name in ("gift_msg", "spl_instr") else 50

    def described(self) -> dict[str, object]:
        """What describe says of it."""
        said: dict[str, object] = {
            "type": self.kind,
            "required": "X" if self.required else "N",
            "default": None,
        }
        if self.kind == STRING:
            said |= {"allow_blank": not self.required, "max_length": self.max_length}
        if self.name == "status_id":
            said["choices"] = [
                [0, "Created"],
                [10, "Allocated"],
                [20, "Picked"],
                [90, "Shipped"],
                [99, "Cancelled"],
            ]
        return said


def fields_of(entity: str) -> tuple[Field, ...]:
    """The fields of an entity, in the order of its rows."""
    return tuple(_field(word) for word in _words(f"{_COMMON} {_FIELDS[entity]}"))


def renamed_kind(field: Field, kind: str) -> Field:
    """The same field of another type."""
    if kind not in TYPES:
        raise ValueError(f"unknown type {kind!r}; known: {', '.join(TYPES)}")
    return replace(field, kind=kind)


def description(fields: tuple[Field, ...]) -> Mapping[str, object]:
    """The whole answer of describe."""
    return {
        "parameters": [field.name for field in fields if field.kind != SET and field.name != "url"],
        "fields": {field.name: field.described() for field in fields},
    }


def _words(text: str) -> list[str]:
    """``name_1-3:s`` stands for three fields."""
    found = []
    for word in text.split():
        name, _, short = word.partition(":")
        stem, dash, last = name.partition("-")
        if not dash:
            found.append(word)
            continue
        stem, _, first = stem.rpartition("_")
        found += [f"{stem}_{number}:{short}" for number in range(int(first), int(last) + 1)]
    return found


def _field(word: str) -> Field:
    name, _, short = word.partition(":")
    seldom = short == "q" and name != "wave_id"
    required = name in _REQUIRED or name in ("create_ts", "mod_ts")
    return Field(name=name, kind=_SHORT[short], required=required, seldom=seldom)
