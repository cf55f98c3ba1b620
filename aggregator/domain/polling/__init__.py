"""Decide when to poll and at what rate, and define the results of polls."""
