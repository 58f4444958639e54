"""Rows of marketplace exports for tests: headers as they come, rows from a few words, files of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

HEADER = (
    "No",
    "Waktu Pesanan Terbuat",
    "Status",
    "Kode Pesanan",
    "Kode Transaksi",
    "SKU",
    "Nama Produk",
    "Harga",
    "Qty",
    "Total Harga",
    "Biaya Lainnya",
    "Biaya Mitra Jakmall",
    "Total Transaksi",
    "Harga Channel",
    "Total Harga Channel",
    "Potensi Keuntungan",
    "Dibuat Oleh",
    "Jenis Channel",
    "Nama Toko",
    "Kode Invoice Channel",
    "Gudang",
    "Ekspedisi",
    "Cashless",
    "Resi",
    "Waktu Pengiriman",
    "Provinsi",
    "Kota",
)

SELLER_HEADER = (
    "Seller Username",
    "Waktu Pesanan Terbuat",
    "Kode Transaksi",
    "Kode Pesanan",
    "Nama Penerima",
    "SKU",
    "Nama Produk",
    "Harga",
    "Qty",
    "Total Harga",
    "Biaya Lainnya",
    "Biaya Mitra Jakmall",
    "Total Transaksi",
    "Harga Channel",
    "Total Harga Channel",
    "Potensi Keuntungan",
    "Status Pesanan Terakhir",
    "Jenis Channel",
    "Nama Toko",
    "Kode Invoice Channel",
)

DOMAIN_ROW = (
    '1,"01 January 2025, 10:00:00",selesai,PS-200,TRX1,SKU1,ProdukA,15.75,2,31.50,1,0.5,33.0,15.75,31.50,2.0,'
    'user,online,MyShop,INV1,GudangA,JNE,Ya,RESI1,"02 January 2025, 10:00:00",Jawa,Bandung'
)
"""As the domain page shows it."""

GOOD = dict(zip(HEADER, next(csv.reader([DOMAIN_ROW])), strict=True)) | {
    "Seller Username": "seller",
    "Nama Penerima": "Budi",
    "Status Pesanan Terakhir": "selesai",
}


def row(**words: str) -> dict[str, str]:
    """A good row with other words in some columns: ``row(Kode_Pesanan="PS-1", SKU="A")``."""
    return GOOD | {name.replace("_", " "): text for name, text in words.items()}


def file_of(
    rows: Iterable[Mapping[str, str]],
    *,
    header: Iterable[str] = HEADER,
    delimiter: str = ",",
    newline: str = "\r\n",
    encoding: str = "utf-8",
) -> bytes:
    """A whole file."""
    columns, out = list(header), io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows([one[name] for name in columns] for one in rows)
    return out.getvalue().encode(encoding)
