"""Laws 2, 3, 4, 6, 8, 9, 10 and 11 of a load, over random streams, faults, kills and interleavings."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Counts, Position, Rejection
from ingest_project.testing.doubles import ListStream
from ingest_project.testing.faults import HARMLESS, Answer
from ingest_project.testing.playing import Attempt, Stage
from ingest_project.testing.samples import key_hash, sample_chunk

KILLS = (Answer.KILL_BEFORE, Answer.KILL_AFTER)

attempts = st.lists(
    st.builds(
        Attempt,
        answers=st.lists(st.sampled_from([*HARMLESS, Answer.OK, *KILLS]), max_size=25).map(tuple),
        dies_at=st.one_of(st.none(), st.integers(0, 12)),
        dies_after=st.booleans(),
    ),
    max_size=4,
)
stages = st.builds(
    Stage,
    limits=st.builds(BatchLimits, count=st.integers(1, 8), bytes=st.integers(8, 80)),
    window=st.integers(1, 12),
    seed=st.integers(0, 1 << 16),
    latency=st.sampled_from([0.0, 0.02, 0.5]),
)
LETTER = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A random stream and what a clean load makes of it."""

    entries: list[bytes | Rejection | None]
    keys: list[int]
    unique: bool
    size: int
    early: int
    table: dict[bytes, bytes] = field(default_factory=dict)

    def stream(self) -> ListStream:
        hashes = () if self.unique else [key_hash(key) for key in self.keys]
        return ListStream(self.entries, hashes=hashes, size=self.size, early=self.early)

    @property
    def refused(self) -> int:
        return sum(isinstance(each, Rejection) or (each or b"").endswith(b"=no") for each in self.entries)


@st.composite
def feeds(draw: st.DrawFn, *, refusals: bool = True) -> Feed:
    """Keys repeat in a stream with hashes; a body tells its ordinal, so that every write is different."""
    unique = draw(st.booleans())
    kinds = ["item"] * 6 + ["loser", *(["letter", "no"] if refusals else [])]
    marks = draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 5)), max_size=50))
    entries: list[bytes | Rejection | None] = []
    keys: list[int] = []
    table: dict[bytes, bytes] = {}
    for ordinal, (kind, key) in enumerate(marks):
        # A refused item has a key of its own: whether an earlier value of its key stands depends on batches.
        keys.append(1000 + ordinal if unique or kind == "no" else key)
        name = b"k%d" % keys[-1]
        body = name + b"=" + (b"no" if kind == "no" else b"%d" % ordinal)
        if kind == "loser":
            entries.append(None)
        elif kind == "letter":
            entries.append(Rejection(ordinal=ordinal, offset=ordinal, reason="bad", raw=b"raw%d" % ordinal))
        else:
            entries.append(body)
            if kind == "item":
                table[name] = body
    return Feed(
        entries=entries,
        keys=keys,
        unique=unique,
        size=draw(st.integers(1, 12)),
        early=draw(st.integers(0, 5)),
        table=table,
    )


def check_account(stage: Stage, feed: Feed, *, sealed: bool) -> None:
    """Whatever happened: the counts are exact at the position, and everything before it is durable."""
    rows = stage.ledger.status()
    if not rows:
        return
    (row,) = rows
    position = stage.ledger.position(sample_chunk(), "table")
    done = feed.entries[: position.ordinal]
    letters = stage.ledger.rejections(sample_chunk(), "table")
    assert row.counts.balanced
    assert position.ordinal == row.counts.sent
    refused = [
        at for at, each in enumerate(done) if isinstance(each, Rejection) or (each or b"").endswith(b"=no")
    ]
    assert refused == [letter.ordinal for letter in letters]
    assert len(refused) == row.counts.rejected
    if feed.unique:
        assert done.count(None) == row.counts.superseded
    for ordinal, each in enumerate(done):
        if isinstance(each, bytes) and ordinal not in refused:
            stored = stage.table[each.partition(b"=")[0]]
            assert int(stored.partition(b"=")[2]) >= ordinal
    if sealed:
        assert len(feed.entries) == position.ordinal
        assert feed.table == stage.table


