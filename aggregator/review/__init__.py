"""Serve the review desk below /review: queue, decisions, rules, sources, history and accounts."""
