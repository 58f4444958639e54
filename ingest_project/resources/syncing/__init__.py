"""Syncs of paged sources: cut into slices, read, landed as they were sent, resumed, and deletions found."""
