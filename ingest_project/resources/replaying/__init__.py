"""Refused records once more: corrected, or admitted by a contract that was mended since."""
