"""Dagster, but no entity."""
