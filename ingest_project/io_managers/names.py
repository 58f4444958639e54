"""How an entity's words become names in Dagster: asset keys, groups, jobs. Both directions live here."""

from __future__ import annotations

import dagster as dg

from ingest_project.core.entity import EntitySpec


def asset_key(spec: EntitySpec, stage: str) -> dg.AssetKey:
    """``wms.order_hdr`` and ``validated`` -> ``wms/order_hdr/records``, as the entity names its stages."""
    return dg.AssetKey([*spec.name.split("."), name_of(spec, stage)])


def name_of(spec: EntitySpec, stage: str) -> str:
    """The stage as its entity calls it."""
    return spec.stage_names.get(stage, stage)


def entity_of(key: dg.AssetKey) -> str:
    """The entity whose asset bears the key."""
    return ".".join(key.path[:-1])


def group_of(spec: EntitySpec) -> str:
    """The assets' group: entities of one system stand together."""
    return spec.name.split(".")[0]


def word_of(spec: EntitySpec) -> str:
    """The entity's name as one word, for jobs, pools, sensors and schedules."""
    return spec.name.replace(".", "_")
