"""The fields that are known beforehand: what the mirror consists of where the API describes nothing.

n decimal, s text, i integer, b boolean, @ts timestamp, @d date; ids of relations and their keys as flattened.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CUSTOM = (
    "cust_date_1:s@d cust_date_2:s@d cust_date_3:s@d cust_date_4:s@d cust_date_5:s@d cust_decimal_1:n "
    "cust_decimal_2:n cust_decimal_3:n cust_decimal_4:n cust_decimal_5:n cust_field_1:s cust_field_2:s "
    "cust_field_3:s cust_field_4:s cust_field_5:s cust_long_text_1:s cust_long_text_2:s cust_long_text_3:s "
    "cust_number_1:i cust_number_2:i cust_number_3:i cust_number_4:i cust_number_5:i cust_short_text_1:s "
    "cust_short_text_10:s cust_short_text_11:s cust_short_text_12:s cust_short_text_2:s cust_short_text_3:s "
    "cust_short_text_4:s cust_short_text_5:s cust_short_text_6:s cust_short_text_7:s cust_short_text_8:s "
    "cust_short_text_9:s "
)
_COMMON = "create_ts:s@ts create_user:s id:i mod_ts:s@ts mod_user:s url:s status_id:s "

_LISTS = {
    "allocation": _COMMON
    + "alloc_qty:n alloc_uom_id:s cartonize_uom_id:s final_oblpn_nbr:s from_inventory_id:s is_picking_flg:b "
    "mhe_system_id:s ob_lpn_type_id:s order_dtl_id:s packed_qty:n pick_locn_str:s pick_user:s "
    "picked_ts:s@ts task_id:s task_seq_nbr:i to_inventory_id:s type_id:s wave_id:s type_key:s "
    "from_inventory_key:s order_dtl_key:s cartonize_uom_key:s alloc_uom_key:s to_inventory_key:s",
    "order_hdr": _COMMON
    + _CUSTOM
    + "billto_carrier_account_nbr:s carrier_account_nbr:s currency_code:s cust_addr:s cust_addr2:s "
    "cust_addr3:s cust_city:s cust_contact:s cust_country:s cust_email:s cust_name:s cust_nbr:s "
    "cust_phone_nbr:s cust_state:s cust_zip:s customer_po_nbr:s customer_po_type:s customer_vendor_code:s "
    "customs_broker_contact_id:s dest_dept_nbr:s dest_facility_id:s destination_company_id:s "
    "duties_carrier_account_nbr:s duties_payment_method_id:s erp_source_hdr_ref:s erp_source_system_ref:s "
    "exp_date:s@d external_route:s externally_planned_load_flg:b gift_msg:s group_ref:s "
    "host_allocation_nbr:s lpn_type_class:s ob_lpn_type:s ob_lpn_type_id:s ord_date:s@d order_dtl_set:s "
    "order_instructions_set:s order_lock_set:s order_nbr:s order_nbr_to_replace:s order_shipped_ts:s@ts "
    "order_type_id:s orig_sale_price:n orig_sku_count:i payment_method_id:s priority:i "
    "record_origin_code:s ref_nbr:s req_ship_date:s@d route_nbr:s sales_channel:s sales_order_nbr:s "
    "sched_ship_date:s@d ship_via_id:s ship_via_ref_code:s shipto_addr:s shipto_addr2:s shipto_addr3:s "
    "shipto_city:s shipto_contact:s shipto_country:s shipto_email:s shipto_facility_id:s shipto_name:s "
    "shipto_phone_nbr:s shipto_state:s shipto_zip:s spl_instr:s stage_location_id:s start_ship_date:s@d "
    "stop_ship_date:s@d stop_ship_flg:b tms_order_hdr_ref:s tms_parcel_shipment_nbr:s "
    "total_orig_ord_qty:n vas_group_code:s work_order_kit_id:s order_dtl_set_count:i "
    "order_dtl_set_total:i company_id:i facility_id:i order_type_key:s destination_company_key:s "
    "facility_key:s order_instructions_set_count:i order_dtl_set_filter_params:s company_key:s",
    "order_dtl": _COMMON
    + _CUSTOM
    + "alloc_qty:n batch_number_id:s cost:n dest_facility_attr_a:s dest_facility_attr_b:s "
    "dest_facility_attr_c:s erp_fulfillment_line_ref:i erp_source_line_ref:s erp_source_shipment_ref:s "
    "externally_planned_load_nbr:s host_ob_lpn_nbr:s internal_text_field_1:s invn_attr_id:s item_id:s "
    "lock_code:s max_shipping_tolerance_percentage:n min_shipping_tolerance_percentage:n "
    "ob_lpn_type_id:s ord_qty:n order_dtl_original_seq_nbr:i order_id:s order_instructions_set:s "
    "ordered_uom_id:s ordered_uom_qty:n orig_item_code:s orig_ord_qty:n orig_order_ref_id:s "
    "planned_parcel_shipment_nbr:s po_nbr:s ref_nbr_1:s req_cntr_nbr:s req_pallet_nbr:s "
    "required_serial_nbr_set:s sale_price:n seq_nbr:i serial_nbr:s ship_request_line:s shipment_nbr:s "
    "spl_instr:s unit_declared_value:n uom_id:s vas_activity_code:s voucher_amount:n "
    "voucher_exp_date:s@d voucher_nbr:s voucher_print_count:i invn_attr_key:s uom_key:s order_key:s "
    "ordered_uom_key:s item_key:s required_serial_nbr_set_count:i order_instructions_set_count:i",
}


def _fields(text: str) -> Mapping[str, str]:
    return MappingProxyType({name: word for name, _, word in (one.partition(":") for one in text.split())})


KNOWN: Mapping[str, Mapping[str, str]] = {entity: _fields(text) for entity, text in _LISTS.items()}
"""Entity of the API -> field -> its letter and, behind a sign, what a text is of."""

ENTITIES = tuple(KNOWN)
