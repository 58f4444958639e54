"""replay: takes rejections, has them go through all stages as chunks of their own, and closes them.

    ledger: taken -> validated -> each target -> ledger: closed

Killed anywhere, the next call finds the replays that were begun and goes on with them; no record is taken by
two replays, and what is sealed is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice

from ingest_project.core.errors import BadInput, IngestError, SourceChanged
from ingest_project.core.model import Chunk, Position
from ingest_project.core.outcomes import SEALED
from ingest_project.core.replaying import LINE, SOURCE, form_of, replayed
from ingest_project.formats.csv_layout import row_shape
from ingest_project.ledgers.rejections import LOADED, OPEN, REFUSED, DeadLetter, Selection
from ingest_project.ledgers.replays import Replay, Taking
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.engine import Engine
from ingest_project.resources.owner import is_dead
from ingest_project.resources.replaying.letters import Correction
from ingest_project.resources.replaying.plans import chunk_of, definition
from ingest_project.resources.replaying.reading import admit_one, contract_of
from ingest_project.resources.replaying.report import ReplayReport
from ingest_project.resources.replaying.worlds import World, Worlds

LETTERS_AT_ONCE = 500
"""So many rejections, 64 KiB each at most, make one replay."""

VALIDATED = "validated"
NOT_PLANNED = "its file was replaced or is no longer planned"
NOT_THERE = "its record is too large to be kept, and cannot be read from its file any more"

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """What is to be replayed.

    Attributes:
        selection: Of the open rejections; its states do not matter.
        corrections: (id, text or bytes) in place of the selection; empty ones stand for what is kept.
        by: Who closes them.
    """

    selection: Selection = field(default_factory=Selection)
    corrections: Iterable[tuple[str, Correction]] | None = None
    by: str


def replay(worlds: Worlds, options: ReplayOptions, log: Log = lambda text: None) -> ReplayReport:
    """Take what is asked for, and finish these replays and those that an earlier call left.

    Raises:
        ConfigurationError: A file that decides about the order is gone.
        TransientFailure: The ledger or a store did not answer; the same call goes on.
    """
    with ExitStack() as stack:
        ledger = SqlLedger(worlds.settings.ledger_url)
        stack.callback(ledger.close)
        call = _Call(worlds, options, ledger, log)
        call.take()
        call.finish()
        return call.report


class _Call:
    """One call of ``replay``."""

    def __init__(self, worlds: Worlds, options: ReplayOptions, ledger: SqlLedger, log: Log) -> None:
        self._worlds, self._options, self._ledger, self._log = worlds, options, ledger, log
        self.report = ReplayReport()

    def take(self) -> None:
        """Replays of everything that the contract admits now."""
        for (entity, date, chunk), group in groupby(
            self._letters(), key=lambda pair: (pair[0].entity, pair[0].date, pair[0].chunk_id)
        ):
            world = self._worlds.find(self._ledger, entity, date, chunk)
            origin = world.chunk(chunk) if world else None
            if world is None or origin is None:
                self.report.left[NOT_PLANNED] += sum(1 for _ in group)
                continue
            with world.assembly.engine() as engine:
                _Taker(self, world, engine, origin).take(group)

    def finish(self) -> None:
        """Work on every replay that is not closed, a world at a time."""
        entity = self._options.selection.entity
        working = [replay for replay in self._ledger.replays.working(entity) if self._is_meant(replay)]
        worlds: dict[str, tuple[World, list[Replay]]] = {}
        for replay in working:
            world = self._worlds.find(self._ledger, replay.entity, replay.date, chunk_of(replay).id)
            if world is None:
                self.report.unfinished.append(f"replay {replay.number}: {NOT_PLANNED}")
                continue
            name = str(world.scratch.folder) if world.scratch else f"{replay.entity} {replay.date}"
            worlds.setdefault(name, (world, []))[1].append(replay)
        for world, replays in worlds.values():
            self._work(world, replays)

    def _is_meant(self, replay: Replay) -> bool:
        date = self._options.selection.date
        return date is None or replay.date == date

    def _work(self, world: World, replays: Sequence[Replay]) -> None:
        chunks = {replay.number: chunk_of(replay) for replay in replays}
        with Upkeep(self._worlds.settings.ledger_url) as upkeep:
            upkeep.release_dead(replays[0].entity, is_dead, now=time.time())
        with world.assembly.engine() as engine:
            world.prepare(engine, list(chunks.values()))
            open_ones = dict(chunks)
            for stage in (VALIDATED, *engine.spec.destinations):
                for outcome in engine.run(stage, list(open_ones.values())):
                    number = replayed(outcome.chunk).number
                    if outcome.state != SEALED:
                        open_ones.pop(number)
                        self.report.unfinished.append(f"replay {number}, {stage}: {outcome.reason}")
            for text in engine.notes:
                self._log(text)
        for number, chunk in open_ones.items():
            closed = self._ledger.replays.close(number, chunk.id, by=self._options.by)
            self.report.loaded += closed.get(LOADED, 0)
            self.report.refused += closed.get(REFUSED, 0)
            self._log(f"replay {number} of {chunk.range.uri}: {closed}")
        if len(open_ones) == len(chunks):
            world.leave()

    def _letters(self) -> Iterator[tuple[DeadLetter, Correction]]:
        """Open rejections with the bytes that are to be sent; empty ones stand for those that are kept."""
        letters, options = self._ledger.dead_letters, self._options
        if options.corrections is None:
            wanted = replace(options.selection, states=(OPEN,))
            yield from ((letter, b"") for letter in letters.each(wanted))
            return
        for id, raw in options.corrections:
            letter = letters.get(id)
            if letter is None:
                self.report.left[f"there is no rejection {id}"] += 1
            elif letter.state != OPEN:
                self.report.left[f"it is {letter.state} already"] += 1
            else:
                yield letter, raw

    def take_in(self, origin: Chunk, form: str, takings: Sequence[Taking]) -> None:
        """One replay of some records."""
        places = sorted(takings, key=lambda taking: (taking.offset, taking.place, taking.stage))
        made = self._ledger.replays.take(
            places,
            origin=origin.id,
            entity=origin.entity,
            date=origin.date,
            by=self._options.by,
            define=partial(_define, origin, form),
        )
        if made is not None:
            self.report.taken += chunk_of(made).records


def _define(origin: Chunk, form: str, number: int, records: int) -> tuple[str, str]:
    return definition(origin, number, form, records)


class _Taker:
    """Takes rejections of one chunk."""

    def __init__(self, call: _Call, world: World, engine: Engine, origin: Chunk) -> None:
        self._call, self._world, self._engine, self._origin = call, world, engine, origin
        self._contracts = {
            form: contract_of(engine.spec, origin, form) for form in {form_of(origin, VALIDATED), LINE}
        }
        self._places: Mapping[int, int] | None = None

    def take(self, letters: Iterable[tuple[DeadLetter, Correction]]) -> None:
        pairs = iter(letters)
        while some := list(islice(pairs, LETTERS_AT_ONCE)):
            groups: dict[str, list[Taking]] = {}
            for letter, raw in some:
                form = form_of(self._origin, letter.stage)
                taking = self._taking(letter, raw, form)
                if taking is not None:
                    groups.setdefault(form, []).append(taking)
            for form, takings in groups.items():
                self._call.take_in(self._origin, form, takings)

    def _taking(self, letter: DeadLetter, correction: Correction, form: str) -> Taking | None:
        """What is to be taken; None for what the contract refuses still, or what cannot be read."""
        report = self._call.report
        try:
            raw = self._bytes(correction, form) or self._whole(letter)
        except UnicodeEncodeError as error:
            report.still_refused[f"{error.object[error.start]!r} is not in {error.encoding}"] += 1
            return None
        except (IngestError, LookupError, OSError):
            report.left[NOT_THERE] += 1
            return None
        place = self._place(letter)
        found = admit_one(self._contracts[form], place, letter.offset, raw, ordinal=letter.ordinal)
        if found.rejections:
            report.still_refused[found.rejections[0].reason] += 1
            return None
        return Taking(stage=letter.stage, ordinal=letter.ordinal, place=place, offset=letter.offset, raw=raw)

    def _bytes(self, correction: Correction, form: str) -> bytes:
        """Rows are in their file's encoding, JSON is UTF-8."""
        if isinstance(correction, bytes):
            return correction
        rows = form == SOURCE and bool(self._engine.spec.layouts)
        return correction.encode(row_shape(self._origin).encoding if rows else "utf-8")

    def _place(self, letter: DeadLetter) -> int:
        """Where the record stands in its file's chunk; behind ``validated`` it does not matter."""
        number = replayed(self._origin).number
        if not number or letter.stage != VALIDATED:
            return letter.ordinal
        (page, *_) = self._engine.ledger.replays.records(number, letter.ordinal)
        return page[0].place

    def _whole(self, letter: DeadLetter) -> bytes:
        """The record as it was refused, from its source when the ledger keeps but its beginning.

        Raises:
            LookupError: It is not there.
        """
        if not letter.cut:
            return letter.raw
        origin, engine = self._origin, self._engine
        if letter.stage != VALIDATED:
            info = next(
                i for i in engine.parts.parts(origin) if i.first <= letter.ordinal < i.first + i.records
            )
            lines = (line for block in engine.parts.lines(origin, info) for line in block)
            return bytes(next(islice(lines, letter.ordinal - info.first, None)))
        number = replayed(origin).number
        if number:
            (page, *_) = engine.ledger.replays.records(number, letter.ordinal)
            return page[0].raw
        return _record(engine, origin, letter.ordinal)


def _record(engine: Engine, chunk: Chunk, ordinal: int) -> bytes:
    try:
        for batch in engine.source.read(replace(chunk, fault=None), Position()):
            if ordinal < batch.after.ordinal:
                return bytes(batch.raws[ordinal - batch.first])
    except (BadInput, SourceChanged):
        pass
    raise LookupError(ordinal)
