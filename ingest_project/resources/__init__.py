"""Configuration in, ready objects out."""
