"""Decide which entries, edits, reposts and stories belong together."""
