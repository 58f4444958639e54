"""Escapes of half a character: legal JSON that no decoder in C takes; read by groups all the same."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from ingest_project.formats.groups import Cut, Grouper
from ingest_project_tests.formats.random_files import Maker
from ingest_project_tests.formats.streams import Oracle, records_of, surveyed

GROUPS = (64, 300, 1 << 15)
FILES = 150


def halved(seed: int, damaged: bool) -> bytes:
    """A random file with halves in many of its names and texts, some behind a backslash that is text."""
    maker, random = Maker(seed), Random(seed)
    data = maker.file()
    for piece in (b"xxxxxx", b'"kids', b'"n"'):
        half = random.choice([b"\\ud83d", b"\\uDC00", b"\\\\ud800", b"\\ud83d\\ude00"])
        data = data.replace(piece, (b'"' if piece[:1] == b'"' else b"") + half + piece[3:])
    return maker.mutated(data) if damaged else data


@pytest.mark.parametrize("damaged", [False, True])
def test_files_with_halves_of_characters_read_as_the_plain_reader_reads_them(damaged: bool) -> None:
    for seed in range(FILES):
        data = halved(seed, damaged)
        expected, broken = Oracle.read(data)
        for group in GROUPS:
            found = surveyed(data, group=group)
            assert (broken, len(expected)) == (found.fault is not None, found.records), (seed, data)
            if not broken:
                assert expected == records_of(data, found, group=group), (seed, data)


@pytest.mark.parametrize("form", [b"[%s]", b'{"Items":[%s]}', b"%s"])
def test_a_group_with_halves_of_characters_is_decoded_as_one(
    form: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    mended: list[int] = []
    usual = Grouper._mended

    def counted(self: Grouper, *words: Any, **more: Any) -> Cut | None:
        cut = usual(self, *words, **more)
        mended.append(len(cut.raws) if cut else 0)
        return cut

    monkeypatch.setattr(Grouper, "_mended", counted)
    glue = b"\n" if form == b"%s" else b","
    lines = [b'{"id":%d,"text":"\\ud800 \\\\ud800 \\u00e4"}' % number for number in range(200)]
    data = form % glue.join(lines)
    found = surveyed(data)
    assert lines == [raw for _, raw in records_of(data, found)]
    assert sum(mended) >= 2 * 150
