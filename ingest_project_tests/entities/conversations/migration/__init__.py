"""Tests of the migration: with real servers, doubles of a kill, and planted corruptions."""
