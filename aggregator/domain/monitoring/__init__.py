"""Conditions that ops are alerted to."""
