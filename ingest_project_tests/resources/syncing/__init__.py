"""Syncs against the simulated warehouse."""
