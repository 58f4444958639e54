"""Doubles of every port, fault scripts, and the laws every adapter must pass. Ships with the package."""
