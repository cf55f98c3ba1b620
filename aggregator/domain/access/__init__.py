"""Accounts of the review desk and API tokens."""
