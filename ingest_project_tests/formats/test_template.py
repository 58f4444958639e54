"""Templates: what they keep does not grow with the texts that go by."""

from __future__ import annotations

from ingest_project.formats.template import Formats, Node, Option, Slot

OPTIONS, MOST = 12, 8_000


def test_formats_of_all_sets_of_options_are_held_within_their_bytes() -> None:
    names = [bytes([ord("a") + at]) for at in range(OPTIONS)]
    nodes: tuple[Node, ...] = tuple(Option((b"<%b=" % name, Slot(), b">")) for name in names)
    formats = Formats(nodes, MOST)
    for number in range(1 << OPTIONS):
        there = bytes(number >> at & 1 for at in range(OPTIONS))
        found = formats[there] % tuple(b"x" * one for one in there)
        assert b"".join(b"<%b=x>" % name for name, one in zip(names, there, strict=True) if one) == found
        assert MOST >= formats.held == sum(map(len, [*formats, *formats.values()]))
    assert 1 < len(formats) < 1 << OPTIONS
