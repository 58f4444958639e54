"""S3 behind Dagster: plans as JSON objects, validated records as parts. Thin: the engine writes, atomically
and streaming."""

import dagster as dg

from ingest_project.core.model import ChunkPlan
from ingest_project.io_managers.names import entity_of
from ingest_project.io_managers.work import StageWork, drain, resumable
from ingest_project.resources.clients import IngestResource, PlanReader


class S3IOManager(dg.ConfigurableIOManager):
    """Stores what ``planned`` and ``validated`` return.

    ``planned`` returns a ChunkPlan: one JSON object a date. ``validated`` returns StageWork: parts of
    compressed JSON lines
    beside their key entries, published a chunk at a time by a manifest. Downstream assets get a PlanReader;
    the parts are
    reached through it, never loaded whole.
    """

    ingest: dg.ResourceDependency[IngestResource]

    def handle_output(self, context: dg.OutputContext, obj: ChunkPlan | StageWork) -> None:
        if isinstance(obj, ChunkPlan):
            self._write_plan(obj)
            return
        with self.ingest.crew(obj.spec, obj.owner) as crew:
            drain(context, crew, obj)

    @resumable()
    def _write_plan(self, plan: ChunkPlan) -> None:
        """Replace the date's plan. No file leaves a plan: if one would, another planning came between."""
        plans = self.ingest.plans()
        before = plans.read(plan.entity, plan.date)
        known = {index.file.uri for index in before.files} if before else set()
        if not known <= {index.file.uri for index in plan.files}:
            raise dg.RetryRequested(max_retries=3, seconds_to_wait=1)
        plans.write(plan)

    def load_input(self, context: dg.InputContext) -> PlanReader:
        return PlanReader(ingest=self.ingest, entity=entity_of(context.asset_key))
