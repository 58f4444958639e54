"""Bytes to records and records to bytes. No I/O, no vendor client, no Dagster."""
