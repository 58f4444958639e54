"""From the old table to the new ones, with proof that nothing was lost. No Dagster."""

from ingest_project.entities.conversations.migration.differences import Difference
from ingest_project.entities.conversations.migration.engine import Migration
from ingest_project.entities.conversations.migration.moving import Handling, Moved
from ingest_project.entities.conversations.migration.plan import (
    MigrationPlan,
    MigrationRefused,
    MigrationSettings,
)
from ingest_project.entities.conversations.migration.records import Marker, Standing, Verdict
from ingest_project.entities.conversations.migration.verifying import Findings

__all__ = [
    "Difference",
    "Findings",
    "Handling",
    "Marker",
    "Migration",
    "MigrationPlan",
    "MigrationRefused",
    "MigrationSettings",
    "Moved",
    "Standing",
    "Verdict",
]
