"""Decides: words, plans, limits, retries, loading. Standard library only; no vendor, no Dagster, no I/O."""
