"""Documents that pass through stages: who runs a stage over many of them."""
