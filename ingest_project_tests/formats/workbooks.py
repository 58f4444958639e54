"""Small XLSX workbooks for tests."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from openpyxl import Workbook


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """A workbook with these sheets; an empty row is blank."""
    made = Workbook()
    for sheet in list(made.worksheets):
        made.remove(sheet)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for number, row in enumerate(rows, start=1):
            for column, value in enumerate(row, start=1):
                if value is not None:
                    sheet.cell(number, column, value)
    held = io.BytesIO()
    made.save(held)
    return held.getvalue()
