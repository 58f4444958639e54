"""Layouts: which headings are one, and which layouts cannot be."""

from __future__ import annotations

import pytest

from ingest_project.core.layouts import Layout, heading


@pytest.mark.parametrize(
    "text", ["Kode Pesanan", " KODE_PESANAN ", "kode-pesanan", "kode  (pesanan)", "KODE.Pesanan:"]
)
def test_case_spacing_and_punctuation_make_no_other_heading(text: str) -> None:
    assert heading(text) == "kode_pesanan"


def test_letters_of_any_script_count() -> None:
    assert heading("Größe Ä2") == "grösse_ä2"


@pytest.mark.parametrize(
    "words",
    [
        {"required": ()},
        {"required": ("Id",)},
        {"required": ("id", "id")},
        {"required": ("id",), "optional": ("id",)},
        {"required": ("",)},
        {"required": ("id",), "aliases": {"number": "no"}},
    ],
)
def test_a_layout_that_cannot_be_is_refused(words: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="layout x"):
        Layout(name="x", **words)


def test_aliases_lead_to_columns() -> None:
    layout = Layout(name="x", required=("id",), optional=("note",), aliases={"Order No.": "id"})
    assert {"id": "id", "note": "note", "order_no": "id"} == layout.headings()
