"""Vendor writers: one batch in, one outcome an item out. Never loop over a stream, never retry."""
