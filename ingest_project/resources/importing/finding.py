"""Which dump files are meant by some paths: files, folders and prefixes. Lists; reads no content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.model import SourceFile
from ingest_project.formats.manifests import SUMMARY
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.sources.dumps import list_files
from ingest_project.sources.inbox import is_dump


def find_files(paths: Sequence[str], settings: Settings, pattern: str = "*") -> list[SourceFile]:
    """The dump files at these paths, by URI, each once.

    In a folder, hidden files, marks (``.done``) and temporary files are passed over. Of an AWS export the
    data files are named; the planner finds its manifest from there.

    Raises:
        TargetMissing: There is nothing at a path.
        ConfigurationError: No file there has a name like the pattern.
    """
    found: dict[str, SourceFile] = {}
    for path in paths:
        place = path.removesuffix(SUMMARY) if path.endswith(f"/{SUMMARY}") else path
        listed = list_files(place, pattern, s3=lambda: s3_client(settings))
        alone = len(listed) == 1 and listed[0].uri == address_of(place)
        wanted = [file for file in listed if alone or is_dump(file.uri)]
        if not wanted:
            raise ConfigurationError(f"{path}: there is no file with a name like {pattern}")
        found.update((file.uri, file) for file in wanted)
    return [found[uri] for uri in sorted(found)]


def address_of(path: str) -> str:
    """A path as a URI."""
    return path if "://" in path else Path(path).resolve().as_uri()
