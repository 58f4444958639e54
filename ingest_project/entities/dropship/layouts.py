"""The headers that marketplace exports come with. Column names only; what the values mean is in contract."""

from __future__ import annotations

from ingest_project.core.layouts import Layout

AMOUNTS = (
    "harga",
    "total_harga",
    "biaya_lainnya",
    "biaya_mitra_jakmall",
    "total_transaksi",
    "harga_channel",
    "total_harga_channel",
    "potensi_keuntungan",
)
"""Columns of money."""

_COMMON = (
    "waktu_pesanan_terbuat",
    "status",
    "kode_pesanan",
    "kode_transaksi",
    "sku",
    "nama_produk",
    "qty",
    *AMOUNTS,
    "jenis_channel",
    "nama_toko",
    "kode_invoice_channel",
)
_STATUS = {"status pesanan terakhir": "status", "status pesanan": "status"}

FULL = Layout(
    name="lines-27",
    required=(
        *_COMMON,
        "dibuat_oleh",
        "gudang",
        "ekspedisi",
        "cashless",
        "resi",
        "waktu_pengiriman",
        "provinsi",
        "kota",
    ),
    optional=("no",),
    aliases=_STATUS,
)
"""27 columns; the running number is not needed."""

SELLER = Layout(name="lines-20", required=("seller_username", *_COMMON, "nama_penerima"), aliases=_STATUS)
"""20 columns, from the seller's account: no shipping, but buyer and seller."""

LAYOUTS = (FULL, SELLER)
