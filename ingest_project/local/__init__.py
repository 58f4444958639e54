"""The embedded services for one machine: start, health, stop."""
