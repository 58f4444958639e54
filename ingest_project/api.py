"""The code API: ``import_file``, a thin face of resources.importing. Knows entities by their folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import ConfigurationError
from ingest_project.resources.deployments import Settings, load_settings, parse_key_schema
from ingest_project.resources.importing import (
    ImportOptions,
    ImportReport,
    ImportWatcher,
    find_files,
    import_files,
)

DUMPS = "messages"
"""The entity whose contract takes any item: dumps of whatever table."""


def entity_spec(name: str = DUMPS) -> EntitySpec:
    """The spec of the entity in ``entities/<name>``.

    Raises:
        ConfigurationError: There is no such entity.
    """
    place = f"ingest_project.entities.{name}.spec"
    try:
        spec: EntitySpec = import_module(place).SPEC
    except (ModuleNotFoundError, AttributeError) as error:
        raise ConfigurationError(f"there is no entity {name!r}") from error
    return spec


def own_key(spec: EntitySpec, options: ImportOptions) -> ImportOptions:
    """The options with the entity's own key, where a table may be made and no other key was given.

    Raises:
        ConfigurationError: The entity's files may belong to any table, and no key was given.
    """
    if not options.create_table or options.key is not None:
        return options
    if not spec.layouts and spec.sheet is None:
        raise ConfigurationError("a table can only be made with a key")
    return replace(options, key=spec.default_keys)


def import_file(
    path: str | Sequence[str],
    table: str | None = None,
    *,
    entity: str = DUMPS,
    index: str | bool | None = None,
    key: str | None = None,
    create_table: bool = False,
    pattern: str = "*",
    workers: int = 1,
    dry_run: bool = False,
    again: bool = False,
    progress: ImportWatcher | None = None,
    settings: Settings | None = None,
) -> ImportReport:
    """Load a dump file, a folder of them, or an ``s3://`` address into a DynamoDB table and an index.

    What is loaded already is not sent again; a call that was killed is continued by the same call. With more
    than one worker the calling module must be importable (``if __name__ == "__main__"``), as for any use of
    multiprocessing.

    Args:
        path: One path or several.
        entity: Whose files they are; ``messages`` takes JSON dumps of any table.
        table: Table for all files; None takes it from each file's name.
        index: Name of the index; True one named after the table; False none; None when OpenSearch is
            configured.
        key: The table's key as ``id[:S|N|B][,sort[:S|N|B]]``; needed with ``create_table`` where
            the entity has no key of its own.
        create_table: Make a missing table.
        pattern: Which files of a folder or prefix are meant.
        dry_run: Read, validate and count; write nothing.
        again: Load also what is loaded already.
        progress: Called with an ImportProgress at every durable step, from this thread.
        settings: The deployment; that of the environment when it is None.

    Returns:
        The report; ``report.ok`` is True when every file is loaded to its end and no record was refused.

    Raises:
        TargetMissing: There is nothing at a path.
        ConfigurationError: The arguments contradict each other or the deployment.
        TransientFailure: A store did not answer; the same call goes on.
    """
    deployment = settings or load_settings()
    options = ImportOptions(
        table=table,
        index=index if isinstance(index, str) else None,
        with_index=index if isinstance(index, bool) else None,
        key=parse_key_schema(key, "key") if key is not None else None,
        create_table=create_table,
        workers=workers,
        dry_run=dry_run,
        again=again,
    )
    files = find_files([path] if isinstance(path, str) else path, deployment, pattern)
    spec = entity_spec(entity)
    return import_files(spec, files, own_key(spec, options), settings=deployment, watch=progress)
