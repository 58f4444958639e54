"""Conversations of an assistant: a chat memory migrated with proof, and context answered from it."""
