"""Import of dump files without Dagster. The command line and the code API are faces of ``import_files``."""

from ingest_project.resources.importing.finding import find_files
from ingest_project.resources.importing.importer import import_files
from ingest_project.resources.importing.options import ImportOptions
from ingest_project.resources.importing.report import FileReport, ImportProgress, ImportReport, ImportWatcher

__all__ = [
    "FileReport",
    "ImportOptions",
    "ImportProgress",
    "ImportReport",
    "ImportWatcher",
    "find_files",
    "import_files",
]
