"""Thin Dagster face of the stores."""
