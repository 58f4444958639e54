"""Claims about speed and memory, each beside a named peer in the same run: ``python -m benchmarks``.

Not part of the package: nothing of ``ingest_project`` imports from here.
"""
