"""What messages are, in one value: used by the assets and by the command line alike. No Dagster."""

from __future__ import annotations

from ingest_project.core.entity import EntitySpec, Expectation
from ingest_project.entities.messages.contract import admission, index, target_of

SPEC = EntitySpec(
    name="messages",
    target_of=target_of,
    admission=admission,
    start="2026-01-01",
    slots=16,
    across_dates="newer_only",
    index=index,
    expect=Expectation(min_records=0, max_rejected_share=0.01),
)
