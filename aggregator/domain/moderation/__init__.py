"""Moderate content: rules, freezes and decisions."""
