"""kreuzberg as an engine of extract_workers: PDF, Word, OpenDocument, RTF and HTML to text, line by line.

The library is imported in the worker only.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ingest_project.core.errors import ConfigurationError
from ingest_project.core.extracting import BROKEN, MEDIA, PASSWORD, PDF, Unreadable
from ingest_project.sources.extract_workers import Engine

_REVISION = "1"
"""Of the configuration below."""

_LOCKED = "password", "encrypted"


def kreuzberg() -> Engine:
    """The engine in the version that is installed.

    Raises:
        ConfigurationError: None is.
    """
    try:
        found = version("kreuzberg")
    except PackageNotFoundError as error:
        raise ConfigurationError(
            "text is extracted in-process by kreuzberg, which is not installed: install the extra 'documents'"
        ) from error
    return Engine(name="kreuzberg", version=f"{found}/{_REVISION}", opened_by=f"{__name__}:opened")


def opened() -> Any:
    """In a worker: (path, media type) -> text. Nothing is left out, and lines stay lines: headers of pages
    tell where a part begins. Of a PDF the pages are taken: in the text as a whole, what looks like a table
    stands twice."""
    import kreuzberg as library

    config = library.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        concurrency=library.ConcurrencyConfig(max_threads=1),
        content_filter=library.ContentFilterConfig(
            include_headers=True, include_footers=True, include_watermarks=True, strip_repeating_text=False
        ),
        pages=library.PageConfig(extract_pages=True),
        output_format="plain",
    )

    def extract(path: str, media: str) -> str:
        try:
            found = library.extract_file_sync(path, media, config=config)
        except library.KreuzbergError as error:
            words = str(error)
            locked = any(word in words.lower() for word in _LOCKED)
            raise Unreadable(PASSWORD if locked else BROKEN, words[:500]) from error
        if media == MEDIA[PDF] and found.pages:
            return "\n\n".join(page["content"] for page in found.pages)
        text: str = found.content
        return text

    return extract
