"""import_files: plan, validate and deliver dump files, in this process and its workers. Prints nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import ConfigurationError, PermanentFailure
from ingest_project.core.journey import Journey
from ingest_project.core.model import Chunk, ChunkPlan, SourceFile
from ingest_project.core.outcomes import ChunkOutcome
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.assembly import Assembly, part_store
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing.accounts import VALIDATED, Accounts
from ingest_project.resources.importing.choice import chosen, to_validate
from ingest_project.resources.importing.following import Follow, Followed, Loaded
from ingest_project.resources.importing.meter import StageMeter
from ingest_project.resources.importing.options import ImportOptions
from ingest_project.resources.importing.planning import Files, Surveyor, Tables, bind, only, still_fits
from ingest_project.resources.importing.rehearsal import rehearse
from ingest_project.resources.importing.report import FileReport, ImportReport, ImportWatcher
from ingest_project.resources.importing.scratch import Scratch
from ingest_project.resources.knobs import Knobs, knobs_of
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.resources.planner import PlanOutcome
from ingest_project.resources.process import peak_rss_with
from ingest_project.resources.reading import source_of
from ingest_project.resources.replaying.plans import joined
from ingest_project.resources.usage import Meter

LEDGER_NAME, LEDGER_DATE = "load", "cli"
"""Entity and date under which the ledger keeps what was imported without Dagster."""

LEAST_PART, MOST_PART = 4 * 2**20, 16 * 2**20
PARTS = 1024
"""So many parts before they grow: a part is held twice while it is stored, in each chunk that is under way,
and has a buffer of 2 KB in the merge."""

Log = Callable[[str], None]


def _silent(text: str) -> None:
    return None


def import_files(
    spec: EntitySpec,
    files: Sequence[SourceFile],
    options: ImportOptions,
    *,
    settings: Settings,
    watch: ImportWatcher | None = None,
    log: Log = _silent,
    follow: Follow | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> ImportReport:
    """Load files into their tables and indices; goes on where an earlier call with the same files stopped.

    Of the records with one key the last one wins, by file URI and then by place in the file. What another
    call loaded earlier is overwritten.

    Args:
        watch: Told about every durable step.
        log: Told in sentences what was done.
        follow: What the entity does with the records once they are in their table.

    Raises:
        ConfigurationError: The options contradict the deployment.
        TransientFailure: A store or the ledger did not answer; the same call goes on.
        KeyboardInterrupt: What is durable is in the ledger; the same call goes on.
    """
    call = _Call(spec, options, settings, watch, log, clock, wall, follow)
    return call.rehearse(files) if options.dry_run else call.load(files)


class _Call:
    """One call: what all of its steps need."""

    def __init__(
        self,
        spec: EntitySpec,
        options: ImportOptions,
        settings: Settings,
        watch: ImportWatcher | None,
        log: Log,
        clock: Callable[[], float],
        wall: Callable[[], float],
        follow: Follow | None,
    ) -> None:
        self._entity, self._follow, self._followed = spec.name, follow, Followed()
        self._undone = ""
        self._settings, self._options = settings, options
        self._watch, self._log, self._clock, self._wall = watch, log, clock, wall
        self._started, self._owner = clock(), new_owner()
        self._cpu = Meter()
        self._notes: list[str] = []
        self._processes = 0
        self._journey, self._meter = Journey(clock), StageMeter("", 0, None, clock)
        stages = ("table", "index") if self._wants_index() else ("table",)
        self._spec = replace(spec, name=LEDGER_NAME, destinations=stages)

    def rehearse(self, files: Sequence[SourceFile]) -> ImportReport:
        """The dry run."""
        self._notes = ["Dry run: nothing was written."]
        bound, planned = self._plan(replace(self._settings, part_store="local"), None, files)
        refused = {**bound.refused, **planned.refused}
        plan = only(planned.plan, bound.tables.keys() - refused.keys())
        total = sum(chunk.records for chunk in plan.chunks)
        meter = StageMeter(VALIDATED, total, self._watch, self._clock)
        source = source_of(self._spec, self._settings)
        part = self._knobs(plan).part_bytes
        reports = rehearse(self._spec, source, plan, meter, self._clock, part_bytes=part)
        reports += [
            FileReport(uri=uri, table=bound.tables.get(uri, ""), error=why) for uri, why in refused.items()
        ]
        reports.sort(key=lambda report: report.uri)
        return self._report(tuple(reports), sum(report.read for report in reports))

    def load(self, files: Sequence[SourceFile]) -> ImportReport:
        """The real one."""
        bound_for = [(file, self._options.table or "") for file in files]
        scratch = Scratch.of(self._settings, bound_for)
        known = scratch.read_plan(LEDGER_NAME, LEDGER_DATE)
        bound, planned = self._plan(scratch.settings, known, files)
        if planned.plan != known:
            scratch.keep_plan(planned.plan)
        refused = {**bound.refused, **planned.refused}
        upkeep, ledger = Upkeep(self._settings.ledger_url), SqlLedger(self._settings.ledger_url)
        plan = joined(only(planned.plan, bound.tables.keys() - refused.keys()), ledger.replays)
        accounts = Accounts(
            settings=self._settings,
            spec=self._spec,
            plan=plan,
            index=self._options.index or "",
            tables=bound.tables,
            refused=refused,
            upkeep=upkeep,
            letters=ledger.dead_letters,
        )
        try:
            self._run(scratch, accounts, ledger)
            reports = accounts.files()
            if self._options.chunks:
                uris = {chunk.range.uri for chunk in chosen(accounts.plan, self._options.chunks)}
                reports = tuple(report for report in reports if report.uri in uris)
            report = self._report(reports, max(accounts.items.values(), default=0))
            seen, seconds = accounts.pressure, accounts.target_seconds
            return replace(report, pressure=seen, target_seconds=seconds)
        finally:
            ledger.close()
            upkeep.close()

    def _run(self, scratch: Scratch, accounts: Accounts, ledger: SqlLedger) -> None:
        """Everything that is left to do, stage by stage."""
        accounts.upkeep.release_dead(LEDGER_NAME, is_dead, now=self._wall())
        accounts.look()
        mine = chosen(accounts.plan, self._options.chunks)
        stale = mine if self._options.again else accounts.drifted()
        accounts.upkeep.start_anew(stale, now=self._wall())
        if self._options.again and not self._options.chunks:
            scratch.discard_parts()
        accounts.meet()
        if not accounts.through:
            with Crew(self._assembly(scratch.settings, accounts.plan), self._pressed) as crew:
                records = sum(chunk.records for chunk in mine)
                self._journey.expect(dict.fromkeys(self._spec.destinations, records))
                for stage in (VALIDATED, *self._spec.destinations):
                    self._stage(stage, crew, accounts, self._chunks(stage, crew, accounts, mine))
                self._notes += crew.engine.notes
                self._processes = crew.processes
        elif accounts.plan.chunks:
            self._notes.append("Everything was loaded before; nothing was sent (--again loads it anew).")
        self._go_on(scratch, accounts.plan, ledger)
        if accounts.through and not self._undone:
            scratch.discard_parts()

    def _go_on(self, scratch: Scratch, plan: ChunkPlan, ledger: SqlLedger) -> None:
        """What the entity does behind the load. A permanent failure of it leaves the records loaded."""
        if self._follow is None:
            return
        loaded = Loaded(
            entity=self._entity,
            plan=plan,
            settings=self._settings,
            ledger=ledger,
            parts=part_store(scratch.settings),
            knobs=self._knobs(plan),
            owner=self._owner,
            create=self._options.create_table,
            again=self._owner if self._options.again else "",
        )
        try:
            self._followed = self._follow(loaded)
        except PermanentFailure as error:
            self._undone = str(error)
        self._notes += self._followed.notes

    def _chunks(self, stage: str, crew: Crew, accounts: Accounts, mine: Sequence[Chunk]) -> Sequence[Chunk]:
        """What of the chosen chunks is pending in the stage."""
        pending = accounts.pending(stage)
        if stage != VALIDATED:
            return [chunk for chunk in pending if chunk in mine]
        return to_validate(
            mine, pending, lambda chunk: accounts.valid(chunk) > 0 and bool(crew.engine.parts.gone(chunk))
        )

    def _pressed(self, text: str) -> None:
        """What memory presses to, in the log and where the import is watched."""
        self._log(text)
        self._meter.press(text)

    def _stage(self, stage: str, crew: Crew, accounts: Accounts, chunks: Sequence[Chunk]) -> None:
        sizes = {chunk.id: chunk.records if stage == VALIDATED else accounts.valid(chunk) for chunk in chunks}
        done = {chunk.id: accounts.done(chunk, stage) for chunk in chunks}
        meter = self._meter = StageMeter(
            stage, sum(sizes.values()), self._watch, self._clock, known=done, journey=self._journey
        )
        for outcome in crew.run(stage, chunks, meter.step):
            meter.ended(outcome)
            accounts.add(outcome)
            self._log(_told(outcome))
        meter.close()
        accounts.look()

    def _plan(
        self, settings: Settings, known: ChunkPlan | None, files: Sequence[SourceFile]
    ) -> tuple[Files, PlanOutcome]:
        options = self._options
        assembly = self._assembly(settings, None)
        with assembly.engine() as engine:
            tables = Tables(
                describe=engine.keys_of,
                settings=self._settings,
                key=options.key,
                create=options.create_table,
                rehearsal=options.dry_run,
                notes=self._notes,
            )
            bound = bind(self._spec, files, options.table, tables)
            surveyor = Surveyor(
                spec=self._spec,
                settings=self._settings,
                min_chunk_bytes=self._knobs(None).min_chunk_bytes,
                watch=self._watch,
                log=self._log,
                clock=self._clock,
            )
            before = known if still_fits(known, tables) else None
            return bound, surveyor.plan(before, LEDGER_DATE, files, options.table, tables, bound)

    def _assembly(self, settings: Settings, plan: ChunkPlan | None) -> Assembly:
        return Assembly(
            settings=settings,
            spec=self._spec,
            owner=self._owner,
            knobs=self._knobs(plan),
            plan=plan,
            create_tables=self._options.create_table,
            index=self._options.index or "",
        )

    def _knobs(self, plan: ChunkPlan | None) -> Knobs:
        knobs = knobs_of(self._settings)
        size = sum(index.length for index in plan.files) if plan else 0
        part = min(MOST_PART, max(LEAST_PART, size // PARTS))
        workers, at_once = self._options.workers or knobs.workers, self._options.at_once or knobs.at_once
        return replace(knobs, workers=workers, at_once=at_once, part_bytes=part)

    def _wants_index(self) -> bool:
        options, there = self._options, self._settings.opensearch_endpoint is not None
        if options.with_index is False:
            return False
        if (options.with_index or options.index) and not there:
            raise ConfigurationError(
                "an index is asked for, but OPENSEARCH_URL is not set; or use --no-index"
            )
        if not there:
            self._notes.append("No OpenSearch is configured: the table alone is loaded.")
        return there

    def _report(self, files: tuple[FileReport, ...], items: int) -> ImportReport:
        return ImportReport(
            files=files,
            seconds=self._clock() - self._started,
            items=items,
            peak_rss_bytes=peak_rss_with(self._processes),
            cpu_seconds=self._cpu.seconds,
            dry_run=self._options.dry_run,
            notes=tuple(self._notes),
            undone=self._undone,
            refused_behind=self._followed.refused,
        )


def _told(outcome: ChunkOutcome) -> str:
    span, counts = outcome.chunk.range, outcome.counts
    text = (
        f"{outcome.stage}: {span.uri} bytes {span.start}-{span.end}: {outcome.state}, {counts.sent} records, "
        f"{counts.written} written, {counts.superseded} superseded, {counts.rejected} rejected"
    )
    return f"{text}: {outcome.reason}" if outcome.reason else text
