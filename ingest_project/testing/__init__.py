"""Ships with the package: doubles driven by fault scripts and the laws that every adapter must pass."""
