"""Gazettes: official documents from PostgreSQL and S3 to texts, towns, an index and excerpts on themes."""
