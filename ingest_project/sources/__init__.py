"""Vendor readers, lazy. Never write."""
