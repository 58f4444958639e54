"""The asset ``replayed`` and its job: rejections of a date once more, from the UI. The work is in
resources.replaying."""

from itertools import chain
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job
from pydantic import Field

from ingest_project.core.entity import EntitySpec
from ingest_project.io_managers.metadata import rejection_table
from ingest_project.io_managers.names import asset_key, group_of, word_of
from ingest_project.ledgers.rejections import LOADED, OPEN, REFUSED, TAKEN, Selection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.orchestration.checks import EXPECTED, met
from ingest_project.orchestration.partitions import daily_partitions
from ingest_project.resources.audit import Scope
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.replaying.letters import read_corrections
from ingest_project.resources.replaying.report import ReplayReport
from ingest_project.resources.replaying.work import ReplayOptions

SHOWN = 20


class ReplayConfig(dg.Config):
    """Which rejections of the date are meant. Without any word: all open ones that the contract takes by
    now."""

    reason: str = Field(default="", description="Those whose reason contains this text.")
    file: str = Field(default="", description="Those of the file with this address.")
    corrections: str = Field(
        default="",
        description="A file that `ingest rejections export` wrote and somebody corrected: those, as they are "
        "there. The code location reads it.",
    )
    by: str = Field(default="", description="Who closes them; the run when it is empty.")


def build_replay(spec: EntitySpec) -> tuple[dg.AssetsDefinition, Job]:
    """The asset and the job that materializes it."""

    @dg.asset(
        key=asset_key(spec, "replayed"),
        partitions_def=daily_partitions(spec),
        group_name=group_of(spec),
        kinds={"dynamodb"},
        pool=f"{word_of(spec)}_replay",
        # Not behind ``validated``: a backfill of it and what follows is no call for a replay.
        deps=[asset_key(spec, "planned")],
        description="Sends rejected records of a date once more: those that a mended contract takes by now, "
        "or those of a corrected export. Each goes through all stages once, at its own place in the order, "
        "and its rejection is closed. A run that was killed is continued by the next one.",
    )
    def replayed(context: dg.AssetExecutionContext, config: ReplayConfig, ingest: IngestResource) -> None:
        day, run = context.partition_key, f"run:{context.run.root_run_id or context.run.run_id}"
        selection = Selection(
            entity=spec.name, date=day, reason=config.reason or None, uri=config.file or None
        )
        corrections = read_corrections(Path(config.corrections)) if config.corrections else None
        options = ReplayOptions(selection=selection, corrections=corrections, by=config.by or run)
        report = ingest.replay(spec, run, options, context.log.info)
        context.add_output_metadata(_metadata(report, ingest.ledger(), Selection(entity=spec.name, date=day)))
        with ingest.audit(spec) as audit:
            found = met(spec, [audit.judged(Scope(date=day))])
        context.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=asset_key(spec, "validated"),
                check_name=EXPECTED,
                passed=found.passed,
                severity=found.severity,
                description=found.description,
                metadata=found.metadata,
            )
        )
        if report.unfinished:
            raise dg.Failure("; ".join(report.unfinished[:5]))

    job = dg.define_asset_job(
        f"{word_of(spec)}_replay",
        selection=dg.AssetSelection.assets(asset_key(spec, "replayed")),
        executor_def=dg.in_process_executor,
        description="Sends rejected records of a date once more, corrected or under a mended contract.",
    )
    return replayed, job


def _metadata(report: ReplayReport, ledger: SqlLedger, date: Selection) -> dict[str, dg.MetadataValue]:
    """Counts of this call, what stands of the date's rejections, and the first open ones."""
    letters = ledger.dead_letters
    numbers = {"taken": report.taken, "loaded": report.loaded, "refused_again": report.refused}
    for state in (OPEN, TAKEN, LOADED, REFUSED):
        chosen = Selection(entity=date.entity, date=date.date, states=(state,))
        numbers[f"rejections_{state}"] = letters.count(chosen)
    metadata: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.int(number) for name, number in numbers.items()
    }
    left = chain(report.still_refused.most_common(SHOWN), report.left.most_common(SHOWN))
    rows = [f"| {count} | {reason.replace('|', ' ')} |" for reason, count in left]
    if rows:
        metadata["left_open"] = dg.MetadataValue.md(
            "\n".join(["| rejections | why they stay open |", "|---|---|", *rows])
        )
    chosen = Selection(entity=date.entity, date=date.date, states=(OPEN,))
    metadata["rejections"] = rejection_table(letters.list(chosen, limit=SHOWN))
    return metadata
