"""What dropship is, in one value: used by the assets and by the command line alike. No Dagster."""

from __future__ import annotations

from functools import partial

from ingest_project.core.entity import EntitySpec, Expectation
from ingest_project.entities.dropship.contract import KEYS, admission, index, target_of
from ingest_project.entities.dropship.layouts import LAYOUTS
from ingest_project.entities.dropship.related import AFFILIATE_SPEC, INCOME_SPEC

CHANNELS: frozenset[str] = frozenset()
"""Channels (jenis_channel, in lower case) whose rows are taken; empty: all. Rows of others are rejections
that say ``filtered``: they are counted, and can be replayed when a channel is added."""

SPEC = EntitySpec(
    name="dropship",
    target_of=target_of,
    admission=partial(admission, channels=CHANNELS),
    start="2026-01-01",
    slots=16,
    across_dates="newer_only",
    default_keys=KEYS,
    index=index,
    layouts=LAYOUTS,
    expect=Expectation(min_records=0, max_rejected_share=0.05),
)

BESIDE = (INCOME_SPEC, AFFILIATE_SPEC)
"""Entities of this folder whose files come beside the lines."""