@given(feeds(), attempts, stages)
@settings(max_examples=300)
def test_any_mix_of_faults_and_kills_ends_like_one_clean_load(
    feed: Feed, lives: list[Attempt], stage: Stage
) -> None:
    for number, life in enumerate(lives):
        ended = stage.attempt(feed.stream(), life, f"owner {number}")
        check_account(stage, feed, sealed=ended is not None)
    result = stage.load(feed.stream(), owner="last")
    assert result.sealed
    check_account(stage, feed, sealed=True)


@given(feeds(), st.lists(st.sampled_from(HARMLESS), max_size=60), stages)
def test_conservation_every_item_has_one_outcome(feed: Feed, answers: list[Answer], stage: Stage) -> None:
    result = stage.play(feed.stream(), [Attempt(answers=tuple(answers))])
    assert (len(feed.entries), True) == (result.counts.sent, result.counts.balanced)
    assert feed.refused == result.counts.rejected
    check_account(stage, feed, sealed=True)


@given(feeds(), attempts, stages)
def test_a_sealed_chunk_makes_no_sink_call_whatever_happened_before(
    feed: Feed, lives: list[Attempt], stage: Stage
) -> None:
    sealed = stage.play(feed.stream(), lives)
    sink = stage.sink()
    again = stage.load(feed.stream(), sink=sink, owner="again")
    assert (0, 0, Counts(), sealed.counts) == (len(sink.log), sink.flushes, again.new, again.counts)


@given(feeds(), st.integers(0, 12), st.booleans(), stages)
def test_durable_work_is_not_done_again(feed: Feed, at: int, after: bool, stage: Stage) -> None:
    stage.attempt(feed.stream(), Attempt(dies_at=at, dies_after=after), "one")
    rows = stage.ledger.status()
    begin = stage.ledger.position(sample_chunk(), "table") if rows else Position()
    sink = stage.sink()
    stage.load(feed.stream(), sink=sink, owner="two")
    sent = [ordinal for batch in sink.log for ordinal in batch.ordinals]
    assert all(ordinal >= begin.ordinal for ordinal in sent)
    assert len(set(sent)) == len(sent)


@given(feeds(refusals=False), st.lists(stages, min_size=2, max_size=3), attempts)
def test_the_winner_of_a_key_is_the_same_for_all_batches_windows_and_restarts(
    feed: Feed, ways: list[Stage], lives: list[Attempt]
) -> None:
    for stage in ways:
        stage.play(feed.stream(), lives)
        assert feed.table == stage.table


@given(feeds(), st.integers(0, 49), stages)
def test_a_refused_item_changes_nothing_for_the_others(feed: Feed, at: int, stage: Stage) -> None:
    stage.load(feed.stream())
    worse = list(feed.entries)
    bad = b"k5000=no"
    worse.insert(min(at, len(worse)), bad)
    keys = [*feed.keys[:at], 5000, *feed.keys[at:]]
    other = Stage(limits=stage.limits, window=stage.window, seed=stage.seed)
    hashes = () if feed.unique else [key_hash(key) for key in keys]
    result = other.load(ListStream(worse, hashes=hashes, size=feed.size))
    assert stage.table == other.table
    assert feed.refused + 1 == result.counts.rejected


@given(st.integers(0, 400), stages)
def test_requests_and_bytes_in_flight_are_bounded_whatever_the_length(length: int, stage: Stage) -> None:
    sink = stage.sink()
    stage.load(ListStream([b"k%d=v" % number for number in range(length)], size=50), sink=sink)
    assert sink.most_in_flight <= stage.window
    assert length == len(stage.table)


@given(st.lists(st.binary(max_size=30), max_size=30), stages)
def test_bytes_arrive_as_they_are(values: list[bytes], stage: Stage) -> None:
    items = [b"k%d=%s" % (number, value) for number, value in enumerate(values) if b"no" not in value]
    stage.load(ListStream(items))
    assert {item.partition(b"=")[0]: item for item in items} == stage.table
