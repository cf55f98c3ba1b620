"""Removals and compliance jobs."""
