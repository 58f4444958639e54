"""What the collection of gazettes is, in one value: its buckets and the steps that documents pass."""

from __future__ import annotations

from ingest_project.core.entity import EntitySpec
from ingest_project.core.steps import CollectionSpec, Step

SPECS: tuple[EntitySpec, ...] = ()
"""No records of dumps or of an API: gazettes are documents."""

DOWNLOADED, TEXTS, SEGMENTS, INDEXED = "downloaded", "texts", "segments", "indexed"
EXCERPTS, RANKED, PROCESSED = "excerpts", "ranked", "processed"

STEPS = (
    Step(
        name=DOWNLOADED,
        about="Reads each file once from its bucket: hash, size, type by content; compares its checksum. "
        "Files that are missing, empty or damaged are parked.",
        kinds=frozenset({"s3"}),
    ),
    Step(
        name=TEXTS,
        about="Extracts the text of each file and stores it, compressed. A text that was extracted from the "
        "same content by the same extractor is taken from before. Types without a handler are parked.",
        kinds=frozenset({"s3"}),
        after=(DOWNLOADED,),
    ),
    Step(
        name=SEGMENTS,
        about="Cuts gazettes of associations into one text a town; all others pass as they are.",
        kinds=frozenset({"s3"}),
        after=(TEXTS,),
    ),
    Step(
        name=INDEXED,
        about="Writes gazettes, or their segments, into the index in bulk.",
        kinds=frozenset({"opensearch"}),
        after=(SEGMENTS,),
    ),
    Step(
        name=EXCERPTS,
        about="Looks for each theme's subthemes in the index; what is found goes into the theme's own index.",
        kinds=frozenset({"opensearch"}),
        after=(INDEXED,),
    ),
    Step(
        name=RANKED,
        about="Scores excerpts by their nearness in meaning to the subthemes; those that have no score yet.",
        kinds=frozenset({"opensearch"}),
        after=(EXCERPTS,),
    ),
    Step(
        name=PROCESSED,
        about="Notes in the database that a gazette is through all of it.",
        kinds=frozenset({"postgres"}),
        after=(RANKED,),
    ),
)

COLLECTION = CollectionSpec(name="gazettes", start="2010-01", numbers=16, steps=STEPS)
