"""Detect conditions that operators are alerted to."""
