"""DynamoDB behind Dagster. Thin: the engine drains the parts into the sink, many requests in flight."""

import dagster as dg

from ingest_project.io_managers.names import entity_of
from ingest_project.io_managers.work import StageWork, drain
from ingest_project.resources.clients import IngestResource, PlanReader


class DynamoDBIOManager(dg.ConfigurableIOManager):
    """Stores what the stages ``table``, ``current`` and ``history`` return: the published parts of its
    chunks, each into the target it is bound for."""

    ingest: dg.ResourceDependency[IngestResource]

    def handle_output(self, context: dg.OutputContext, obj: StageWork) -> None:
        with self.ingest.crew(obj.spec, obj.owner) as crew:
            drain(context, crew, obj)

    def load_input(self, context: dg.InputContext) -> PlanReader:
        return PlanReader(ingest=self.ingest, entity=entity_of(context.asset_key))
