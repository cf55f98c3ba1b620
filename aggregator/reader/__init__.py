"""Serve the public API, its documentation, feeds and pages."""
