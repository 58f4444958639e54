"""What comes beside the lines: settlements (income XLSX) and affiliate commissions (CSV), each with header,
contract and spec. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.core.entity import EntitySpec, Expectation
from ingest_project.core.layouts import Layout, Sheet
from ingest_project.core.model import Chunk, KeySchema
from ingest_project.core.ports import Admission
from ingest_project.entities.dropship.contract import needed, read
from ingest_project.entities.dropship.values import invoice, money
from ingest_project.formats.attribute_values import Value
from ingest_project.formats.csv_admission import RowAdmission

SETTLED = "total_penghasilan"
"""What the channel paid out for an order."""

INCOME_AMOUNTS = (SETTLED, "harga_asli_produk", "total_diskon_produk", "biaya_administrasi", "biaya_layanan")
INCOME = Layout(
    name="income",
    required=("no_pesanan", "tanggal_dana_dilepaskan", SETTLED),
    optional=(
        "no_pengajuan",
        "username_pembeli",
        "waktu_pesanan_dibuat",
        "metode_pembayaran_pembeli",
        *INCOME_AMOUNTS[1:],
    ),
    aliases={"order id": "no_pesanan", "total income": SETTLED, "total released amount": SETTLED},
)

COMMISSION = "pengeluaran_rp"
"""What a commission costs."""

COMMISSION_AMOUNTS = ("harga_rp", "nilai_pembelian_rp", "jumlah_pengembalian_rp", COMMISSION)
AFFILIATE = Layout(
    name="affiliate-39",
    required=("kode_pesanan", "kode_produk", "id_komisi_pesanan", COMMISSION),
    optional=(
        *("status_pesanan", "status_terverifikasi", "waktu_pesanan", "waktu_pesanan_selesai"),
        *("waktu_pesanan_terverifikasi", "nama_produk", "id_model", "l1_kategori_global"),
        *("l2_kategori_global", "l3_kategori_global", "kode_promo", "harga_rp", "jumlah"),
        *("nama_affiliate", "username_affiliate", "mcn_terhubung", "partner_promo", "jenis_promo"),
        *("nilai_pembelian_rp", "jumlah_pengembalian_rp", "tipe_pesanan"),
        *("estimasi_komisi_per_produk_rp", "estimasi_komisi_affiliate_per_produk_rp"),
        *("persentase_komisi_affiliate_per_produk", "estimasi_komisi_mcn_per_produk_rp"),
        *("persentase_komisi_mcn_per_produk", "estimasi_komisi_per_pesanan_rp"),
        *("estimasi_komisi_affiliate_per_pesanan_rp", "estimasi_komisi_mcn_per_pesanan_rp"),
        *("catatan_produk", "platform", "tingkat_komisi", "status_pemotongan"),
        *("metode_pemotongan", "waktu_pemotongan"),
    ),
)
_NOTHING = ("", "-")


def income_rule(row: Mapping[str, str]) -> dict[str, Value]:
    """One settlement; an order that is paid out on two days has two. Raises BadValue."""
    made: dict[str, Value] = {
        "no_pesanan": invoice(needed(row, "no_pesanan")),
        "tanggal_dana_dilepaskan": needed(row, "tanggal_dana_dilepaskan"),
    }
    return made | _rest(row, made, INCOME_AMOUNTS)


def commission_rule(row: Mapping[str, str]) -> dict[str, Value]:
    """One commission: of an order, a product and a commission id. Raises BadValue."""
    product, commission = needed(row, "kode_produk"), needed(row, "id_komisi_pesanan")
    made: dict[str, Value] = {
        "kode_pesanan": invoice(needed(row, "kode_pesanan")),
        "kode_produk": product,
        "id_komisi_pesanan": commission,
        "commission": f"{product}#{commission}",
    }
    return made | _rest(row, made, COMMISSION_AMOUNTS)


def _rest(row: Mapping[str, str], made: Mapping[str, Value], amounts: tuple[str, ...]) -> dict[str, Value]:
    """The other columns: amounts as numbers, all else as it stands; what is empty is left out."""
    found: dict[str, Value] = {}
    for name, text in row.items():
        if name not in made and text.strip() not in _NOTHING:
            found[name] = read(row, name, money) if name in amounts else text.strip()
    required = amounts[0] if SETTLED in amounts else amounts[-1]
    found[required] = read(row, required, money)
    return found


def income_admission(chunk: Chunk) -> Admission:
    """The contract of settlements."""
    return RowAdmission(chunk, income_rule)


def commission_admission(chunk: Chunk) -> Admission:
    """The contract of commissions."""
    return RowAdmission(chunk, commission_rule)


def income_table(uri: str) -> str:
    """All settlements are in one table."""
    return "dropship-income"


def commission_table(uri: str) -> str:
    """All commissions are in one table."""
    return "dropship-affiliate"


INCOME_SPEC = EntitySpec(
    name="dropship_income",
    target_of=income_table,
    admission=income_admission,
    start="2026-01-01",
    slots=4,
    default_keys=KeySchema(parts=(("no_pesanan", "S"), ("tanggal_dana_dilepaskan", "S"))),
    layouts=(INCOME,),
    sheet=Sheet(name="Income", header=6),
    destinations=("table",),
    expect=Expectation(max_rejected_share=0.05),
)

AFFILIATE_SPEC = EntitySpec(
    name="dropship_affiliate",
    target_of=commission_table,
    admission=commission_admission,
    start="2026-01-01",
    slots=4,
    default_keys=KeySchema(parts=(("kode_pesanan", "S"), ("commission", "S"))),
    layouts=(AFFILIATE,),
    destinations=("table",),
    expect=Expectation(max_rejected_share=0.05),
)
