"""The account of all work, in SQL."""
