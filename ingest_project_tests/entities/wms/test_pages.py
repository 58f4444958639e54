"""Landed pages, one answer a line, through reader and contract; a hostile file, and what arrives of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import zstandard

from ingest_project.core.model import Chunk, FileRange, Position, Rejection
from ingest_project.entities.wms.admission import admission
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project_tests.entities.wms.rows import batch, book, chunk, text

GOLDEN = Path(__file__).parent / "golden" / "hostile.jsonl"
WAITS = "; it is for a person to decide: ingest schema"
REFUSED = {
    3: f'status_id: changed type, text where integer is known: "HIGH"{WAITS}',
    6: "mod_ts: without it a row has no version",
    8: "id: the name stands twice in one object",
    9: "id: not the id of a row: null",
    10: f"id: changed type, decimal where integer is known: 9.5{WAITS}",
    11: "total_orig_ord_qty: number 1e400 is too large, its magnitude may be at most 9.99E+125",
}
"""Place of the row, counted from 1 -> what is wrong with it."""


def landed(folder: Path, data: bytes, records: int) -> Chunk:
    """An object of pages as landing stores it; its chunk as the plan has it."""
    path = folder / "00000.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(data))
    [file] = list_files(path.as_uri())
    place = FileRange(uri=file.uri, etag=file.etag, start=0, end=len(data))
    return replace(chunk(), range=place, compression="zstd", records=records)


def admitted(pages: Chunk) -> tuple[list[dict[str, Any]], Sequence[Rejection]]:
    """Items and rejections of all rows."""
    admit = admission(pages, book())
    items: list[dict[str, Any]] = []
    letters: list[Rejection] = []
    for rows in DumpSource().read(pages, Position()):
        found = admit(rows)
        items += [json.loads(bytes(line))["Item"] for line in found.lines]
        letters += found.rejections
    return items, letters


def test_of_a_hostile_file_every_good_row_arrives_and_every_bad_one_says_why(tmp_path: Path) -> None:
    data = GOLDEN.read_bytes()
    items, letters = admitted(landed(tmp_path, data, 13))
    assert REFUSED == {letter.ordinal + 1: letter.reason for letter in letters}
    assert [letter.raw for letter in letters] == [
        data[letter.offset : letter.offset + len(letter.raw)] for letter in letters
    ]
    rows = {int(item["id"]["N"]): item for item in items}
    assert [1, 2, 4, 5, 7, 11, 12] == list(rows)
    assert {"S": 'say "hi" \\ {"S":} {"N":""} null'} == rows[2]["order_nbr"]
    assert {"N": "99999999999999999999.9999"} == rows[4]["total_orig_ord_qty"]
    assert {"N": "2"} == rows[5]["order_dtl_set_count"]
    assert {"N": "2.5000"} == rows[7]["new_field"]
    assert ({"S": "ORD11"}, {"BOOL": True}) == (rows[11]["order_nbr"], rows[11]["deleted"])
    assert {"S": "línea\n📦\x00"} == rows[12]["order_nbr"]


def test_pages_of_both_modes_are_read_alike_and_an_empty_one_holds_nothing(tmp_path: Path) -> None:
    rows = [text(id=at) for at in range(1, 7)]
    sequenced = b'{"next_page":"u","previous_page":null,"results":[%b,%b]}\n' % (rows[0], rows[1])
    paged = b'{"result_count":6,"page_count":3,"page_nbr":2,"next_page":null,"previous_page":null,'
    paged += b'"results":[%b,%b]}\n'
    first = b'{"results":[%b,%b],"next_page":null,"result_count":2}\n' % (rows[4], rows[5])
    empty = b'{"results": []}\n'
    data = empty + sequenced + empty + paged % (rows[2], rows[3]) + first + empty
    items, letters = admitted(landed(tmp_path, data, 6))
    assert ([], list(range(1, 7))) == (list(letters), [int(item["id"]["N"]) for item in items])


def test_what_lands_as_one_page_is_read_as_one_page(tmp_path: Path) -> None:
    page = b'{"next_page":null,"previous_page":null,"results":[%b]}\n' % b",".join([text()] * 500)
    items, letters = admitted(landed(tmp_path, page, 500))
    assert (500, 0) == (len(items), len(letters))
    assert [json.loads(line)["Item"] for line in admission(chunk(), book())(batch([text()])).lines] == items[
        :1
    ]
