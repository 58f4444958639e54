"""The environment variables of the gazettes: name, default, what unset means, meaning. A table."""

from __future__ import annotations

GAZETTES: tuple[tuple[str, str, str, str], ...] = (
    (
        "INGEST_GAZETTES_DATABASE_URL",
        "",
        "there are none",
        "PostgreSQL with the rows of the gazettes, `postgresql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE`.",
    ),
    ("INGEST_GAZETTES_FILES", "", "`INGEST_BUCKET`", "Where their files lie: `BUCKET[/PREFIX]`."),
    (
        "INGEST_GAZETTES_STORE",
        "",
        "`gazettes` in `INGEST_BUCKET`",
        "Where texts and aggregates are put: `BUCKET[/PREFIX]`.",
    ),
    (
        "INGEST_GAZETTES_EXTRACTOR",
        "in-process",
        "",
        "What makes texts of files: `in-process` (subprocesses of this machine) or `tika`.",
    ),
    ("INGEST_GAZETTES_TIKA_URL", "", "none", "Base of a Tika server; `http` on loopback only."),
    (
        "INGEST_GAZETTES_TYPES",
        "pdf,doc,docx,odt,rtf,txt",
        "",
        "Types, by content, that texts are made of; `html` can be added. Others are parked.",
    ),
    (
        "INGEST_GAZETTES_OCR",
        "",
        "off",
        "Languages of Tesseract, as `por`: Tika reads what is scanned, too.",
    ),
    ("INGEST_GAZETTES_TIKA_RATE", "20", "", "Requests a second to Tika at most, of one process."),
    ("INGEST_GAZETTES_WORKERS", "4", "", "Batches under way in each stage, and extracting subprocesses."),
    ("INGEST_GAZETTES_MEMORY_MB", "256", "", "MiB of documents under way in each stage."),
    ("INGEST_GAZETTES_BATCH_SIZE", "10", "", "Documents that are settled in the ledger at once."),
    ("INGEST_GAZETTES_BULK_SIZE", "100", "", "Documents a bulk request."),
    ("INGEST_GAZETTES_FETCH_SIZE", "1000", "", "Rows a page of the listing."),
    ("INGEST_GAZETTES_STREAM_MB", "10", "", "Files of so many MiB are sent in pieces, never held whole."),
    ("INGEST_GAZETTES_DB_POOL_MAX", "20", "", "Connections to the database at most."),
    (
        "INGEST_GAZETTES_ENCODER",
        "use-multilingual",
        "",
        "What ranks excerpts: `use-multilingual`, `sentence-transformers:MODEL`, `hashing` (no meaning).",
    ),
    ("INGEST_GAZETTES_THEMES", "", "no excerpts", "File of themes, JSON or YAML."),
    ("INGEST_GAZETTES_INDEX", "gazettes", "", "Index of gazettes; each theme names its own."),
)
