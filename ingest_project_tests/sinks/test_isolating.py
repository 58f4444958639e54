"""Finding the culprits of a refused request: as a law over any set of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import Throttled
from ingest_project.core.model import WriteReport
from ingest_project.sinks.isolating import RequestRefused, write_apart


class Target:
    """Takes requests without culprits, refuses others whole, and is sometimes throttled."""

    def __init__(self, culprits: set[int], throttled: set[int]) -> None:
        self.culprits = culprits
        self.throttled = throttled
        self.requests = 0
        self.taken: list[int] = []

    async def send(self, bodies: Sequence[bytes]) -> WriteReport:
        self.requests += 1
        if self.requests - 1 in self.throttled and self.requests > 1:
            raise Throttled("later", retry_after=float(self.requests))
        numbers = [int(body) for body in bodies]
        if self.culprits & set(numbers):
            raise RequestRefused("bad")
        self.taken += numbers
        return WriteReport(written=len(numbers))


@given(st.integers(1, 64), st.data())
async def test_culprits_are_refused_all_others_written_or_left_for_later(
    count: int, data: st.DataObject
) -> None:
    culprits = data.draw(st.sets(st.integers(0, count - 1), max_size=4))
    target = Target(culprits, data.draw(st.sets(st.integers(0, 20), max_size=3)))
    report = await write_apart(target.send, [b"%d" % number for number in range(count)])
    refused, later = {one.index for one in report.refusals}, set(report.retry)
    assert count == report.written + len(report.refusals) + len(report.retry)
    assert set(range(count)) == set(target.taken) | refused | later
    assert sorted(target.taken) == target.taken
    assert refused <= culprits <= refused | later
    assert target.requests <= 1 + 2 * len(culprits) * max(1, math.ceil(math.log2(count)))
