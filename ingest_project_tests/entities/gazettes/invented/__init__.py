"""Segmenters of associations that do not exist: a file beside this one is all that each takes."""
