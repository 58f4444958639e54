"""The code API: ``import_file`` and ``import_records``, thin faces of resources.importing. Knows entities by
their folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

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
from ingest_project.resources.importing.following import Follow
from ingest_project.resources.importing.records import RecordsReport, RejectedRecord, load_records

ENTITIES = "ingest_project.entities"
DUMPS = "messages"
"""The entity whose contract takes any item: dumps of whatever table."""


def entity_spec(name: str = DUMPS) -> EntitySpec:
    """The spec of an entity: of ``entities/<name>``, of one that a folder there has beside its own, or,
    ``wms.order_hdr``, of one of several in a folder.

    Raises:
        ConfigurationError: There is no such entity.
    """
    return _found(name)[1]


def follow_of(name: str) -> Follow | None:
    """What the entity's folder does behind a load, in its module ``following``; None where there is none."""
    try:
        module = import_module(f"{ENTITIES}.{_found(name)[0]}.following")
    except ModuleNotFoundError:
        return None
    follow: Follow = module.follow
    return follow


def _found(name: str) -> tuple[str, EntitySpec]:
    """Folder and spec of an entity."""
    folders = [module.name for module in iter_modules(import_module(ENTITIES).__path__)]
    known: list[str] = []
    # The folder of that name first: no other one is imported for it.
    for folder in sorted(folders, key=lambda one: one != name.partition(".")[0]):
        module = import_module(f"{ENTITIES}.{folder}.spec")
        for spec in _specs(module):
            if spec.name == name:
                return folder, spec
            known.append(spec.name)
    raise ConfigurationError(f"there is no entity {name!r}: there are {', '.join(known)}")


def _specs(module: ModuleType) -> Sequence[EntitySpec]:
    if hasattr(module, "SPECS"):
        several: Sequence[EntitySpec] = module.SPECS
        return several
    return (module.SPEC, *getattr(module, "BESIDE", ()))


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
    return import_files(
        spec,
        files,
        own_key(spec, options),
        settings=deployment,
        watch=progress,
        follow=follow_of(entity),
    )


def import_records(
    records: Iterable[Mapping[str, Any]],
    table: str,
    *,
    key: str | None = None,
    create_table: bool = False,
    on_rejection: Callable[[RejectedRecord], None] | None = None,
    settings: Settings | None = None,
) -> RecordsReport:
    """Put Python dicts into a DynamoDB table: exactly, many requests at once, at constant memory.

    Values are str, int, Decimal, bytes, bool, None, list, dict, and set of str, numbers or bytes. A float is
    refused, as boto3 refuses it: it has no exact decimal. So are NaN and infinity, numbers of more than 38
    digits, empty sets and other types. A refused record harms no other.

    Of several records of one key the last one stands in the table in the end. The iterable is read in the
    calling thread. A call that was interrupted cannot be continued, as an iterable cannot be read again: give
    the records again, a put of the same record changes nothing.

    Args:
        records: Dicts, e.g. a list or a generator.
        key: The table's key as ``id[:S|N|B][,sort[:S|N|B]]``; needed to make a table, checked where there is
            one.
        create_table: Make a missing table.
        on_rejection: Called for each refused record, from this thread.
        settings: The deployment; that of the environment when it is None.

    Returns:
        The report; ``report.ok`` is True when no record was refused.

    Raises:
        RecordsInterrupted: The iterable raised; what it gave before is loaded, and the report says how much.
        RemoteWriteRefused: The table is not on this machine and not allowed by name.
        TargetMissing: There is no such table, and none may be made.
        ConfigurationError: The table has another key.
        TransientFailure: The table did not take records for too long.
    """
    if create_table and key is None:
        raise ConfigurationError("a table can only be made with a key")
    return load_records(
        records,
        table,
        key=parse_key_schema(key, "key") if key is not None else None,
        create_table=create_table,
        settings=settings or load_settings(),
        on_rejection=on_rejection,
    )
